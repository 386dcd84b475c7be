import type { RequestReport } from '#libs/chain/rpc-transport.js';
import type { ChainState } from '#libs/database/ledger.js';
import { fetcherMetrics, rpcMetrics } from '#libs/telemetry/metrics.js';

/** How one chain fares in this process, for readiness and metrics. */
export class ChainCondition {
  private state: ChainState | 'standby' = 'starting';
  private reason: string | null = null;

  constructor(private readonly chainId: number) {
    this.leads(false);
  }

  /** What keeps the chain from being followed, in words; null when it is, or when another process leads it and this one stands by. */
  get problem(): string | null {
    if (this.state === 'following' || this.state === 'standby') return null;
    return this.reason ? `${this.state}: ${this.reason}` : this.state;
  }

  /** What this process finds. */
  is(state: ChainState | 'standby', reason: string | null): void {
    this.state = state;
    this.reason = reason;
  }

  /** Whether this process leads the chain. */
  leads(leading: boolean): void {
    const labels = { chain_id: this.chainId };
    fetcherMetrics.leading.set(labels, leading ? 1 : 0);
    if (leading) return;
    fetcherMetrics.outstandingRanges.set(labels, 0);
    fetcherMetrics.unappliedStatements.set(labels, 0);
  }

  /** What the leader has under way. */
  underWay({ ranges, statements }: { ranges?: number; statements?: number }): void {
    const labels = { chain_id: this.chainId };
    if (ranges !== undefined) fetcherMetrics.outstandingRanges.set(labels, ranges);
    if (statements !== undefined) fetcherMetrics.unappliedStatements.set(labels, statements);
  }

  /** A reorg replaced this many blocks. */
  reorg(depth: number): void {
    const labels = { chain_id: this.chainId };
    fetcherMetrics.reorgs.inc(labels);
    fetcherMetrics.reorgDepth.observe(labels, depth);
  }

  /** One request to an RPC endpoint. */
  requested({ host, calls, seconds, error }: RequestReport): void {
    const labels = { chain_id: this.chainId, host };
    rpcMetrics.requests.inc(labels);
    rpcMetrics.calls.inc(labels, calls);
    rpcMetrics.seconds.observe(labels, seconds);
    if (error) rpcMetrics.errors.inc({ ...labels, kind: error });
  }
}
