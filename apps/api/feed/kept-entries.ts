import type { Row } from '#libs/database/condition.js';
import type { Database } from '#libs/database/database.js';
import { type FeedEntry, isStored, rowsOfFinality } from '#libs/database/feed-log.js';
import type { EventDefinition } from '#libs/events/event.js';

const KEPT_ENTRIES = 500;
/** Rows of one entry that are kept for all; larger entries are read by each reader in pages. */
export const KEPT_ROWS_PER_ENTRY = 500;
const KEPT_ROWS = 20_000;

/** An entry with its rows, read once per process. */
export interface EntryRows {
  readonly entry: FeedEntry;
  /** Its rows of an event; null when they are too many to keep, or not read: the reader has to read them itself. */
  rows(event: EventDefinition): readonly Row[] | null | Promise<readonly Row[] | null>;
}

/** An entry whose rows nobody keeps. */
export function unkept(entry: FeedEntry): EntryRows {
  return { entry, rows: () => null };
}

/** The newest entries, with their rows, within bounds. */
export class KeptEntries {
  private readonly entries = new Map<number, EntryRows & { size: number }>();
  private size = 0;

  constructor(private readonly database: Database) {}

  /** How far back it is worth reading. */
  static readonly MOST = KEPT_ENTRIES;

  get(position: number): EntryRows | undefined {
    return this.entries.get(position);
  }

  /** Keeps a write and its rows, if they are not too many. */
  addWrite(entry: FeedEntry, rows: readonly Row[] | null): void {
    this.add({ entry, size: rows?.length ?? 0, rows: () => rows });
  }

  /** Keeps a move of finality; its rows are read once for all when somebody wants them. */
  addFinality(entry: FeedEntry & { kind: 'finality' }): void {
    const read = new Map<string, Promise<readonly Row[] | null>>();
    const kept = {
      entry,
      size: 0,
      rows: (event: EventDefinition) => {
        const known = read.get(event.name);
        if (known) return known;
        const rows = this.readFinal(kept, event);
        read.set(event.name, rows);
        rows.catch(() => read.delete(event.name));
        return rows;
      },
    };
    this.add(kept);
  }

  clear(): void {
    this.entries.clear();
    this.size = 0;
  }

  private async readFinal(
    kept: { entry: FeedEntry & { kind: 'finality' }; size: number },
    event: EventDefinition,
  ): Promise<readonly Row[] | null> {
    const { statements } = this.database;
    const { entry } = kept;
    const rows = await rowsOfFinality(statements, event, entry, null, KEPT_ROWS_PER_ENTRY + 1);
    if (rows.length > KEPT_ROWS_PER_ENTRY || !(await isStored(statements, entry.position))) return null;
    if (this.entries.get(entry.position)?.entry === entry) {
      kept.size += rows.length;
      this.size += rows.length;
      this.shrink();
    }
    return rows;
  }

  private add(kept: EntryRows & { size: number }): void {
    this.entries.set(kept.entry.position, kept);
    this.size += kept.size;
    this.shrink();
  }

  private shrink(): void {
    for (const [position, old] of this.entries) {
      if (this.entries.size <= KEPT_ENTRIES && this.size <= KEPT_ROWS) break;
      this.entries.delete(position);
      this.size -= old.size;
    }
  }
}
