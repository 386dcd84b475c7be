import type { Final, Log, News, Source } from './statements.js';

/** A row of the event table. */
export interface Row extends Log {
  readonly removed: boolean;
  readonly revision: number;
  /** Id of the write that touched it last. */
  readonly write: number;
}

export interface StoredBlock {
  readonly number: number;
  readonly hash: string;
  readonly parent: string | null;
}

/** An entry of the commit log. */
export type FeedEntry =
  | { readonly kind: 'write'; readonly position: number; readonly write: number }
  | {
      readonly kind: 'finality';
      readonly position: number;
      readonly from: number | null;
      readonly to: number;
    };

/** All that is committed. */
export interface Stored {
  readonly lane: { readonly term: number; readonly applied: number } | undefined;
  readonly finalized: number | null;
  readonly blocks: ReadonlyMap<number, StoredBlock>;
  readonly rows: ReadonlyMap<string, Row>;
  readonly coverage: ReadonlyMap<Source, ReadonlySet<number>>;
  readonly feed: ReadonlyMap<number, FeedEntry>;
  /** What else is wrong, beyond what the model's checks look at. */
  readonly problem: string | null;
}

/** What a new leader finds. */
export interface Taken {
  readonly term: number;
  readonly said: ReadonlyMap<number, string>;
  readonly finalized: number | null;
  /** Heights of the segment above finality without rows of the leader's sources. */
  readonly empty: readonly number[];
  /** Lowest stored height above finality that a source of the leader doesn't cover; null when there is none. */
  readonly hole: number | null;
}

export interface Applied {
  readonly verdicts: readonly ('applied' | 'ignored' | 'refused')[];
  readonly conflicts: number;
}

/** A transaction under way. It goes on one statement at a time, so that others run between two of them. */
export interface Running<T> {
  /** Runs the next statement, if no lock is in the way. @returns the result once it is committed, else null. */
  step(): Promise<{ readonly value: T } | null>;
  /** The process dies: nothing of it stays. */
  crash(): Promise<void>;
}

/** Rows that a subscriber is told of at an entry, from its cursor on. */
export interface FeedPage {
  readonly rows: readonly Row[];
  /** Whether these are the entry's last ones. */
  readonly last: boolean;
}

/** A database with the project's transactions on it: the model's own, or Postgres with the real code. */
export interface Ledger {
  /** As of the last commit. */
  readonly stored: Stored;
  /** Applies consecutive news in one transaction. */
  apply(news: readonly News[]): Running<Applied>;
  /** Stores history statements in one transaction. */
  store(statements: readonly Final[]): Running<void>;
  /** Takes the lead; `own` is the term of a leader that takes over from itself. Null: it may not. */
  takeOver(claim: { name: string; sources: readonly Source[]; own: number | null }): Running<Taken | null>;
  /** Rows of an entry behind a row of it (`after`). @param limit rows at most. */
  read(entry: FeedEntry, finalOnly: boolean, after: Row | null, limit: number): Promise<FeedPage>;
  /** Ends what is still under way. */
  close(): Promise<void>;
}
