import { hostname } from 'node:os';
import type { Broker } from '#libs/broker/broker.js';
import { BrokerUnavailable } from '#libs/broker/broker.js';
import { type ChainClient, RpcUnavailable } from '#libs/chain/chain-client.js';
import type { ChainConfig } from '#libs/config/config.js';
import type { Database } from '#libs/database/database.js';
import {
  type ChainState,
  type LaneProgress,
  LEASE_SECONDS,
  readProgress,
  readSources,
  releaseLease,
  renewLease,
  reportState,
  takeOver,
  type WantedSource,
} from '#libs/database/ledger.js';
import type { Logger } from '#libs/telemetry/logger.js';
import { pause } from '#libs/telemetry/run-process.js';
import { type ChainCondition, reasonOf, stateAfter } from './chain-condition.js';
import { HistoryLane } from './history-lane.js';
import { Lead } from './lead.js';
import type { NewsLane } from './news-lane.js';

/** How often the lease is renewed, and a standby looks whether it is free. */
const RENEW_MS = 2_000;
/** How often the ledger is compared with what is wanted. */
const PLAN_MS = 500;
/** How often a leader looks whether its window has room again. */
const WINDOW_MS = 50;
/** A failure of history is told for this long after the last one: a try takes some seconds. */
const HISTORY_FAILED_MS = 20_000;
/** Patience with statements that nobody applies, before the leader takes over from itself: doubling from first to last. */
const PATIENCE_FIRST_MS = 10_000;
const PATIENCE_LAST_MS = 60_000;

/** What a follower works with. */
export interface FollowerParts {
  readonly config: ChainConfig;
  readonly sources: readonly WantedSource[];
  readonly client: ChainClient;
  readonly news: NewsLane;
  readonly database: Database;
  readonly broker: Broker;
  readonly logger: Logger;
  readonly condition: ChainCondition;
}

/** Why a term ended. */
type TermEnd = 'stopped' | 'lost' | 'retake';

/** Follows one chain: leads it while it holds the lease, stands by otherwise (DESIGN §3.2). */
export class ChainFollower {
  private readonly holder = `${hostname()}:${process.pid}:${Math.random().toString(36).slice(2, 8)}`;
  private patienceMs = PATIENCE_FIRST_MS;
  private head: { number: number; timestamp: number } | null = null;
  private state: ChainState = 'starting';
  private reason: string | null = null;
  private historyFailed = { reason: '', at: Number.NEGATIVE_INFINITY };
  private newHead: (() => void) | null = null;
  private standing = false;
  private stopping = false;
  /** Outlives the terms of this process: history is true for ever. Null: what was under way may be lost, begin anew. */
  private history: HistoryLane | null = null;

  constructor(private readonly parts: FollowerParts) {}

  /** Runs until `stop`; errors of the database, the broker and the RPC are waited out. */
  async run(stop: AbortSignal): Promise<void> {
    stop.addEventListener('abort', () => {
      this.stopping = true;
    });
    const unsubscribe = this.parts.client.onNewHead(() => this.newHead?.());
    let lead: Lead | null = null;
    let end: TermEnd = 'lost';
    while (!stop.aborted) {
      try {
        lead = await this.tryTakeOver(end === 'retake' ? lead : null);
        end = lead ? await this.leadUntil(lead, stop) : await this.standBy(stop);
      } catch (error) {
        this.parts.logger.warn(`waiting: ${(error as Error).message}`);
        await pause(RENEW_MS, stop);
      }
    }
    unsubscribe?.();
    if (lead) await releaseLease(this.parts.database.statements, this.leadKey(lead)).catch(() => {});
  }

  private async tryTakeOver(own: Lead | null): Promise<Lead | null> {
    const { config, sources, database, broker, logger } = this.parts;
    const taken = await takeOver(database, {
      chainId: config.chainId,
      chainName: config.chainName,
      holder: this.holder,
      sources,
      ownTerm: own?.term,
    });
    if (!taken) return null;
    this.standing = false;
    logger.info(
      `leading, term ${taken.term}: ${taken.segment.size} unfinalized blocks stored, finalized ${taken.finalizedBlock ?? 'nothing'}`,
    );
    return new Lead(
      config.chainId,
      sources.map(({ address, event }) => ({ address, event })),
      broker,
      taken,
    );
  }

