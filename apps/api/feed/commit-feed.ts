import { setTimeout as delay } from 'node:timers/promises';
import type { Broker } from '#libs/broker/broker.js';
import type { Row } from '#libs/database/condition.js';
import type { Database } from '#libs/database/database.js';
import { EventMoved } from '#libs/database/event-catalog.js';
import {
  entriesAfter,
  type FeedEntry,
  feedHead,
  liveFromBySource,
  retractedAtByChain,
  rowsOfWrite,
} from '#libs/database/feed-log.js';
import type { EventDefinition } from '#libs/events/event.js';
import type { Logger } from '#libs/telemetry/logger.js';
import { OutageLog } from '#libs/telemetry/outage-log.js';
import { type EntryRows, KEPT_ROWS_PER_ENTRY, KeptEntries, unkept } from './kept-entries.js';
import { Waiting } from './waiting.js';

/** The doorbell may be lost: the feed looks this often anyway. */
const LOOK_MS = 1_000;
/** A feed that has not been read for this long is not live any more. */
const STALE_MS = 15_000;
/** Closing waits this long for what is under way. */
const LAST_LOOK_MS = 2_000;
/** Entries that are read at a time. */
const ENTRIES_PER_READ = 100;

/** What rings when something was committed. */
export type Doorbell = Pick<Broker, 'onRing'>;

/** The commit log doesn't reach back to a place any more (FEED_RETENTION_DAYS). */
export class PlaceExpired extends Error {
  override readonly name = 'PlaceExpired';
  constructor(position: number) {
    super(`position ${position} of the commit log is not kept any more`);
  }
}

/**
 * The commit log as this process has read it. Replay and live are the same reading at different positions, so there is no
 * seam between them: what is kept comes from memory, everything else from Postgres.
 */
export class CommitFeed {
  private lastPosition = 0;
  private currentEpoch = '';
  private readonly kept: KeptEntries;
  private followers = 0;
  private liveFrom = new Map<string, number>();
  private retractedAt = new Map<number, number>();
  private readonly waiting = new Waiting();
  private timer: NodeJS.Timeout | null = null;
  private looking: Promise<void> | null = null;
  private again = false;
  private ringing: Promise<() => Promise<void>> | null = null;
  private closed = false;
  /** When it was read to its end last; null: never yet. */
  private readAt: number | null = null;
  private readonly outage: OutageLog;

  constructor(
    /** What is read with it is read for all: it waits for no client's turn. */
    readonly database: Database,
    private readonly logger: Logger,
  ) {
    this.kept = new KeptEntries(database);
    this.outage = new OutageLog(logger, 'the commit log can be read again');
  }

  /** Why subscribers get no more of what is stored, in words; null while they do, and before the first reading. */
  get problem(): string | null {
    const ms = performance.now() - (this.readAt ?? performance.now());
    return ms < STALE_MS ? null : `the commit log has not been read for ${Math.round(ms / 1_000)} s`;
  }

  /** Begins to listen to the doorbell and to look once a second. Works without a database or a broker until they are there. */
  start(broker: Promise<Doorbell> | Doorbell): void {
    void this.listen(broker).catch((error: Error) => this.logger.warn(`no doorbell: ${error.message}`));
    this.timer = setInterval(() => this.look(), LOOK_MS);
    this.look();
  }

  /** The last position that this process has read. */
  get head(): number {
    return this.lastPosition;
  }

  /** Keeps the rows of what comes for those who follow. @returns a function that ends it. */
  follow(): () => void {
    this.followers++;
    return () => void this.followers--;
  }

  /** Whether the database's ledger is, as far as is known, still this one. */
  isOf(epoch: string): boolean {
    return this.currentEpoch === '' || this.currentEpoch === epoch;
  }

  /** Waits until there is something behind `position`, at most for a time, or until the signal is aborted. */
  async until(position: number, ms: number, ended: AbortSignal): Promise<void> {
    if (this.head > position || this.closed || ended.aborted) return;
    await this.waiting.until(ms, ended);
  }

