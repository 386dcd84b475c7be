import type { RpcError } from './rpc-error.js';

/** Waits before an endpoint that refused old blocks is asked for old ones again, doubling from the first to the last. */
const RETRY_FIRST_MS = 30_000;
const RETRY_LAST_MS = 600_000;

/**
 * How far back an endpoint's history goes, learned from what it refuses as too old: else every range of a backfill would
 * cost it one refusal. Where its history begins isn't known after a refusal, so it is left out of all history but that
 * above a block that it has served; now and then it is tried again, for behind a load balancer some nodes have more, and
 * the backfill may have come far enough. Moments are in ms of one clock.
 */
export class HistoryDepth {
  private lastRefusal: { readonly from: number; readonly error: RpcError } | null = null;
  private servedFrom: number | null = null;
  private refusals = 0;
  private retryAt = 0;

  /** Why it is left out of history that begins at this block, or null when it isn't. */
  refusal(from: number, now: number): RpcError | null {
    if (now >= this.retryAt || (this.servedFrom !== null && from >= this.servedFrom)) return null;
    return this.lastRefusal?.error ?? null;
  }

  /** Whether it has refused blocks for their age, and not served as old ones since. */
  get isShort(): boolean {
    return this.lastRefusal !== null;
  }

  /** It answered for history that begins at this block. */
  served(from: number): void {
    this.servedFrom = Math.min(from, this.servedFrom ?? from);
    if (!this.lastRefusal || from > this.lastRefusal.from) return;
    this.lastRefusal = null;
    this.refusals = 0;
  }

  /** It refused history that begins at this block as too old. */
  refused(from: number, error: RpcError, now: number): void {
    // pruned further, or by another node
    if (this.servedFrom !== null && from >= this.servedFrom) this.servedFrom = null;
    this.lastRefusal = { from: Math.max(from, this.lastRefusal?.from ?? from), error };
    // requests that were under way together are refused together
    if (now < this.retryAt) return;
    const wait = Math.min(RETRY_FIRST_MS * 2 ** this.refusals, RETRY_LAST_MS);
    this.retryAt = now + wait * (0.75 + Math.random() / 2);
    this.refusals++;
  }
}
