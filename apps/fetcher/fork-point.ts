import type { Segment } from './segment.js';

/** Heights per request after the first one. */
const PROBES = 32;

/**
 * The highest height above `floor`, at most `upTo`, where the chain has the segment's block. A block stands for all its
 * ancestors, so a few requests find it, however long the segment is and however deep the reorg.
 * @param hashesAt asks the chain for its hashes at some heights, ascending.
 * @returns `floor` when there is none.
 */
export async function forkPoint(
  segment: Segment,
  floor: number,
  upTo: number,
  hashesAt: (heights: readonly number[]) => Promise<readonly string[]>,
): Promise<number> {
  const heights = segment.heightsBetween(floor, upTo);
  // indexes: the block at `same` is the chain's (−1: none is known to be), the one at `other` isn't
  let [same, other] = [-1, heights.length];
  for (let probes = fromTheTop(other); probes.length; probes = between(same, other)) {
    const hashes = await hashesAt(probes.map((index) => heights[index]!));
    const equal = probes.map((index, i) => segment.hashAt(heights[index]!) === hashes[i]);
    const last = equal.lastIndexOf(true);
    other = probes[last + 1] ?? other;
    same = probes[last] ?? same;
  }
  return heights[same] ?? floor;
}

/** The last four indexes, since most reorgs are shallow, then ever larger distances, down to the first. Ascending. */
function fromTheTop(count: number): number[] {
  const distances = [1, 2, 3];
  for (let distance = 4; distance < count; distance *= 2) distances.push(distance);
  const indexes = distances.map((distance) => count - distance).filter((index) => index > 0);
  return count ? [0, ...indexes.reverse()] : [];
}

/** Indexes between two, evenly; all of them when they are few. */
function between(low: number, high: number): number[] {
  const step = Math.ceil((high - low) / (PROBES + 1));
  const indexes: number[] = [];
  for (let index = low + step; index < high; index += step) indexes.push(index);
  return indexes;
}