  /**
   * Some entries behind a position, in order and without a hole, with their rows where they are kept. None that this process
   * hasn't looked at yet, so that what it knows of sources (`isHistory`) is never older than what it tells.
   * @throws PlaceExpired when the next one isn't stored any more.
   */
  async after(position: number): Promise<EntryRows[]> {
    const found: EntryRows[] = [];
    for (let p = position + 1; this.kept.get(p) && found.length < ENTRIES_PER_READ; p++)
      found.push(this.kept.get(p)!);
    const { head } = this;
    if (found.length || position >= head) return found;
    const entries = await entriesAfter(this.database.statements, position, ENTRIES_PER_READ);
    // positions are dense: a hole is what was pruned, and what stands before it is kept for finality only
    const whole = entries.filter((entry, i) => entry.position === position + 1 + i);
    if (!whole.length && position < this.head) throw new PlaceExpired(position);
    return whole.filter((entry) => entry.position <= head).map(unkept);
  }

  /** Whether a row is history: below the block at which its source's news began. */
  isHistory(event: EventDefinition, row: Row): boolean {
    const from = this.database.events
      .namesOf(event)
      .map((name) => this.liveFrom.get(`${row.chainId} ${row.address} ${name}`))
      .find((block) => block !== undefined);
    return from === undefined || (row.blockNumber as number) < from;
  }

  /** Whether events of the chain that were told as final may be taken back at a position, since a repair came before it. */
  mayTakeBack(chainId: number, position: number): boolean {
    return position >= (this.retractedAt.get(chainId) ?? Number.POSITIVE_INFINITY);
  }

  get isClosed(): boolean {
    return this.closed;
  }

  /** Ends all waiting; subscribers see `isClosed`. */
  async close(): Promise<void> {
    this.closed = true;
    if (this.timer) clearInterval(this.timer);
    this.waiting.wake();
    const deaf = this.ringing?.then((stop) => stop()).catch(() => {});
    // a database that hangs, or a broker that died, must not hold the process up
    await Promise.race([Promise.all([deaf, this.looking]), delay(LAST_LOOK_MS, undefined, { ref: false })]);
  }

  private async listen(arriving: Promise<Doorbell> | Doorbell): Promise<void> {
    const broker = await arriving;
    if (this.closed) return;
    this.ringing = broker.onRing((position) => {
      if (position > this.head) this.look();
    });
    await this.ringing;
  }

  /** Reads what is new; a ring during that makes it read once more. */
  private look(): void {
    if (this.looking) {
      this.again = true;
      return;
    }
    this.looking = this.refresh()
      .then(() => {
        this.readAt = performance.now();
        this.outage.ended();
      })
      .catch((error: Error) => this.outage.failed(`the commit log can't be read: ${error.message}`))
      .finally(() => {
        this.looking = null;
        if (this.again && !this.closed) {
          this.again = false;
          this.look();
        }
      });
  }

  private async refresh(): Promise<void> {
    const { statements } = this.database;
    const { position, epoch } = await feedHead(statements);
    if (epoch !== this.currentEpoch || position < this.head) this.forget(epoch, position);
    if (position === this.head) return;
    this.liveFrom = await liveFromBySource(statements);
    this.retractedAt = await retractedAtByChain(statements);
    // only the newest are worth keeping; subscribers that are further behind read for themselves
    const first = Math.max(this.head, position - KeptEntries.MOST);
    for (let at = first; at < position; ) {
      const entries = await entriesAfter(statements, at, Math.min(ENTRIES_PER_READ, position - at));
      for (const entry of entries) await this.keep(entry);
      // none: all of them were pruned
      at = entries.at(-1)?.position ?? position;
      this.advance(at);
    }
  }

  private async keep(entry: FeedEntry): Promise<void> {
    if (entry.kind === 'finality') this.kept.addFinality(entry);
    else this.kept.addWrite(entry, await this.rowsToKeep(entry));
  }

  private async rowsToKeep(entry: FeedEntry & { kind: 'write' }): Promise<readonly Row[] | null> {
    if (!this.followers) return null;
    const { statements, events } = this.database;
    const event = events.byName(entry.event);
    if (!event) return [];
    try {
      await events.assertHere(statements, event);
      const rows = await rowsOfWrite(statements, event, entry, null, KEPT_ROWS_PER_ENTRY + 1);
      await events.assertHere(statements, event);
      return rows.length > KEPT_ROWS_PER_ENTRY ? null : rows;
    } catch (error) {
      // told to those who want them; the others go on
      if (error instanceof EventMoved) return null;
      throw error;
    }
  }

  private advance(position: number): void {
    this.lastPosition = position;
    this.waiting.wake();
  }

  private forget(epoch: string, position: number): void {
    this.kept.clear();
    this.currentEpoch = epoch;
    this.advance(Math.max(0, position - KeptEntries.MOST));
  }
}
