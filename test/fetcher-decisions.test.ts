import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { COVERED, decide, type Known } from '#apps/fetcher/decide.js';
import {
  type PlannedRange,
  type PlannedSource,
  planHistory,
  type Ranges,
} from '#apps/fetcher/history-plan.js';
import { Segment } from '#apps/fetcher/segment.js';

/** A segment from a list of names, e.g. `['10a', '11a']`. */
function segmentOf(names: readonly string[]): Segment {
  return new Segment(new Map(names.map((name) => [Number.parseInt(name, 10), name])));
}

/** Known blocks from a list of names, e.g. `['10a', '11a']`. */
function known(names: readonly string[], finalized: number | null, coveredTo = COVERED): Known {
  return { segment: segmentOf(names), finalized, coveredTo };
}
const seen = (head: number, safe: string, fork: number) => ({
  head,
  safe: { number: Number.parseInt(safe, 10), hash: safe },
  fork,
});

describe('a leader', () => {
  const held = known(['10a', '11a', '12a'], 10);

  test('begins with the final block when nothing is stored', () => {
    expect(decide(known([], null), seen(15, '10a', -1))).toEqual({ kind: 'advance', above: 9, from: 10 });
  });

  test('says a new block on top of the tip', () => {
    expect(decide(held, seen(13, '10a', 12))).toEqual({ kind: 'advance', above: 12, from: 13 });
  });

  test('says a reorg from its fork point, also at equal height and to a shorter chain', () => {
    expect(decide(held, seen(12, '10a', 11))).toEqual({ kind: 'advance', above: 11, from: 12 });
    expect(decide(held, seen(11, '10a', 10))).toEqual({ kind: 'advance', above: 10, from: 11 });
  });

  test('pauses when the head is lower and agrees, also when something must be stated again', () => {
    expect(decide(held, seen(11, '10a', 11))).toEqual({ kind: 'pause' });
    expect(decide(known(['10a', '11a', '12a'], 10, 10), seen(11, '10a', 11))).toEqual({ kind: 'pause' });
  });

  test('states again what a source does not cover, from there on', () => {
    const holes = known(['10a', '11a', '12a'], 10, 10);
    expect(decide(holes, seen(12, '10a', 12))).toEqual({ kind: 'advance', above: 10, from: 11 });
  });

  test('never goes below the recorded finality', () => {
    const lacking = known(['10a', '11a', '12a'], 10, 9);
    expect(decide(lacking, seen(13, '10a', 12))).toEqual({ kind: 'advance', above: 10, from: 11 });
  });

  test('jumps to the final block when finality has passed all that is stored, dropping from the fork point', () => {
    expect(decide(held, seen(60, '50b', 11))).toEqual({ kind: 'advance', above: 11, from: 50 });
  });

  test('says finality only upwards, and only for a block that it holds with that hash', () => {
    expect(decide(held, seen(12, '11a', 12))).toEqual({ kind: 'finality', number: 11, hash: '11a' });
    expect(decide(held, seen(12, '11b', 12))).toEqual({ kind: 'idle' });
    expect(decide(held, seen(12, '10a', 12))).toEqual({ kind: 'idle' });
  });
});

const ranges = fc.uniqueArray(fc.integer({ min: 0, max: 60 }), { maxLength: 8 }).map((cuts): Ranges => {
  const sorted = cuts.sort((a, b) => a - b);
  return sorted.flatMap((from, i) =>
    i % 2 === 0 && i + 1 < sorted.length ? [[from, sorted[i + 1]!] as const] : [],
  );
});
const sources = fc.array(fc.record({ startBlock: fc.integer({ min: 0, max: 30 }), coverage: ranges }), {
  minLength: 1,
  maxLength: 3,
});
const holds = (list: Ranges, block: number) => list.some(([from, to]) => from <= block && block < to);

const flights = fc.array(
  fc.record({
    from: fc.integer({ min: 0, max: 60 }),
    length: fc.integer({ min: 1, max: 20 }),
    of: fc.nat(6),
  }),
  { maxLength: 5 },
);

test('history is planned exactly where it is missing and not in flight: lowest blocks first, none twice, within the bounds', () => {
  fc.assert(
    fc.property(
      sources,
      flights,
      fc.integer({ min: 0, max: 60 }),
      fc.integer({ min: 1, max: 20 }),
      (given, flying, upTo, batchSize) => {
        const planned = given.map((s, i): PlannedSource => ({ ...s, address: `0x${i}`, event: 'E' }));
        const inFlight = flying.map(({ from, length, of }): PlannedRange => {
          // the bits of `of` say which sources it is for
          return { from, to: from + length - 1, sources: planned.filter((_, i) => (of >> i) & 1) };
        });
        const plan = planHistory(planned, inFlight, upTo, batchSize, 1_000);
        for (const [i, source] of planned.entries()) {
          const times = (list: readonly PlannedRange[], block: number) =>
            list.filter((r) => r.sources.includes(source) && r.from <= block && block <= r.to).length;
          for (let block = 0; block <= 61; block++) {
            const missing = block >= source.startBlock && block <= upTo && !holds(source.coverage, block);
            const wanted = missing && !times(inFlight, block);
            expect(times(plan, block), `source ${i} block ${block}`).toBe(wanted ? 1 : 0);
          }
        }
        expect(plan.every((r) => r.to - r.from + 1 <= batchSize)).toBe(true);
        expect(plan.map((r) => r.from)).toEqual(plan.map((r) => r.from).sort((a, b) => a - b));
      },
    ),
  );
});

test('what is in flight is not planned again, and nothing is planned before there is finality', () => {
  const source = { address: '0x1', event: 'E', startBlock: 1, coverage: [[1, 11]] as Ranges };
  const inFlight = [{ from: 11, to: 20, sources: [source] }];
  expect(planHistory([source], inFlight, 30, 100, 10)).toEqual([{ from: 21, to: 30, sources: [source] }]);
  expect(planHistory([source], inFlight, null, 100, 10)).toEqual([]);
  expect(planHistory([source], [], 30, 5, 2)).toHaveLength(2);
});
