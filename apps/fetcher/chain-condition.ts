import { type RpcUnavailable, WrongChain } from '#libs/chain/chain-client.js';
import type { RpcErrorKind } from '#libs/chain/rpc-error.js';
import type { RequestReport } from '#libs/chain/rpc-transport.js';
import type { ChainState } from '#libs/database/ledger.js';
import { fetcherMetrics, rpcMetrics } from '#libs/telemetry/metrics.js';

/** What all endpoints must say for a chain to be halted: waiting won't help. */
const NEEDS_A_PERSON: ReadonlySet<RpcErrorKind> = new Set(['other_final_block', 'wrong_chain']);

/** The state of a chain of which no endpoint could do what was asked. */
export function stateAfter(error: RpcUnavailable | WrongChain): 'halted' | 'unreachable' {
  if (error instanceof WrongChain) return 'halted';
  return error.failures.every(({ kind }) => NEEDS_A_PERSON.has(kind)) ? 'halted' : 'unreachable';
}

/** Why, in words; of a chain whose stored final block the endpoints don't have, also what can be done. */
export function reasonOf(error: RpcUnavailable, chainId: number): string {
  const isHalted = stateAfter(error) === 'halted';
  if (!isHalted || !error.failures.some(({ kind }) => kind === 'other_final_block')) return error.message;
  return `${error.message}; a reorg below finality, or RPCs of a fork: npm run repair -- --chain ${chainId} shows what can be done`;
}

/** How one chain fares in this process, for readiness and metrics. */
export class ChainCondition {
  private state: ChainState | 'standby' = 'starting';
  private reason: string | null = null;

  private readonly labels: { readonly chain_id: number };

  constructor(chainId: number) {
    this.labels = { chain_id: chainId };
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
    fetcherMetrics.leading.set(this.labels, leading ? 1 : 0);
    if (leading) return;
    fetcherMetrics.outstandingRanges.set(this.labels, 0);
    fetcherMetrics.unappliedStatements.set(this.labels, 0);
  }

  /** What the leader has under way. */
  underWay({ ranges, statements }: { ranges?: number; statements?: number }): void {
    if (ranges !== undefined) fetcherMetrics.outstandingRanges.set(this.labels, ranges);
    if (statements !== undefined) fetcherMetrics.unappliedStatements.set(this.labels, statements);
  }

  /** A reorg replaced this many blocks. */
  reorg(depth: number): void {
    fetcherMetrics.reorgs.inc(this.labels);
    fetcherMetrics.reorgDepth.observe(this.labels, depth);
  }

  /** One request to an RPC endpoint. */
  requested({ host, calls, seconds, error }: RequestReport): void {
    const labels = { ...this.labels, host };
    rpcMetrics.requests.inc(labels);
    rpcMetrics.calls.inc(labels, calls);
    rpcMetrics.seconds.observe(labels, seconds);
    if (error) rpcMetrics.errors.inc({ ...labels, kind: error });
  }
}