  private async standBy(stop: AbortSignal): Promise<TermEnd> {
    if (!this.standing) this.parts.logger.info('standing by: another fetcher leads');
    this.standing = true;
    this.parts.condition.is('standby', null);
    await pause(RENEW_MS, stop);
    return 'lost';
  }

  /** Leads one term: news, history and the lease side by side; the first that ends, ends the term. */
  private async leadUntil(lead: Lead, stop: AbortSignal): Promise<TermEnd> {
    const term = new AbortController();
    const signal = AbortSignal.any([stop, term.signal]);
    this.history ??= this.newHistory();
    const parts = [
      this.renew(lead, signal),
      this.sayNews(lead, signal),
      this.sayHistory(lead, this.history, signal),
    ];
    this.parts.condition.leads(true);
    this.parts.condition.is(this.state, this.reason);
    const end = await Promise.race(parts).finally(() => term.abort());
    await Promise.allSettled(parts);
    this.parts.condition.leads(false);
    if (end === 'lost') {
      this.history = null;
      this.parts.logger.warn(`no longer leading: term ${lead.term} is over`);
    }
    return stop.aborted ? 'stopped' : end;
  }

  private newHistory(): HistoryLane {
    const { client, broker, config } = this.parts;
    return new HistoryLane({ client, broker, batchSize: config.batchSize }, (error) =>
      this.noteHistoryFailure(error),
    );
  }

  /** Renews the lease; a term that another fetcher has ended, or whose lease may have run out, is lost. */
  private async renew(lead: Lead, stop: AbortSignal): Promise<TermEnd> {
    let renewed = performance.now();
    while (!stop.aborted) {
      const started = performance.now();
      try {
        const progress = await renewLease(this.parts.database.statements, this.leadKey(lead));
        if (!progress) return 'lost';
        renewed = started;
        this.progressed(lead, progress);
        await this.report();
      } catch (error) {
        this.parts.logger.warn(`the lease can't be renewed: ${(error as Error).message}`);
      }
      if (performance.now() - renewed > LEASE_SECONDS * 1_000) return 'lost';
      if (lead.waitedMs > this.patienceMs && this.parts.broker.connected) return this.losePatience(lead);
      await pause(RENEW_MS, stop);
    }
    return 'stopped';
  }

  /** Statements were lost, or no worker applies them: say everything again in a new term, and be more patient then. */
  private losePatience(lead: Lead): TermEnd {
    const waited = Math.round(lead.waitedMs / 1_000);
    this.setState('stuck', `no worker has applied a statement for ${waited} s: are workers running?`);
    this.patienceMs = Math.min(this.patienceMs * 2, PATIENCE_LAST_MS);
    return 'retake';
  }

  private progressed(lead: Lead, progress: LaneProgress): void {
    if (!lead.progressed(progress)) return;
    this.patienceMs = PATIENCE_FIRST_MS;
    if (this.state === 'stuck') this.setState('following', null);
  }

  private async sayNews(lead: Lead, stop: AbortSignal): Promise<TermEnd> {
    while (!stop.aborted) {
      const wait = await this.newsStep(lead);
      if (wait === 'retake') {
        this.history = null;
        while (!this.parts.broker.connected && !stop.aborted) await pause(WINDOW_MS, stop);
        return 'retake';
      }
      if (wait > 0) await this.untilNewHead(wait, stop);
    }
    return 'stopped';
  }

