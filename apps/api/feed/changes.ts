import { type Condition, conditionMatcher, type Row } from '#libs/database/condition.js';
import type { Database } from '#libs/database/database.js';
import {
  type FeedEntry,
  finalityAsOf,
  type RowKey,
  rowKey,
  rowsOfFinality,
  rowsOfWrite,
} from '#libs/database/feed-log.js';
import type { EventDefinition } from '#libs/events/event.js';
import { apiMetrics } from '#libs/telemetry/metrics.js';
import type { FeedPlace } from '../reads/cursors.js';
import { ChangeType } from '../reads/event-node.js';
import type { CommitFeed } from './commit-feed.js';

/** An empty message tells the place at least this often while positions pass without a change for the subscriber. */
const WATERMARK_MS = 5_000;
/** Rows read at a time of an entry that isn't kept in memory. */
const ROWS_PER_PAGE = 500;

/** What a subscriber wants. */
export interface ChangesRequest {
  readonly event: EventDefinition;
  readonly condition: Condition;
  /** Only events that are final, each once, when it becomes so; and removals of those that a repair takes back. */
  readonly finalizedOnly: boolean;
  readonly includeHistory: boolean;
  readonly batchSize: number;
  readonly since: FeedPlace;
  /** Id of the ledger that `since` is of. */
  readonly epoch: string;
  /** Aborted when the subscriber has gone. */
  readonly ended: AbortSignal;
}

/** One change of one row. */
interface RowChange {
  readonly type: ChangeType;
  readonly row: Row;
}

/** Changes in commit order, and the place behind them. */
export interface ChangesBatch {
  readonly place: FeedPlace;
  readonly changes: readonly RowChange[];
}

/**
 * The changes behind a place, until the subscriber or the server ends it, or the ledger is another: what is stored first, then
 * what comes (DESIGN §3.4). Pulled: nothing is read ahead of what the subscriber takes, so that a slow one costs no memory.
 */
export async function* changesSince(
  parts: { feed: CommitFeed; database: Database },
  request: ChangesRequest,
): AsyncGenerator<ChangesBatch> {
  const event = request.event.name;
  apiMetrics.subscribers.inc({ event });
  try {
    yield* batchesSince(parts, request);
  } finally {
    apiMetrics.subscribers.dec({ event });
  }
}

async function* batchesSince(
  parts: { feed: CommitFeed; database: Database },
  request: ChangesRequest,
): AsyncGenerator<ChangesBatch> {
  const reader = new ChangesReader(parts, request);
  const event = request.event.name;
  // replayed changes are as old as they are; only what comes once the subscriber has caught up tells the delay
  let live = false;
  // the place at once, so that a client that is cut off before the first change can come back
  yield { place: reader.place, changes: [] };
  let said = performance.now();
  while (!parts.feed.isClosed && !request.ended.aborted && parts.feed.isOf(request.epoch)) {
    const before = reader.place.position;
    for await (const batch of reader.readSome()) {
      apiMetrics.changesPushed.inc({ event }, batch.changes.length);
      if (live) apiMetrics.commitToPush.observe({ event }, reader.ageSeconds);
      yield batch;
      said = performance.now();
    }
    if (reader.place.position === before) {
      live = true;
      await parts.feed.until(before, WATERMARK_MS, request.ended);
    }
    if (reader.moved && performance.now() - said >= WATERMARK_MS) {
      yield reader.watermark();
      said = performance.now();
    }
  }
}

class ChangesReader {
  place: FeedPlace;
  /** Whether the place has moved since it was last told. */
  moved = false;
  private readonly matches: (row: Row) => boolean;
  private committedAt = new Date();

  constructor(
    private readonly parts: { feed: CommitFeed; database: Database },
    private readonly request: ChangesRequest,
  ) {
    this.place = request.since;
    this.matches = conditionMatcher(request.condition, () => false);
  }

  /** Time since the commit of the entry that was read last; never negative, clocks differ. */
  get ageSeconds(): number {
    return Math.max(0, (Date.now() - this.committedAt.getTime()) / 1_000);
  }

