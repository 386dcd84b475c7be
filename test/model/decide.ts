import type { Rules } from './rules.js';
import { type Block, range, START } from './statements.js';

/** "Every source covers everything": nothing stored has to be stated again. */
export const COVERED = Number.POSITIVE_INFINITY;

/** What a leader knows of the stored segment, as it will be once all that it said is applied. */
export interface Known {
  /** Hash by height. */
  readonly said: ReadonlyMap<number, string>;
  readonly finalized: number | null;
  /** Height up to which every source of the leader covers all that is stored above finality. */
  readonly coveredTo: number;
}

/** What one endpoint shows: its chain from block 0 on, and the height that it calls final. */
export interface View {
  readonly blocks: readonly Block[];
  readonly finalized: number;
}

/** The same words as apps/fetcher/decide.ts, whose rules these are. */
export type Decision =
  | { readonly kind: 'advance'; readonly above: number; readonly from: number }
  | { readonly kind: 'finality'; readonly number: number; readonly hash: string }
  | { readonly kind: 'pause' }
  | { readonly kind: 'idle' };

/** Whether the endpoint lacks our block at recorded finality: it is short, or on a dead branch. */
export function deniesFinality({ said, finalized }: Known, view: View): boolean {
  if (finalized === null || !said.has(finalized)) return false;
  return view.blocks[finalized]?.hash !== said.get(finalized);
}

/** The highest height that is held and where the endpoint's hash equals ours, else the floor below all that may be dropped. */
export function forkOf(rules: Rules, { said, finalized }: Known, { blocks }: View): number {
  const heights = [...said.keys()];
  const floor = rules.floor ? Math.max(finalized ?? -1, Math.min(...heights) - 1) : -1;
  const same = heights.filter((n) => n > floor && n < blocks.length && blocks[n]!.hash === said.get(n));
  return Math.max(floor, ...same);
}

/** What to say next. */
export function decide(rules: Rules, known: Known, view: View): Decision {
  const { said, finalized } = known;
  const head = view.blocks.length - 1;
  const safe = view.finalized;
  const top = Math.max(-1, ...said.keys());
  const first = rules.jumpFinal ? safe : safe + 1;
  const say = (above: number, from: number): Decision =>
    from > head ? { kind: 'idle' } : { kind: 'advance', above, from };
  if (top < 0) return say(first - 1, first);
  const fork = forkOf(rules, known, view);
  if (rules.pause && head < top && fork === head) return { kind: 'pause' };
  if (safe > top) return rules.forkDrop ? say(fork, first) : say(first - 1, first);
  const above = Math.max(rules.floor ? (finalized ?? -1) : -1, Math.min(fork, known.coveredTo));
  if (above < head) return say(above, firstStated(said, above, fork));
  return finalityOf(rules, known, view);
}

function finalityOf(rules: Rules, { said, finalized }: Known, view: View): Decision {
  const safe = view.finalized;
  const { hash } = view.blocks[safe]!;
  const isOther = rules.monotone ? safe > (finalized ?? -1) : safe !== finalized;
  const isHeld = said.get(safe) === hash || (!rules.jumpFinal && !said.has(safe));
  return isOther && isHeld ? { kind: 'finality', number: safe, hash } : { kind: 'idle' };
}

/** The block above `above`; where nothing is stored between it and the next stored one, that one. */
function firstStated(said: ReadonlyMap<number, string>, above: number, fork: number): number {
  if (fork <= above) return above + 1;
  return Math.min(fork + 1, ...[...said.keys()].filter((n) => n > above));
}

/** Maximal ranges that a source lacks: from the start block to finality, without what is covered or in flight. */
export function missing(
  coverage: ReadonlySet<number>,
  inFlight: (n: number) => boolean,
  upTo: number,
): [from: number, to: number][] {
  const ranges: [number, number][] = [];
  for (const n of range(START, upTo).filter((height) => !coverage.has(height) && !inFlight(height))) {
    const last = ranges.at(-1);
    if (last && last[1] === n - 1) last[1] = n;
    else ranges.push([n, n]);
  }
  return ranges;
}
