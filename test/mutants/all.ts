import { alone } from './alone.js';
import { bounded } from './bounded.js';
import { canonical } from './canonical.js';
import { feed } from './feed.js';
import { liveFirst } from './live-first.js';
import type { InvariantMutants } from './mutant.js';
import { nothingSkipped } from './nothing-skipped.js';
import { nothingTwice } from './nothing-twice.js';

/** All mutants, by the invariant that they break. */
export const allMutants: readonly InvariantMutants[] = [
  nothingSkipped,
  nothingTwice,
  canonical,
  liveFirst,
  feed,
  alone,
  bounded,
];
