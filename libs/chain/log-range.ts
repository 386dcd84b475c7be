import type { RpcError } from './rpc-error.js';

/** Successes in a row after which a range grows: a shrunken one should recover, but slowly. */
const SUCCESSES_TO_GROW = 5;
const GROWTH = 1.5;

/** Successes at a remembered limit after which it is probed again: plans and nodes change. */
const SUCCESSES_TO_PROBE = 500;

/** Failures in a row without a clear reason after which the width is suspected. */
const UNCLEAR_SUSPECT = { timeout: 2, transient: 3 } as const;

/** How many blocks one eth_getLogs may ask of an endpoint: between 1 and a maximum, learned from what it refuses. */
export class LogRange {
  private current: number;
  /** Where growing ends: the maximum, or what the endpoint's refusals say. */
  private ceiling: number;
  /** The size before it last grew: one that worked. */
  private proven = 0;
  private successes = 0;
  private unclear = 0;

  /** @param max blocks per request at most (BATCH_SIZE). */
  constructor(private readonly max: number) {
    this.current = max;
    this.ceiling = max;
  }

  /** Blocks to ask for. */
  get size(): number {
    return this.current;
  }

  /**
   * Takes note that a request for the logs of [from, to] failed. The size becomes the limit that the error names, or the range that it suggests,
   * if that is less than what was asked; else the size before the last growth; else half. A refused single block teaches nothing.
   */
  shrink(from: number, to: number, error: RpcError): void {
    const asked = to - from + 1;
    if (asked <= 1 || !this.isAboutWidth(error)) return;
    const limit = error.limit !== undefined && error.limit < asked ? error.limit : undefined;
    const next = this.hinted(from, to, error) ?? limit ?? this.lessThan(asked);
    // a suggestion and a cap on results depend on what these blocks hold; a limit of blocks stays
    if (error.kind === 'range_limit') this.ceiling = Math.min(this.ceiling, next);
    else if (limit === next) this.ceiling = Math.min(this.ceiling, limit);
    this.current = Math.max(1, Math.min(this.current, next));
    this.successes = 0;
    this.unclear = 0;
    this.proven = 0;
  }

  /** Takes note that a request for `asked` blocks was answered. */
  grow(asked: number): void {
    this.unclear = 0;
    if (asked < this.current || this.current >= this.max) return;
    this.successes++;
    const probing = this.current >= this.ceiling;
    if (this.successes < (probing ? SUCCESSES_TO_PROBE : SUCCESSES_TO_GROW)) return;
    if (probing) this.ceiling = this.grown(this.max);
    this.proven = this.current;
    this.current = this.grown(this.ceiling);
    this.successes = 0;
  }

  private grown(bound: number): number {
    return Math.min(bound, Math.ceil(this.current * GROWTH));
  }

  private isAboutWidth({ kind, code }: RpcError): boolean {
    if (kind === 'suggested_range' || kind === 'range_limit' || kind === 'result_cap') return true;
    // an endpoint that can't be reached says nothing of the width; one that answered nonsense thrice may
    if (kind !== 'timeout' && (kind !== 'transient' || code === undefined)) return false;
    this.unclear++;
    return this.unclear >= UNCLEAR_SUSPECT[kind];
  }

  /**
   * A suggestion is a hint: it must begin where we asked and be shorter. Seen in the wild: inverted ranges, the end of the request
   * instead of its beginning, a suggestion as large as the request.
   */
  private hinted(from: number, to: number, { suggested }: RpcError): number | undefined {
    if (!suggested || suggested.from !== from || suggested.to < from || suggested.to >= to) return undefined;
    return suggested.to - from + 1;
  }

  private lessThan(asked: number): number {
    const half = Math.floor(asked / 2);
    return this.proven > half && this.proven < asked ? this.proven : half;
  }
}
