import { expect, test } from 'vitest';
import { run } from './model/run.js';

/** Seeds of a run in CI; `npm run model -- 10000` runs more. */
const SEEDS = 300;

test(`no seed of ${SEEDS} breaks the protocol`, async () => {
  const broken: string[] = [];
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { why } = await run(seed);
    if (why) broken.push(`seed ${seed}: ${why}`);
  }
  expect(broken).toEqual([]);
});
