import type { Applied, FeedEntry, FeedPage, Ledger, Row, Running, Stored, Taken } from './ledger.js';
import { Deadlock, MemoryDatabase, type Transaction, type Work } from './memory-database.js';
import type { Rules } from './rules.js';
import { type Final, type News, SOURCES, type Source } from './statements.js';
import { type Tables, Worker } from './worker.js';

/** The model's own ledger: the transactions as they are meant, on the model's database. */
export class MemoryLedger implements Ledger {
  readonly stored: Stored;
  private readonly db = new MemoryDatabase<Tables>();
  private readonly worker: Worker;

  constructor(private readonly rules: Rules) {
    const { db } = this;
    this.worker = new Worker(db, rules);
    this.stored = {
      get lane() {
        return db.committed('lane').get(1);
      },
      get finalized() {
        return db.committed('chain').get(1)?.finalized ?? null;
      },
      blocks: db.committed('block') as Stored['blocks'],
      rows: db.committed('row') as Stored['rows'],
      coverage: db.committed('source') as Stored['coverage'],
      feed: db.committed('feed') as Stored['feed'],
      problem: null,
    };
  }

  apply(news: readonly News[]): Running<Applied> {
    return this.run((tx) => this.worker.apply(tx, news));
  }

  store(statements: readonly Final[]): Running<void> {
    return this.run((tx) => this.worker.store(tx, statements));
  }

  takeOver({ sources, own }: { sources: readonly Source[]; own: number | null }): Running<Taken | null> {
    return this.run((tx) => this.takenOver(tx, sources, own));
  }

  async read(entry: FeedEntry, finalOnly: boolean, after: Row | null, limit: number): Promise<FeedPage> {
    const key = after?.key ?? '';
    let rows = [...this.stored.rows.values()].filter((row) => row.key > key);
    if (entry.kind === 'write') {
      const final = this.finalityAsOf(entry.position);
      rows = rows.filter(
        (row) => row.write === entry.write && (!finalOnly || (!row.removed && row.number <= final)),
      );
    } else if (finalOnly) {
      const { from, to } = entry;
      const became = (row: Row) => !row.removed && row.number > (from ?? -1) && row.number <= to;
      rows = rows.filter((row) => became(row) && this.positionOf(row.write) < entry.position);
    } else rows = [];
    rows.sort((a, b) => (a.key < b.key ? -1 : 1));
    return { rows: rows.slice(0, limit), last: rows.length <= limit };
  }

  async close(): Promise<void> {}

  private finalityAsOf(position: number): number {
    if (!this.rules.asOf) return this.stored.finalized ?? -1;
    const moves = [...this.stored.feed.values()].filter(
      (e) => e.kind === 'finality' && e.position <= position,
    );
    return Math.max(-1, ...moves.map((e) => (e as FeedEntry & { kind: 'finality' }).to));
  }

  private positionOf(write: number): number {
    for (const entry of this.stored.feed.values())
      if (entry.kind === 'write' && entry.write === write) return entry.position;
    return Number.POSITIVE_INFINITY;
  }

  private *takenOver(tx: Transaction, sources: readonly Source[], own: number | null): Work<Taken | null> {
    const { db, rules } = this;
    yield;
    yield* db.lock(tx, 'lane', 1);
    yield;
    const lane = db.read(tx, 'lane', 1);
    if (rules.holder && own !== null && lane?.term !== own) return null;
    const term = (lane?.term ?? 0) + 1;
    db.write(tx, 'lane', 1, { term, applied: 0 });
    if (!db.read(tx, 'chain', 1)) db.write(tx, 'chain', 1, { finalized: null });
    for (const source of SOURCES.filter((s) => sources.includes(s))) {
      yield* db.lock(tx, 'source', source);
      if (!db.read(tx, 'source', source)) db.write(tx, 'source', source, new Set());
    }
    yield;
    const said = new Map([...db.scan(tx, 'block').values()].map((b) => [b.number, b.hash]));
    const { finalized } = db.read(tx, 'chain', 1)!;
    const unfinal = [...said.keys()].filter((n) => n > (finalized ?? -1));
    yield;
    const rows = [...db.scan(tx, 'row').values()].filter(
      (row) => !row.removed && sources.includes(row.source),
    );
    const full = new Set(rows.map((row) => row.number));
    const holes = unfinal.filter((n) => sources.some((s) => !db.read(tx, 'source', s)!.has(n)));
    return {
      term,
      said,
      finalized,
      empty: unfinal.filter((n) => !full.has(n)),
      hole: holes.length ? Math.min(...holes) : null,
    };
  }

  private run<T>(start: (tx: Transaction) => Work<T>): Running<T> {
    let tx = this.db.begin();
    let work = start(tx);
    return {
      step: async () => {
        try {
          const { done, value } = work.next();
          if (!done) return null;
          this.db.end(tx, true);
          return { value };
        } catch (error) {
          if (!(error instanceof Deadlock)) throw error;
          this.db.end(tx, false);
          tx = this.db.begin();
          work = start(tx);
          return null;
        }
      },
      crash: async () => this.db.end(tx, false),
    };
  }
}
