import type { Broker } from '#libs/broker/broker.js';
import { type FinalStatement, MESSAGE_TARGET_BYTES } from '#libs/broker/messages.js';
import type { ChainClient } from '#libs/chain/chain-client.js';
import type { EventCatalog } from '#libs/database/event-catalog.js';
import type { LedgerSource } from '#libs/database/ledger.js';
import type { ChainLog } from '#libs/events/log.js';
import { type PlannedRange, planHistory, subtract } from './history-plan.js';
import type { Lead } from './lead.js';

/** Ranges that are published and not yet stored, at most: flow control from end to end (DESIGN §3.3). */
const OUTSTANDING = 32;
/** Requests for logs in flight at a time. */
const CONCURRENT = 4;
/** After a failure nothing new is fetched for this long, doubling from the first to the last until a range is published. */
const REST_FIRST_MS = 1_000;
const REST_LAST_MS = 10_000;
/**
 * A range that isn't stored after the first of these is fetched and published again if the queue is empty: then it is lost, or in
 * the hands of a worker that hangs. While messages wait in the queue it is only after ever longer, up to the last, as long as
 * nothing is stored: without workers the queue must not fill with the same ranges.
 */
const PATIENCE_FIRST_MS = 60_000;
const PATIENCE_LAST_MS = 3_600_000;
/** How often an overdue range makes us look whether the queue is empty. */
const LOOK_MS = 30_000;

interface Flight extends PlannedRange {
  /** When its last piece was confirmed by the broker; null while it is being fetched. */
  publishedAt: number | null;
}

/** Hears what becomes of each range. */
export interface HistoryListener {
  /** It is published. */
  said(): void;
  /** It could not be fetched or published; it is tried again. */
  failed(error: unknown): void;
}

/** States a chain's history: whatever the ledger lacks at or below finality. */
export class HistoryLane {
  private readonly flights = new Set<Flight>();
  private rest = { until: 0, nextMs: REST_FIRST_MS };
  private patienceMs = PATIENCE_FIRST_MS;
  /** When published ranges began to wait, or one was stored last; null while none waits. */
  private waitingSince: number | null = null;
  private looked = { at: Number.NEGATIVE_INFINITY, empty: false };

  constructor(
    private readonly parts: {
      client: ChainClient;
      broker: Broker;
      events: EventCatalog;
      batchSize: number;
    },
    private readonly listener: HistoryListener,
  ) {}

  /** Ranges that are published and not yet stored. */
  get published(): number {
    return [...this.flights].filter((flight) => flight.publishedAt !== null).length;
  }

  /** For how long published ranges have waited and none was stored, in milliseconds; 0 when none waits. */
  get waitedMs(): number {
    return this.waitingSince === null ? 0 : performance.now() - this.waitingSince;
  }

  /** Ranges that are being fetched, or published and not yet stored. */
  get outstanding(): number {
    return this.flights.size;
  }

  /**
   * Compares the ledger with what is wanted and starts what is missing, within the bounds; returns at once.
   * @param upTo recorded finality.
   */
  plan(lead: Lead, sources: readonly LedgerSource[], upTo: number | null): void {
    this.land(sources);
    // what can't be published needn't be fetched
    if (this.parts.broker.trouble !== null) return;
    const fetching = [...this.flights].filter((f) => f.publishedAt === null).length;
    const room = Math.min(OUTSTANDING - this.flights.size, CONCURRENT - fetching);
    if (room <= 0 || performance.now() < this.rest.until) return;
    for (const range of planHistory(sources, [...this.flights], upTo, this.parts.batchSize, room)) {
      void this.fly(lead, range);
    }
  }

  /** Forgets the ranges that are stored, and those that have waited too long: they are missing again. */
  private land(sources: readonly LedgerSource[]): void {
    const published = [...this.flights].filter((flight) => flight.publishedAt !== null);
    const stored = published.filter((flight) => isStored(flight, sources));
    const now = performance.now();
    const expired = published.filter((flight) => now - flight.publishedAt! > this.patienceWith(flight));
    for (const flight of [...stored, ...expired]) this.flights.delete(flight);
    if (stored.length) this.patienceMs = PATIENCE_FIRST_MS;
    else if (expired.length) this.patienceMs = Math.min(this.patienceMs * 2, PATIENCE_LAST_MS);
    if (stored.length) this.waitingSince = now;
    if (!this.flights.size) this.waitingSince = null;
    if (published.some((flight) => now - flight.publishedAt! > PATIENCE_FIRST_MS)) void this.lookAtQueue();
  }