  watermark(): ChangesBatch {
    this.moved = false;
    return { place: this.place, changes: [] };
  }

  /** Some of the entries that are readable now, in batches. */
  async *readSome(): AsyncGenerator<ChangesBatch> {
    let pending: RowChange[] = [];
    for (const { entry, rows } of await this.parts.feed.after(this.place.position)) {
      this.committedAt = entry.committedAt;
      const final = await this.finalityAt(entry);
      for await (const row of this.rowsOf(entry, rows)) {
        this.move({ position: entry.position - 1, key: rowKey(row) });
        const change = this.changeOf(row, entry, final);
        if (change) pending.push(change);
        if (pending.length >= this.request.batchSize) {
          yield this.batch(pending);
          pending = [];
        }
      }
      this.move({ position: entry.position, key: null });
    }
    if (pending.length) yield this.batch(pending);
  }

  private move(place: FeedPlace): void {
    this.place = place;
    this.moved = true;
  }

  private batch(changes: readonly RowChange[]): ChangesBatch {
    this.moved = false;
    return { place: this.place, changes };
  }

  /** The rows that an entry speaks of, from the place on. */
  private async *rowsOf(entry: FeedEntry, kept: readonly Row[] | null): AsyncGenerator<Row> {
    if (!this.concerns(entry)) return;
    const after = this.place.key;
    yield* kept ? behind(kept, after) : this.pages(entry, after);
  }

  private concerns(entry: FeedEntry): boolean {
    const { event, finalizedOnly } = this.request;
    return entry.kind === 'finality' ? finalizedOnly : entry.event === event.name;
  }

  /** Finality as of an entry, where it matters: a row that is touched at a write may be final already. */
  private async finalityAt(entry: FeedEntry): Promise<number | null> {
    if (!this.request.finalizedOnly || entry.kind !== 'write' || !this.concerns(entry)) return null;
    return finalityAsOf(this.parts.database.statements, entry.chainId, entry.position);
  }

  private async *pages(entry: FeedEntry, from: RowKey | null): AsyncGenerator<Row> {
    const { statements } = this.parts.database;
    const { event } = this.request;
    for (let after = from; ; ) {
      const page =
        entry.kind === 'write'
          ? await rowsOfWrite(statements, event, entry, after, ROWS_PER_PAGE)
          : await rowsOfFinality(statements, event, entry, after, ROWS_PER_PAGE);
      yield* page;
      if (page.length < ROWS_PER_PAGE) return;
      after = rowKey(page.at(-1)!);
    }
  }

  private changeOf(row: Row, entry: FeedEntry, final: number | null): RowChange | null {
    const { event, finalizedOnly, includeHistory } = this.request;
    if (!includeHistory && this.parts.feed.isHistory(event, row)) return null;
    const present = !row.removed && this.matches(row);
    // an earlier version of a row that was touched again may have been told; of a new one there is none to forget
    const removal = (row.revision as number) > 0 ? ({ type: ChangeType.REMOVED, row } as const) : null;
    if (!finalizedOnly) return present ? { type: ChangeType.ADDED, row } : removal;
    // at a write, only what was final as of its position; the rest is told when finality moves
    const isFinal = entry.kind === 'finality' || (final !== null && (row.blockNumber as number) <= final);
    if (present && isFinal) return { type: ChangeType.FINALIZED, row };
    // what is final stays so, unless a repair says otherwise: then any row that leaves the final ones may have been told
    const retracts = entry.kind === 'write' && this.parts.feed.mayTakeBack(entry.chainId, entry.position);
    return retracts ? removal : null;
  }
}

/** Rows behind a key; they are ordered by it. */
function behind(rows: readonly Row[], after: RowKey | null): readonly Row[] {
  return after ? rows.filter((row) => compareKeys(rowKey(row), after) > 0) : rows;
}

function compareKeys(a: RowKey, b: RowKey): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2] || (a[3] < b[3] ? -1 : a[3] > b[3] ? 1 : 0);
}