  /** @returns how long to wait before the next step, in milliseconds, or that a statement may be lost. */
  private async newsStep(lead: Lead): Promise<number | 'retake'> {
    const { pollingIntervalMs } = this.parts.config;
    try {
      if (lead.unapplied) {
        const progress = await readProgress(this.parts.database.statements, {
          chainId: this.parts.config.chainId,
          term: lead.term,
        });
        if (progress) this.progressed(lead, progress);
      }
      const step = await this.parts.news.step(lead);
      this.parts.condition.underWay({ statements: lead.unapplied });
      if (step.head) this.head = { number: step.head.number, timestamp: step.head.timestamp };
      if (step.outcome === 'full') return WINDOW_MS;
      if (step.outcome === 'said' && step.replaced) this.noteReorg(step.replaced);
      if (step.outcome === 'paused') this.setState('paused', step.reason);
      else if (this.state !== 'stuck') this.setState('following', this.historyProblem);
      return step.outcome === 'said' ? 0 : pollingIntervalMs;
    } catch (error) {
      this.noteFailure(error);
      // the statement may be lost, and with it every later one of the term: say all again in a new one
      return error instanceof BrokerUnavailable ? 'retake' : pollingIntervalMs;
    }
  }

  private async sayHistory(lead: Lead, history: HistoryLane, stop: AbortSignal): Promise<TermEnd> {
    const { database, config } = this.parts;
    while (!stop.aborted) {
      try {
        const progress = await readProgress(database.statements, {
          chainId: config.chainId,
          term: lead.term,
        });
        if (!progress) return 'lost';
        const sources = await readSources(database.statements, config.chainId);
        // what is recorded as final isn't in the chain: nothing up to there can be called true for ever
        history.plan(lead, sources, this.state === 'halted' ? null : progress.finalizedBlock);
        this.parts.condition.underWay({ ranges: history.outstanding });
      } catch (error) {
        this.noteFailure(error);
      }
      await pause(history.outstanding ? PLAN_MS / 5 : PLAN_MS, stop);
    }
    return 'stopped';
  }

  /** Waits for the next poll, or for the node to tell of a new head if it does so. */
  private async untilNewHead(ms: number, stop: AbortSignal): Promise<void> {
    const heard = new AbortController();
    this.newHead = () => heard.abort();
    await pause(ms, AbortSignal.any([stop, heard.signal]));
    this.newHead = null;
  }

  private noteReorg(depth: number): void {
    this.parts.logger.info(`reorg: ${depth} blocks replaced`);
    this.parts.condition.reorg(depth);
  }

  /** Why history doesn't go on, while news do; null when it does, or nothing was tried of late. */
  private get historyProblem(): string | null {
    return performance.now() - this.historyFailed.at < HISTORY_FAILED_MS ? this.historyFailed.reason : null;
  }

  /** History that waits (endpoints without an archive, say) doesn't keep the chain from being followed: the reason says so. */
  private noteHistoryFailure(error: unknown): void {
    const reason = `the history waits: ${(error as Error).message}`;
    if (this.historyProblem === null) this.parts.logger.warn(reason);
    this.historyFailed = { reason, at: performance.now() };
  }

  private noteFailure(error: unknown): void {
    if (this.stopping) return;
    const { message } = error as Error;
    if (error instanceof RpcUnavailable)
      this.setState(stateAfter(error), reasonOf(error, this.parts.config.chainId));
    else this.parts.logger.warn(message);
  }

  private setState(state: ChainState, reason: string | null): void {
    if (state !== this.state) {
      const say = state === 'following' ? 'info' : 'warn';
      this.parts.logger[say](reason ? `${state}: ${reason}` : state);
    }
    this.state = state;
    this.reason = reason;
    this.parts.condition.is(state, reason);
  }

  private async report(): Promise<void> {
    const { chainId, chainName } = this.parts.config;
    const { holder, state, reason, head } = this;
    const endpoints = this.parts.client.status();
    const report = { chainId, chainName, holder, state, reason, head, endpoints };
    await reportState(this.parts.database.statements, report);
  }

  private leadKey(lead: Lead): { chainId: number; holder: string; term: number } {
    return { chainId: this.parts.config.chainId, holder: this.holder, term: lead.term };
  }
}