  /** A look at an empty queue speaks of the ranges that were overdue at that time. */
  private patienceWith({ publishedAt }: Flight): number {
    const { at, empty } = this.looked;
    return empty && at - publishedAt! > PATIENCE_FIRST_MS ? PATIENCE_FIRST_MS : this.patienceMs;
  }

  private async lookAtQueue(): Promise<void> {
    if (performance.now() - this.looked.at < LOOK_MS) return;
    this.looked = { at: performance.now(), empty: false };
    // what a worker passed on is not lost
    const queues = [{ lane: 'history' }, { lane: 'delayed' }] as const;
    const depths = await Promise.all(queues.map((queue) => this.parts.broker.depth(queue))).catch(() => null);
    this.looked = { ...this.looked, empty: depths?.every((depth) => depth === 0) ?? false };
  }

  private async fly(lead: Lead, range: PlannedRange): Promise<void> {
    const flight: Flight = { ...range, publishedAt: null };
    this.flights.add(flight);
    try {
      for (let from = range.from; from <= range.to; ) from = await this.fetchAndPublish(lead, range, from);
      flight.publishedAt = performance.now();
      this.waitingSince ??= performance.now();
      this.rest.nextMs = REST_FIRST_MS;
      this.listener.said();
    } catch (error) {
      // nothing is counted as covered: the next plan finds what is missing
      this.flights.delete(flight);
      this.restAfterFailure();
      this.listener.failed(error);
    }
  }

  /** Ranges that were under way together fail together. */
  private restAfterFailure(): void {
    const { until, nextMs } = this.rest;
    if (performance.now() < until) return;
    this.rest = { until: performance.now() + nextMs, nextMs: Math.min(nextMs * 2, REST_LAST_MS) };
  }

  /** Fetches as many blocks from `from` on as the endpoint allows. @returns the block after them. */
  private async fetchAndPublish(lead: Lead, range: PlannedRange, from: number): Promise<number> {
    const { events } = this.parts;
    const filter = events.filterOf(range.sources);
    // what is said here is true for ever: an endpoint of a fork, or of a dead branch, must not answer it
    const anchor = lead.final ? ({ ...lead.final, otherwise: 'other_final_block' } as const) : undefined;
    const { to, logs } = await this.parts.client.use(
      (endpoint) => endpoint.logsFrom(from, range.to, filter, anchor),
      { from },
    );
    for (const piece of piecesOfRange(from, to, logs.filter(events.isOf(range.sources)))) {
      const statement: FinalStatement = {
        ...lead.head,
        kind: 'final',
        term: lead.term,
        sources: [...range.sources].map(({ address, event }) => ({ address, event })),
        from: piece.from,
        to: piece.to,
        logs: piece.logs.map((log) => ({ ...log, topics: [...log.topics] })),
      };
      await this.parts.broker.publish({ lane: 'history' }, statement);
    }
    return to + 1;
  }
}

/** Whether a range is stored for its sources; one that nobody wants any more needn't be. */
function isStored(range: PlannedRange, sources: readonly LedgerSource[]): boolean {
  return range.sources.every(({ address, event }) => {
    const source = sources.find((s) => s.address === address && s.event === event);
    return !source || !subtract([[range.from, range.to + 1]], source.coverage).length;
  });
}

/** A range in pieces whose logs make about one message each; a block is never split. Logs come ordered by block. */
function piecesOfRange(
  from: number,
  to: number,
  logs: readonly ChainLog[],
): { from: number; to: number; logs: ChainLog[] }[] {
  const pieces: { from: number; to: number; logs: ChainLog[] }[] = [{ from, to, logs: [] }];
  let bytes = 0;
  for (const log of logs) {
    const size = JSON.stringify(log).length;
    const piece = pieces.at(-1)!;
    const lastBlock = piece.logs.at(-1)?.blockNumber;
    if (bytes + size > MESSAGE_TARGET_BYTES && lastBlock !== undefined && lastBlock !== log.blockNumber) {
      piece.to = log.blockNumber - 1;
      pieces.push({ from: log.blockNumber, to, logs: [log] });
      bytes = size;
    } else {
      piece.logs.push(log);
      bytes += size;
    }
  }
  return pieces;
}
