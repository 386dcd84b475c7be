import { type Broker, BrokerUnavailable } from '#libs/broker/broker.js';
import type { ChainClient } from '#libs/chain/chain-client.js';
import type { ChainConfig } from '#libs/config/chain-config.js';
import type { Database } from '#libs/database/database.js';
import { LEASE_SECONDS } from '#libs/database/lease.js';
import {
  type LaneProgress,
  readProgress,
  readSources,
  releaseLease,
  renewLease,
  reportState,
  takeOver,
  type WantedSource,
} from '#libs/database/ledger.js';
import type { Logger } from '#libs/telemetry/logger.js';
import { OutageLog } from '#libs/telemetry/outage-log.js';
import { pause } from '#libs/telemetry/run-process.js';
import type { ChainCondition } from './chain-condition.js';
import { HistoryLane } from './history-lane.js';
import { Lead } from './lead.js';
import type { NewsLane, Step } from './news-lane.js';
import { otherSettings } from './other-settings.js';
import type { Sharing } from './sharing.js';

/** How often the lease is renewed, and a standby looks whether it is free. */
const RENEW_MS = 2_000;
/** How often the ledger is compared with what is wanted. */
const PLAN_MS = 500;
/** How often a leader looks whether its window has room again. */
const WINDOW_MS = 50;
/** Patience with statements that nobody applies, before the leader takes over from itself: doubling from first to last. */
const PATIENCE_FIRST_MS = 10_000;
const PATIENCE_LAST_MS = 60_000;
/** Waits before a broker that refused a statement gets the next one, doubling from first to last. */
const REFUSED_FIRST_MS = 250;
const REFUSED_LAST_MS = 10_000;

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
  readonly sharing: Sharing;
}

/** Why a term ended. */
type TermEnd = 'stopped' | 'lost' | 'retake';

/** Follows one chain: leads it while it holds the lease, stands by otherwise (DESIGN §3.2). */
export class ChainFollower {
  private patienceMs = PATIENCE_FIRST_MS;
  private refusedMs = REFUSED_FIRST_MS;
  private newHead: (() => void) | null = null;
  /** Of the database, as a rule. */
  private readonly outage: OutageLog;
  private stopping = false;
  /** Outlives the terms of this process: history is true for ever. Null: what was under way may be lost, begin anew. */
  private history: HistoryLane | null = null;

