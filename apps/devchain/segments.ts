import { digestOf } from './identity.js';

/**
 * A stretch of chain that was begun at once: the chain itself, the new branch of a reorg, or what follows a pause. It rules every
 * height from `from` up to where the next one begins.
 */
export interface Segment {
  /** Commits to this segment and all below it: equal ids mean equal chains, so a height and an id name one block for ever. */
  readonly id: string;
  readonly from: number;
  /** Unix time of block `from` in milliseconds; the blocks after it follow in the chain's pace. */
  readonly timestampMs: number;
}

/** What a chain consists of at a moment; hand it back to return to it. */
export interface BranchState {
  readonly head: number;
  /** By height; the first one begins at 0. */
  readonly segments: readonly Segment[];
}

/** The first segment of a chain. @param settings everything that its contents depend on. */
export function rootSegment(settings: string, timestampMs: number): Segment {
  return { id: digestOf(`root:${timestampMs}:${settings}`, 16), from: 0, timestampMs };
}

/**
 * Begins a new segment at `from` and drops those that began there or above.
 * @param ordinal a number never used before in this chain.
 */
export function branchOff(
  segments: readonly Segment[],
  from: number,
  timestampMs: number,
  ordinal: number,
): Segment[] {
  const kept = segments.filter((segment) => segment.from < from);
  const id = digestOf(`${kept.at(-1)!.id}:${from}:${timestampMs}:${ordinal}`, 16);
  return [...kept, { id, from, timestampMs }];
}

/** The segment that rules a height. */
export function segmentAt(segments: readonly Segment[], height: number): Segment {
  let low = 0;
  let high = segments.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (segments[middle]!.from <= height) low = middle;
    else high = middle - 1;
  }
  return segments[low]!;
}

/** The highest block that two branches have in common. */
export function forkPoint(one: BranchState, other: BranchState): number {
  let shared = 0;
  while (one.segments[shared] && one.segments[shared]?.id === other.segments[shared]?.id) shared++;
  const firstDifference = Math.min(
    one.segments[shared]?.from ?? Number.POSITIVE_INFINITY,
    other.segments[shared]?.from ?? Number.POSITIVE_INFINITY,
  );
  return Math.min(one.head, other.head, firstDifference - 1);
}
