import { type Condition, conditionMatcher, type Row } from '#libs/database/condition.js';
import type { Database } from '#libs/database/database.js';
import {
  type FeedEntry,
  finalityAsOf,
  isStored,
  type RowKey,
  rowKey,
  rowsOfFinality,
  rowsOfWrite,
} from '#libs/database/feed-log.js';
import type { EventDefinition } from '#libs/events/event.js';
import type { FeedPlace } from '../reads/cursors.js';
import { ChangeType } from '../reads/event-node.js';
import { type CommitFeed, PlaceExpired } from './commit-feed.js';
import type { EntryRows } from './kept-entries.js';

/** An empty message tells the place when nothing was told for this long: the client sees life, and resuming stays cheap. */
export const WATERMARK_MS = 4_000;
/** Rows read at a time of an entry that isn't kept in memory. */
export const ROWS_PER_PAGE = 500;

/** What is read, wherever one begins: equal selections have equal changes. */
export interface ChangesSelection {
  /** Id of the ledger that is read. */
  readonly epoch: string;
  readonly event: EventDefinition;
  readonly condition: Condition;
  /** Only events that are final, each once, when it becomes so; and removals of those that a repair takes back. */
  readonly finalizedOnly: boolean;
  readonly includeHistory: boolean;
  readonly batchSize: number;
}

/** What changes are read from. */
export interface ChangesParts {
  readonly feed: CommitFeed;
  readonly database: Database;
}

/** One change of one row. */
interface RowChange {
  readonly type: ChangeType;
  readonly row: Row;
}

/** Changes in commit order, and the place behind them; none: a watermark. */
export interface ChangesBatch {
  readonly place: FeedPlace;
  readonly changes: readonly RowChange[];
  /** Moment of the commit of the newest of them. */
  readonly committedAt: Date;
}

/** Reads the changes of a selection from a place on. Pulled: nothing is read ahead of what is taken, but for one page. */
export class ChangesReader {
  private readonly matches: (row: Row) => boolean;
  /** Finality by chain as of `place`, as far as it was asked for. */
  private readonly finality = new Map<number, number | null>();
  private committedAt = new Date(0);
  private toldAt = performance.now();

  /** @param ended aborted when nobody wants more. */
  constructor(
    private readonly parts: ChangesParts,
    private readonly selection: ChangesSelection,
    public place: FeedPlace,
    private readonly ended: AbortSignal,
  ) {
    this.matches = conditionMatcher(selection.condition, () => false);
  }

  /** Milliseconds until a watermark is due. */
  get patienceMs(): number {
    return Math.max(0, this.toldAt + WATERMARK_MS - performance.now());
  }

  /** The place without changes. */
  watermark(): ChangesBatch {
    return this.batch([]);
  }

  /** Goes on behind a place that was told by another reader of the same selection. */
  moveTo(place: FeedPlace): void {
    // what was said of finality between isn't known here
    if (place.position !== this.place.position) this.finality.clear();
    this.place = place;
    this.toldAt = performance.now();
  }

  /**
   * Some of the entries that are readable now, in batches, up to a place at most, which is then this one's, exactly.
   * @throws PlaceExpired, EventMoved
   */
  async *readSome(until: FeedPlace | null): AsyncGenerator<ChangesBatch> {
    const pending: RowChange[] = [];
    const entries = await this.parts.feed.after(this.place.position);
    // later ones may speak of rows that this build doesn't know
    await this.assertHere();
    for (const read of entries) {
      const { entry } = read;
      if (until && comparePlaces({ position: entry.position - 1, key: null }, until) >= 0) break;
      yield* this.readEntry(read, until, pending);
      if (this.ended.aborted) return;
      const end = { position: entry.position, key: null };
      this.place = until && comparePlaces(end, until) > 0 ? until : end;
    }
    if (pending.length) yield this.batch(pending);
  }

