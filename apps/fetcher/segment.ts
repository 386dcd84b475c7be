/** A block by height and hash. */
export interface HeldBlock {
  readonly number: number;
  readonly hash: string;
}

/** One that is said now: its time, in Unix seconds, is known. */
type SaidBlock = HeldBlock & { readonly timestamp?: number };

/**
 * The stored segment of a chain as it will be once all that was said is applied: block hashes by height. A fast chain holds
 * 100,000 unfinalized blocks and more, so a change costs what it changes, not what is held.
 */
export class Segment {
  /** Ascending; a jump leaves a gap. */
  private readonly heights: number[];
  private readonly hashes: Map<number, string>;
  /** By height, of the blocks that were said since the takeover. */
  private readonly times = new Map<number, number>();

  /** @param hashes by height, in any order. */
  constructor(hashes: ReadonlyMap<number, string>) {
    this.heights = [...hashes.keys()].sort((a, b) => a - b);
    this.hashes = new Map(hashes);
  }

  /** Highest height, −1 when nothing is held. */
  get top(): number {
    return this.heights.at(-1) ?? -1;
  }

  /** Lowest height, −1 when nothing is held. */
  get bottom(): number {
    return this.heights[0] ?? -1;
  }

  hashAt(height: number): string | undefined {
    return this.hashes.get(height);
  }

  /** The highest block at `upTo` or below whose time is known to be at most this, in Unix seconds; null when none is. */
  lastBy(time: number, upTo: number): HeldBlock | null {
    for (let i = this.indexAbove(upTo) - 1; i >= 0; i--) {
      const number = this.heights[i]!;
      if ((this.times.get(number) ?? Number.POSITIVE_INFINITY) <= time)
        return { number, hash: this.hashes.get(number)! };
    }
    return null;
  }

  /** Lowest held height above another, infinite when there is none. */
  firstAbove(height: number): number {
    return this.heights[this.indexAbove(height)] ?? Number.POSITIVE_INFINITY;
  }

  /** Held heights above `above`, up to `upTo`, ascending. */
  heightsBetween(above: number, upTo: number): number[] {
    return this.heights.slice(this.indexAbove(above), this.indexAbove(upTo));
  }

  /**
   * Holds these blocks, ascending and all above a height, instead of what is above it. Where the last of them is held already,
   * what stands on it stays: those are its descendants.
   */
  advance(above: number, blocks: readonly SaidBlock[]): void {
    const last = blocks.at(-1);
    const isHeld = last && this.hashes.get(last.number) === last.hash;
    const staying = isHeld ? this.heights.splice(this.indexAbove(last.number)) : [];
    while (this.top > above) this.forget(this.heights.pop()!);
    for (const { number, hash, timestamp } of blocks) {
      this.heights.push(number);
      this.hashes.set(number, hash);
      if (timestamp !== undefined) this.times.set(number, timestamp);
    }
    for (const height of staying) this.heights.push(height);
  }

  /** Forgets what lies below a height. */
  forgetBelow(height: number): void {
    for (const forgotten of this.heights.splice(0, this.indexAbove(height - 1))) this.forget(forgotten);
  }

  private forget(height: number): void {
    this.hashes.delete(height);
    this.times.delete(height);
  }

  /** Index of the first height above another. */
  private indexAbove(height: number): number {
    let [low, high] = [0, this.heights.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.heights[middle]! > height) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
