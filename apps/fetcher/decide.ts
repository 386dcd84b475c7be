import type { Segment } from './segment.js';

/** "Every source covers everything": nothing stored has to be stated again. */
export const COVERED = Number.POSITIVE_INFINITY;

/** What a leader knows of the stored segment, as it will be once all that it said is applied. */
export interface Known {
  readonly segment: Segment;
  /** Recorded finality, or null. */
  readonly finalized: number | null;
  /** Height up to which every source covers everything above finality; `COVERED` when that is all. */
  readonly coveredTo: number;
}

/** What one endpoint shows. */
export interface Seen {
  readonly head: number;
  /** The final block that the endpoint shows, at most `head`. */
  readonly safe: { readonly number: number; readonly hash: string };
  /** Highest height, at most `head`, where the endpoint's hash equals ours; the recorded finality at least. */
  readonly fork: number;
}

/**
 * What to say next. `advance`: blocks from `from` on, everything above `above` that isn't among them is dropped.
 * `pause`: the endpoint is behind us, ask another or wait.
 */
export type Decision =
  | { readonly kind: 'advance'; readonly above: number; readonly from: number }
  | { readonly kind: 'finality'; readonly number: number; readonly hash: string }
  | { readonly kind: 'pause' }
  | { readonly kind: 'idle' };

/** Decides what a leader says next (DESIGN §3.1–3.2; the executable model calls it `decide`). Pure. */
export function decide(known: Known, seen: Seen): Decision {
  const { segment, finalized, coveredTo } = known;
  const { top } = segment;
  const { head, safe, fork } = seen;
  if (top < 0) return { kind: 'advance', above: safe.number - 1, from: safe.number };
  // a lower head that agrees with us is a pause, also when something below it must be stated again
  if (head < top && fork === head) return { kind: 'pause' };
  // a jump: finality has moved past all that is stored; it begins at the final block and drops from the fork point on
  if (safe.number > top) return { kind: 'advance', above: fork, from: safe.number };
  const above = Math.max(finalized ?? -1, Math.min(fork, coveredTo));
  if (above < head) return { kind: 'advance', above, from: firstStated(segment, above, fork) };
  const isNewer = safe.number > (finalized ?? -1);
  return isNewer && segment.hashAt(safe.number) === safe.hash
    ? { kind: 'finality', ...safe }
    : { kind: 'idle' };
}

/** The block above `above`; where nothing is stored yet between it and the segment's bottom, that bottom. */
function firstStated(segment: Segment, above: number, fork: number): number {
  return fork > above ? Math.min(fork + 1, segment.firstAbove(above)) : above + 1;
}
