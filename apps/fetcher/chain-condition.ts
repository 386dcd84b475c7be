import { BrokerUnavailable } from '#libs/broker/broker.js';
import { RpcUnavailable, WrongChain } from '#libs/chain/chain-client.js';
import type { RpcErrorKind } from '#libs/chain/rpc-error.js';
import type { RequestReport } from '#libs/chain/rpc-transport.js';
import type { ChainState } from '#libs/database/ledger.js';
import type { Logger } from '#libs/telemetry/logger.js';
import { fetcherMetrics, rpcMetrics } from '#libs/telemetry/metrics.js';
import { OutageLog } from '#libs/telemetry/outage-log.js';
import { type StallPatience, StallWatch } from './stall-watch.js';

/** What all endpoints must say for a chain to be halted: waiting won't help. */
const NEEDS_A_PERSON: ReadonlySet<RpcErrorKind> = new Set(['other_final_block', 'wrong_chain']);

/** A failure of history is told for this long after the last one: a try takes some seconds, a publish without an answer half a minute. */
const HISTORY_FAILED_MS = 20_000;
const HISTORY_REFUSED_MS = 45_000;

/** A chain's state, and why, in words, when something is wrong. */
export interface Finding {
  readonly state: ChainState;
  readonly reason: string | null;
}

function findingOf(error: RpcUnavailable | WrongChain, chainId: number): Finding {
  if (error instanceof WrongChain) return { state: 'halted', reason: error.message };
  if (!error.failures.every(({ kind }) => NEEDS_A_PERSON.has(kind)))
    return { state: 'unreachable', reason: error.message };
  const forked = error.failures.some(({ kind }) => kind === 'other_final_block');
  const advice = `; a reorg below finality, or RPCs of a fork: npm run repair -- --chain ${chainId} shows what can be done`;
  return { state: 'halted', reason: forked ? error.message + advice : error.message };
}

/**
 * How one chain fares in this process. Its parts tell what they find; this alone makes the chain's state of it, and tells it to
 * readiness, status, log and metrics.
 */
export class ChainCondition {
  /** What stands still though the chain moves; new with every lead that doesn't follow upon one from here. */
  stalls: StallWatch;
  /** What the last look at the chain came to. */
  private looked: Finding = { state: 'starting', reason: null };
  private standing = false;
  private brokerTrouble: () => string | null = () => null;
  /** Why the broker didn't take the last news. */
  private newsRefused: string | null = null;
  private history = { reason: '', refused: false, at: Number.NEGATIVE_INFINITY };
  private everFollowed = false;
  private readonly outage: OutageLog;
  private readonly historyOutage: OutageLog;
  private readonly settingsOutage: OutageLog;
  private readonly labels: { readonly chain_id: number };

  constructor(
    chainId: number,
    private readonly patience: StallPatience,
    private readonly logger: Logger,
  ) {
    this.stalls = new StallWatch(patience);
    this.outage = new OutageLog(logger, 'following');
    this.historyOutage = new OutageLog(logger, 'the history goes on');
    this.settingsOutage = new OutageLog(logger, 'the leading fetcher has the same settings');
    this.labels = { chain_id: chainId };
    this.leads(false);
  }

  /** The chain's state as this process finds it now, the worst first. */
  get current(): Finding {
    if (this.looked.state === 'halted') return this.looked;
    const refused = this.brokerTrouble() ?? this.newsRefused ?? this.historyRefused;
    if (refused) return { state: 'stuck', reason: `nothing can be published: ${refused}` };
    if (this.looked.state !== 'following') return this.looked;
    const stall = this.stalls.problem;
    return stall ? { state: 'stuck', reason: stall } : { ...this.looked, reason: this.historyProblem };
  }

  /** What keeps the chain from being followed, in words; null when it is, or when another process leads it and this one stands by. */
  get problem(): string | null {
    if (this.standing) return null;
    const { state, reason } = this.current;
    if (state === 'following') return null;
    return reason ? `${state}: ${reason}` : state;
  }

  /** Whether another process leads the chain. */
  get isStandingBy(): boolean {
    return this.standing;
  }

  /** The broker that what is said goes to. */
  publishesTo(broker: { readonly trouble: string | null }): void {
    this.brokerTrouble = () => broker.trouble;
  }

  /** What a look at the chain came to. */
  found(state: ChainState, reason: string | null = null): void {
    this.looked = { state, reason };
    this.newsRefused = null;
    this.tell();
  }

  /** @returns false when the error is neither the RPC's nor the broker's. */
  failed(error: unknown): boolean {
    if (error instanceof RpcUnavailable || error instanceof WrongChain) {
      const { state, reason } = findingOf(error, this.labels.chain_id);
      this.found(state, reason);
      return true;
    }
    if (!(error instanceof BrokerUnavailable)) return false;
    this.newsRefused = error.message;
    this.tell();
    return true;
  }

  /** History that waits (endpoints without an archive, say) doesn't keep the chain from being followed: the reason says so. */
  historyFailed(error: unknown): void {
    const { message } = error as Error;
    const refused = error instanceof BrokerUnavailable;
    this.history = { reason: message, refused, at: performance.now() };
    this.historyOutage.failed(`the history waits: ${message}`);
  }

  /** A range of history is published. */
  historySaid(): void {
    if (this.history.refused) this.history = { reason: '', refused: false, at: Number.NEGATIVE_INFINITY };
    this.historyOutage.ended();
  }

  /** What was waited for before is of no matter: the chain wasn't led from here. */
  forgetStalls(): void {
    this.stalls = new StallWatch(this.patience);
  }

  /** Another process leads the chain. @param otherwise what this one would follow otherwise, in words; null: nothing. */
  standsBy(otherwise: string | null): void {
    if (!this.standing) this.logger.info('standing by: another fetcher leads');
    this.standing = true;
    if (otherwise === null) this.settingsOutage.ended();
    else
      this.settingsOutage.failed(
        `the leading fetcher has other settings, and whoever leads decides; this one would follow ${otherwise}`,
      );
  }

  /** Whether this process leads the chain. */
  leads(leading: boolean): void {
    fetcherMetrics.leading.set(this.labels, leading ? 1 : 0);
    if (leading) {
      this.standing = false;
      return;
    }
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
    this.logger.info(`reorg: ${depth} blocks replaced`);
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

  /** Says the state in the log where it is news. */
  tell(): void {
    const { state, reason } = this.current;
    if (state === 'starting') return;
    if (state !== 'following') {
      this.outage.failed(reason ? `${state}: ${reason}` : state, state);
      return;
    }
    if (this.everFollowed) this.outage.ended();
    else this.logger.info('following');
    this.everFollowed = true;
  }

  /** Why history doesn't go on, while news do; null when it does, or nothing was tried of late. */
  private get historyProblem(): string | null {
    return performance.now() - this.history.at < HISTORY_FAILED_MS
      ? `the history waits: ${this.history.reason}`
      : null;
  }

  private get historyRefused(): string | null {
    const { refused, reason, at } = this.history;
    return refused && performance.now() - at < HISTORY_REFUSED_MS ? reason : null;
  }
}
