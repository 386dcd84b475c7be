import fc from 'fast-check';
import { expect, test } from 'vitest';
import { COVERED } from '#apps/fetcher/decide.js';
import { forkPoint } from '#apps/fetcher/fork-point.js';
import { coveredTo } from '#apps/fetcher/lead.js';
import { type HeldBlock, Segment } from '#apps/fetcher/segment.js';

const height = fc.integer({ min: 0, max: 40 });
const changes = fc.array(
  fc.oneof(
    fc.record({ above: height, gap: fc.nat(3), count: fc.integer({ min: 1, max: 6 }), branch: fc.nat(3) }),
    // close together and of two branches only, so that blocks are held again
    fc.record({
      above: fc.nat(6),
      gap: fc.constant(0),
      count: fc.integer({ min: 1, max: 6 }),
      branch: fc.nat(1),
    }),
    fc.record({ below: height }),
  ),
  { maxLength: 20 },
);

/** What `Segment` does, said plainly. */
class PlainSegment {
  private blocks: HeldBlock[] = [];

  advance(above: number, blocks: readonly HeldBlock[]): void {
    const last = blocks.at(-1)!;
    const isHeld = this.blocks.some(({ number, hash }) => number === last.number && hash === last.hash);
    const stays = ({ number }: HeldBlock) => number <= above || (isHeld && number > last.number);
    const kept = this.blocks.filter(stays);
    this.blocks = [...kept, ...blocks].sort((a, b) => a.number - b.number);
  }

  forgetBelow(height: number): void {
    this.blocks = this.blocks.filter(({ number }) => number >= height);
  }

  heights(from: number, to: number): number[] {
    return this.blocks.map(({ number }) => number).filter((n) => n >= from && n <= to);
  }

  hashes(): string[] {
    return this.blocks.map(({ hash }) => hash);
  }
}

type Change = { above: number; gap: number; count: number; branch: number } | { below: number };

function apply(change: Change, segment: Segment | PlainSegment): void {
  if ('below' in change) {
    segment.forgetBelow(change.below);
    return;
  }
  const { above, gap, count, branch } = change;
  const blocks = Array.from({ length: count }, (_, i) => {
    const number = above + 1 + gap + i;
    return { number, hash: `${number}/${branch}` };
  });
  segment.advance(above, blocks);
}

test('a segment replaces everything above the fork point but what stands on the last block, if held, and forgets everything below finality', () => {
  fc.assert(
    fc.property(changes, height, (list, asked) => {
      const both = [new Segment(new Map()), new PlainSegment()] as const;
      for (const one of both) for (const change of list) apply(change, one);
      const [segment, plain] = both;
      const heights = plain.heights(0, 100);
      expect(segment.heightsBetween(-1, 100)).toEqual(heights);
      expect(heights.map((n) => segment.hashAt(n))).toEqual(plain.hashes());
      expect([segment.top, segment.bottom]).toEqual([heights.at(-1) ?? -1, heights[0] ?? -1]);
      expect(segment.firstAbove(asked)).toBe(plain.heights(asked + 1, 100)[0] ?? Number.POSITIVE_INFINITY);
      expect(segment.heightsBetween(asked, asked + 9)).toEqual(plain.heights(asked + 1, asked + 9));
    }),
  );
});

test('the fork point is the highest block that the chain still has, however deep, in a few requests', async () => {
  const shape = fc.record({
    length: fc.integer({ min: 0, max: 100_000 }),
    gapAt: fc.nat(100_000),
    gap: fc.nat(1_000_000),
    depth: fc.oneof(fc.nat(10), fc.nat(100_000)),
    lowerHead: fc.nat(20),
  });
  await fc.assert(
    fc.asyncProperty(shape, async ({ length, gapAt, gap, depth, lowerHead }) => {
      const heights = Array.from({ length }, (_, i) => 1_000 + i + (i > gapAt ? gap : 0));
      const segment = new Segment(new Map(heights.map((n) => [n, `${n}a`])));
      const upTo = segment.top - lowerHead;
      const stays = heights[length - 1 - depth] ?? 999;
      const expected = heights.findLast((n) => n <= Math.min(upTo, stays)) ?? 999;
      let requests = 0;
      const found = await forkPoint(segment, 999, upTo, async (asked) => {
        requests++;
        expect(asked.length).toBeLessThanOrEqual(50);
        return asked.map((n) => (n <= stays ? `${n}a` : `${n}b`));
      });
      expect(found).toBe(expected);
      expect(requests).toBeLessThanOrEqual(5);
    }),
    { numRuns: 60 },
  );
});

const ranges = fc.uniqueArray(height, { maxLength: 8 }).map((cuts) => {
  const sorted = cuts.sort((a, b) => a - b);
  return sorted.flatMap((from, i) =>
    i % 2 || i + 1 === sorted.length ? [] : [[from, sorted[i + 1]!] as const],
  );
});

test('what must be stated again begins at the lowest stored block above finality that any source lacks', () => {
  const given = fc.record({
    heights: fc.uniqueArray(height, { maxLength: 20 }),
    finalizedBlock: fc.option(height),
    coverages: fc.array(ranges, { minLength: 1, maxLength: 3 }),
  });
  fc.assert(
    fc.property(given, ({ heights, finalizedBlock, coverages }) => {
      const segment = new Map(heights.map((n) => [n, `${n}a`]));
      const sources = coverages.map((coverage, i) => ({
        address: `0x${i}`,
        event: 'E',
        startBlock: 0,
        coverage,
      }));
      // as the executable model says it
      const holes = heights.filter(
        (n) =>
          n > (finalizedBlock ?? -1) && coverages.some((c) => !c.some(([from, to]) => from <= n && n < to)),
      );
      const expected = holes.length ? Math.min(...holes) - 1 : COVERED;
      expect(coveredTo({ segment, finalizedBlock, sources })).toBe(expected);
    }),
  );
});