  constructor(private readonly parts: FollowerParts) {
    this.outage = new OutageLog(parts.logger, 'going on');
    parts.condition.publishesTo(parts.broker);
  }

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
        if (end !== 'retake') this.parts.condition.forgetStalls();
        end = lead ? await this.leadUntil(lead, stop) : await this.standBy(stop);
      } catch (error) {
        this.outage.failed(`waiting: ${(error as Error).message}`);
        await pause(RENEW_MS, stop);
      }
    }
    unsubscribe?.();
    if (lead) await releaseLease(this.parts.database.statements, this.leadKey(lead)).catch(() => {});
  }

  private async tryTakeOver(own: Lead | null): Promise<Lead | null> {
    const { config, sources, database, broker, logger, sharing } = this.parts;
    const taken = await takeOver(database, {
      chainId: config.chainId,
      chainName: config.chainName,
      holder: sharing.process,
      sources,
      ownTerm: own?.term,
    });
    this.outage.ended();
    if (!taken) return null;
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
    const { database, config, sources, condition } = this.parts;
    condition.standsBy(otherSettings(sources, await readSources(database.statements, config.chainId)));
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
    const end = await Promise.race(parts).finally(() => term.abort());
    await Promise.allSettled(parts);
    this.parts.condition.leads(false);
    if (end === 'lost') {
      this.history = null;
      const { logger, sharing, config } = this.parts;
      const level = sharing.wasOffered(config.chainId) ? 'info' : 'warn';
      logger[level](`no longer leading: term ${lead.term} is over`);
    }
    return stop.aborted ? 'stopped' : end;
  }

  private newHistory(): HistoryLane {
    const { client, broker, config, condition, database } = this.parts;
    return new HistoryLane(
      { client, broker, events: database.events, batchSize: config.batchSize },
      { said: () => condition.historySaid(), failed: (error) => condition.historyFailed(error) },
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
        this.parts.condition.stalls.finalIs(progress.finalizedBlock);
        await this.parts.condition.stalls.lookForWorkers(this.parts.broker, this.parts.config.chainId);
        await this.report(lead);
        this.outage.ended();
      } catch (error) {
        this.noteFailure(error);
      }
      this.parts.condition.tell();
      if (performance.now() - renewed > LEASE_SECONDS * 1_000) return 'lost';
      if (lead.waitedMs > this.patienceMs && this.parts.broker.trouble === null) return this.losePatience();
      await pause(RENEW_MS, stop);
    }
    return 'stopped';
  }

  /** Statements were lost, or no worker applies them: say everything again in a new term, and be more patient then. */
  private losePatience(): TermEnd {
    this.patienceMs = Math.min(this.patienceMs * 2, PATIENCE_LAST_MS);
    return 'retake';
  }

  private progressed(lead: Lead, progress: LaneProgress): void {
    if (!lead.progressed(progress)) return;
    this.patienceMs = PATIENCE_FIRST_MS;
    this.refusedMs = REFUSED_FIRST_MS;
    this.parts.condition.stalls.newsStored(lead.unapplied);
  }

  private async sayNews(lead: Lead, stop: AbortSignal): Promise<TermEnd> {
    while (!stop.aborted) {
      const wait = await this.newsStep(lead);
      if (wait === 'retake') {
        await this.untilPublishable(stop);
        return 'retake';
      }
      if (wait > 0) await this.untilNewHead(wait, stop);
    }
    return 'stopped';
  }

  /** A broker that is away may come back without its queues; one that refuses isn't asked in a loop. */
  private async untilPublishable(stop: AbortSignal): Promise<void> {
    const { broker } = this.parts;
    if (broker.trouble !== null) this.history = null;
    await pause(this.refusedMs, stop);
    this.refusedMs = Math.min(this.refusedMs * 2, REFUSED_LAST_MS);
    while (broker.trouble !== null && !stop.aborted) await pause(WINDOW_MS, stop);
  }

  /** @returns how long to wait before the next step, in milliseconds, or that a statement may be lost. */
  private async newsStep(lead: Lead): Promise<number | 'retake'> {
    const { news, config } = this.parts;
    try {
      await this.readNewsProgress(lead);
      const step = await news.step(lead);
      this.noteStep(lead, step);
      if (step.outcome === 'full') return WINDOW_MS;
      return step.outcome === 'said' ? 0 : config.pollingIntervalMs;
    } catch (error) {
      const isKnown = this.noteFailure(error);
      // the statement may be lost, and with it every later one of the term: say all again in a new one
      if (error instanceof BrokerUnavailable) return 'retake';
      return isKnown ? config.pollingIntervalMs : Math.max(RENEW_MS, config.pollingIntervalMs);
    }
  }

  private async readNewsProgress(lead: Lead): Promise<void> {
    if (!lead.unapplied) return;
    const { database, config } = this.parts;
    const key = { chainId: config.chainId, term: lead.term };
    const progress = await readProgress(database.statements, key);
    if (progress) this.progressed(lead, progress);
  }

  private noteStep(lead: Lead, step: Step): void {
    const { condition } = this.parts;
    condition.underWay({ statements: lead.unapplied });
    condition.stalls.newsWait(lead.unapplied);
    if (step.outcome === 'full') return;
    const { head, final } = step;
    lead.chainHead = { number: head.number, timestamp: head.timestamp };
    condition.stalls.sawChain(head.number, final);
    if (step.outcome === 'idle' && !lead.unapplied) condition.stalls.newsIdle();
    if (step.outcome === 'said' && step.replaced) condition.reorg(step.replaced);
    if (step.outcome === 'paused') condition.found('paused', step.reason);
    else condition.found('following');
  }

  private async sayHistory(lead: Lead, history: HistoryLane, stop: AbortSignal): Promise<TermEnd> {
    const { database, config, condition } = this.parts;
    while (!stop.aborted) {
      let wait = history.outstanding ? PLAN_MS / 5 : PLAN_MS;
      try {
        const progress = await readProgress(database.statements, {
          chainId: config.chainId,
          term: lead.term,
        });
        if (!progress) return 'lost';
        const sources = await readSources(database.statements, config.chainId);
        // what is recorded as final isn't in the chain: nothing up to there can be called true for ever
        const isHalted = condition.current.state === 'halted';
        history.plan(lead, sources, isHalted ? null : progress.finalizedBlock);
        condition.underWay({ ranges: history.outstanding });
        condition.stalls.historyWaits(history.published, history.waitedMs);
      } catch (error) {
        this.noteFailure(error);
        wait = RENEW_MS;
      }
      await pause(wait, stop);
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

  /** @returns whether it was the RPC's or the broker's; any other one is waited out, too. */
  private noteFailure(error: unknown): boolean {
    if (this.stopping || this.parts.condition.failed(error)) return true;
    this.outage.failed((error as Error).message);
    return false;
  }

  private async report(lead: Lead): Promise<void> {
    const { chainId, chainName } = this.parts.config;
    const { condition, client, sharing, database } = this.parts;
    const report = { chainId, chainName, holder: sharing.process, head: lead.chainHead };
    const found = { ...condition.current, endpoints: client.status() };
    await reportState(database.statements, { ...report, ...found });
  }

  private leadKey(lead: Lead): { chainId: number; holder: string; term: number } {
    return { chainId: this.parts.config.chainId, holder: this.parts.sharing.process, term: lead.term };
  }
}
