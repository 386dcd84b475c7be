import type { LedgerSource } from '#libs/database/ledger.js';

/** Blocks [from, to], both included, that these sources and no other of them cover. */
export interface CoveredRange {
  readonly from: number;
  readonly to: number;
  readonly sources: readonly LedgerSource[];
}

/** The lowest covered blocks within [from, to] that all their sources cover, from the sources' start blocks on; null: none. Pure. */
export function nextCovered(sources: readonly LedgerSource[], from: number, to: number): CoveredRange | null {
  const parts = sources.flatMap((source) => {
    const low = Math.max(from, source.startBlock);
    const part = source.coverage.find(([a, b]) => b > low && a <= to);
    return part ? [{ source, first: Math.max(part[0], low), last: Math.min(part[1] - 1, to) }] : [];
  });
  const present = parts.filter(({ first, last }) => first <= last);
  if (!present.length) return null;
  const first = Math.min(...present.map((part) => part.first));
  const here = present.filter((part) => part.first === first);
  // a range ends where another source begins, so that one request serves both from there on
  const begins = present.flatMap((part) => (part.first > first ? [part.first - 1] : []));
  const last = Math.min(...here.map((part) => part.last), ...begins);
  return { from: first, to: last, sources: here.map((part) => part.source) };
}

/** Number of blocks within [from, to], over all sources, that are covered, and that are wanted. Pure. */
export function blocksWithin(
  sources: readonly LedgerSource[],
  from: number,
  to: number,
): { covered: number; wanted: number } {
  let [covered, wanted] = [0, 0];
  for (const { startBlock, coverage } of sources) {
    const low = Math.max(from, startBlock);
    wanted += Math.max(0, to + 1 - low);
    for (const [a, b] of coverage) covered += Math.max(0, Math.min(b, to + 1) - Math.max(a, low));
  }
  return { covered, wanted };
}

/** Half-open ranges, ascending and disjoint, with one more. */
export function withRange(
  ranges: readonly (readonly [number, number])[],
  [from, to]: readonly [number, number],
): (readonly [number, number])[] {
  const apart = ranges.filter(([a, b]) => b < from || a > to);
  const joined = ranges.filter(([a, b]) => b >= from && a <= to);
  const low = Math.min(from, ...joined.map(([a]) => a));
  const high = Math.max(to, ...joined.map(([, b]) => b));
  return [...apart, [low, high] as const].sort((x, y) => x[0] - y[0]);
}