  /** What an entry says from the place on. @param pending what is to be told with it; what is left of it is told later. */
  private async *readEntry(
    read: EntryRows,
    until: FeedPlace | null,
    pending: RowChange[],
  ): AsyncGenerator<ChangesBatch> {
    const { entry } = read;
    this.committedAt = entry.committedAt;
    const final = await this.finalityAt(entry);
    for await (const row of this.rowsOf(read)) {
      const here = { position: entry.position - 1, key: rowKey(row) };
      if (this.ended.aborted || (until && comparePlaces(here, until) > 0)) return;
      this.place = here;
      const change = this.changeOf(row, entry, final);
      if (change) pending.push(change);
      if (pending.length < this.selection.batchSize && this.patienceMs > 0) continue;
      yield this.batch(pending.splice(0));
      // the time that the consumer took is no silence of ours
      this.toldAt = performance.now();
    }
  }

  private batch(changes: readonly RowChange[]): ChangesBatch {
    this.toldAt = performance.now();
    return { place: this.place, changes, committedAt: this.committedAt };
  }

  /** The rows that an entry speaks of, from the place on. */
  private async *rowsOf(read: EntryRows): AsyncGenerator<Row> {
    const { entry } = read;
    if (!this.concerns(entry)) return;
    const after = this.place.key;
    const kept = await read.rows(this.selection.event);
    if (kept) await this.assertHere();
    yield* kept ? behind(kept, after) : this.pages(entry, after);
  }

  /** Checks that what was read of entries, and of rows, is all that there is. */
  private assertHere(): Promise<void> {
    const { database } = this.parts;
    return database.events.assertHere(database.statements, this.selection.event);
  }

  private concerns(entry: FeedEntry): boolean {
    const { event, finalizedOnly } = this.selection;
    if (entry.kind === 'finality') return finalizedOnly;
    return this.parts.database.events.namesOf(event).includes(entry.event);
  }

  /** Finality as of an entry, where it matters: a row that is touched at a write may be final already. */
  private async finalityAt(entry: FeedEntry): Promise<number | null> {
    const { chainId, position } = entry;
    if (!this.selection.finalizedOnly) return null;
    if (entry.kind === 'finality') this.finality.set(chainId, entry.to);
    else if (this.concerns(entry) && !this.finality.has(chainId)) {
      const known = await finalityAsOf(this.parts.database.statements, chainId, position);
      if (!known) throw new PlaceExpired(position);
      this.finality.set(chainId, known.block);
    }
    return this.finality.get(chainId) ?? null;
  }

  private async *pages(entry: FeedEntry, from: RowKey | null): AsyncGenerator<Row> {
    const { statements } = this.parts.database;
    const { event } = this.selection;
    for (let after = from; ; ) {
      const page =
        entry.kind === 'write'
          ? await rowsOfWrite(statements, event, entry, after, ROWS_PER_PAGE)
          : await rowsOfFinality(statements, event, entry, after, ROWS_PER_PAGE);
      // a row of a later entry counts as one of an earlier once that entry is pruned: then this one was pruned before
      if (entry.kind === 'finality' && page.length && !(await isStored(statements, entry.position)))
        throw new PlaceExpired(entry.position);
      await this.assertHere();
      yield* page;
      if (page.length < ROWS_PER_PAGE || this.ended.aborted) return;
      after = rowKey(page.at(-1)!);
    }
  }

  private changeOf(row: Row, entry: FeedEntry, final: number | null): RowChange | null {
    const { event, finalizedOnly, includeHistory } = this.selection;
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

/** Which place comes first: below 0, the first one; 0: they are the same. */
export function comparePlaces(a: FeedPlace, b: FeedPlace): number {
  if (a.position !== b.position) return a.position - b.position;
  if (!a.key || !b.key) return Number(a.key !== null) - Number(b.key !== null);
  return compareKeys(a.key, b.key);
}

function compareKeys(a: RowKey, b: RowKey): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2] || (a[3] < b[3] ? -1 : a[3] > b[3] ? 1 : 0);
}
