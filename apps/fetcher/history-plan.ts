import type { StatedSource } from '#libs/broker/messages.js';

/** Half-open ranges of block numbers, ascending and disjoint. */
export type Ranges = readonly (readonly [from: number, to: number])[];

/** A source and the blocks that are stored of it. */
export interface PlannedSource extends StatedSource {
  readonly startBlock: number;
  readonly coverage: Ranges;
}

/** Blocks [from, to], both included, whose logs are to be stated for these sources. */
export interface PlannedRange {
  readonly from: number;
  readonly to: number;
  readonly sources: readonly StatedSource[];
}

/** Ranges without the part that `cut` takes. */
export function subtract(ranges: Ranges, cut: Ranges): Ranges {
  return cut.reduce<Ranges>(
    (rest, [from, to]) =>
      rest.flatMap(([a, b]) => {
        const parts: [number, number][] = [
          [a, Math.min(b, from)],
          [Math.max(a, to), b],
        ];
        return a < to && from < b ? parts.filter(([x, y]) => x < y) : [[a, b] as const];
      }),
    ranges,
  );
}

/**
 * The next ranges of history to fetch (DESIGN §3.3): missing = [start block, finality] − coverage − in flight, per source;
 * lowest blocks first, sources that miss the same blocks together. Pure.
 * @param upTo highest block that is final, or null when none is.
 * @param batchSize blocks per range at most.
 * @param limit ranges at most.
 */
export function planHistory(
  sources: readonly PlannedSource[],
  inFlight: readonly PlannedRange[],
  upTo: number | null,
  batchSize: number,
  limit: number,
): PlannedRange[] {
  const missing = sources.map((source) => ({ source, ranges: missingOf(source, inFlight, upTo) }));
  const plan: PlannedRange[] = [];
  while (plan.length < limit) {
    const next = lowestRange(missing, batchSize);
    if (!next) break;
    plan.push(next);
    for (const m of missing)
      if (next.sources.includes(m.source)) m.ranges = subtract(m.ranges, [[next.from, next.to + 1]]);
  }
  return plan;
}

function missingOf(source: PlannedSource, inFlight: readonly PlannedRange[], upTo: number | null): Ranges {
  if (upTo === null || upTo < source.startBlock) return [];
  const flying = inFlight
    .filter((range) => range.sources.some((s) => s.address === source.address && s.event === source.event))
    .map(({ from, to }) => [from, to + 1] as const);
  return subtract(subtract([[source.startBlock, upTo + 1]], source.coverage), flying);
}

function lowestRange(
  missing: readonly { source: PlannedSource; ranges: Ranges }[],
  batchSize: number,
): PlannedRange | null {
  const from = Math.min(...missing.map((m) => m.ranges[0]?.[0] ?? Number.POSITIVE_INFINITY));
  if (!Number.isFinite(from)) return null;
  const here = missing.filter((m) => m.ranges[0]?.[0] === from);
  const ends = here.map((m) => m.ranges[0]![1]);
  // a range ends where another source begins to miss blocks too, so that the next one serves both
  const starts = missing.flatMap((m) => (m.ranges[0] && m.ranges[0][0] > from ? [m.ranges[0][0]] : []));
  const to = Math.min(from + batchSize, ...ends, ...starts) - 1;
  return { from, to, sources: here.map((m) => m.source) };
}
