import type { Applied, FeedEntry, Row, StoredBlock } from './ledger.js';
import type { MemoryDatabase, Transaction, Work } from './memory-database.js';
import type { Rules } from './rules.js';
import {
  type Advance,
  type Final,
  type Finality,
  type Log,
  type News,
  range,
  SOURCES,
  type Source,
} from './statements.js';

/** The model's tables. */
export type Tables = {
  lane: { term: number; applied: number };
  chain: { finalized: number | null };
  block: StoredBlock;
  row: Row;
  source: ReadonlySet<number>;
  counter: number;
  feed: FeedEntry;
};

/** What a transaction of news gathers until its end. */
interface Progress {
  applied: number;
  finalized: number | null;
  touched: number;
  conflicts: number;
  readonly coverage: CoverageChange[];
}

interface CoverageChange {
  readonly sources: readonly Source[];
  readonly dropped: readonly number[];
  readonly gained: readonly number[];
}

const byKey = (a: Log, b: Log) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);

/**
 * The worker's transactions, a `yield` between two statements. Locks are taken in one order: lane, rows by key, sources,
 * chain, counter.
 */
export class Worker {
  constructor(
    private readonly db: MemoryDatabase<Tables>,
    private readonly rules: Rules,
  ) {}

  /** Stores history statements. */
  *store(tx: Transaction, statements: readonly Final[]): Work<void> {
    const { touched } = yield* this.upsert(
      tx,
      statements.flatMap((s) => s.logs),
      this.rules.finalWins,
    );
    const changes = statements.map((s) => ({ sources: s.sources, dropped: [], gained: range(s.from, s.to) }));
    yield* this.cover(tx, changes);
    if (touched) yield* this.commitLog(tx, [{ kind: 'write', write: tx.id }]);
  }

  /** Applies consecutive news: each only if its term is the current one and its seq the next. */
  *apply(tx: Transaction, news: readonly News[]): Work<Applied> {
    const { db } = this;
    yield;
    yield* db.lock(tx, 'lane', 1);
    yield;
    const lane = db.read(tx, 'lane', 1)!;
    const before = db.read(tx, 'chain', 1)!.finalized;
    const progress: Progress = {
      applied: lane.applied,
      finalized: before,
      touched: 0,
      conflicts: 0,
      coverage: [],
    };
    const verdicts: Applied['verdicts'][number][] = [];
    for (const one of news) verdicts.push(yield* this.applyOne(tx, lane.term, one, progress));
    if (progress.coverage.length) yield* this.cover(tx, progress.coverage);
    if (progress.applied !== lane.applied) db.write(tx, 'lane', 1, { ...lane, applied: progress.applied });
    const entries: Entry[] = progress.touched ? [{ kind: 'write', write: tx.id }] : [];
    if (progress.finalized !== before) {
      yield;
      yield* db.lock(tx, 'chain', 1);
      db.write(tx, 'chain', 1, { finalized: progress.finalized });
      entries.push({ kind: 'finality', from: before, to: progress.finalized! });
    }
    if (entries.length) yield* this.commitLog(tx, entries);
    return { verdicts, conflicts: progress.conflicts };
  }

  private *applyOne(
    tx: Transaction,
    term: number,
    news: News,
    progress: Progress,
  ): Work<Applied['verdicts'][number]> {
    const isNext = this.rules.order ? news.seq === progress.applied + 1 : news.seq > progress.applied;
    if (news.term !== term || !isNext) return 'ignored';
    if (news.kind === 'finality') yield* this.finality(tx, news, progress);
    else if (!(yield* this.advance(tx, news, progress))) return 'refused';
    progress.applied = news.seq;
    return 'applied';
  }

  private *advance(tx: Transaction, news: Advance, progress: Progress): Work<boolean> {
    const { db, rules } = this;
    const { above, blocks } = news;
    const [first, last] = [blocks[0]!, blocks.at(-1)!];
    yield;
    const segment = db.scan(tx, 'block');
    const below = segment.get(first.number - 1);
    if (rules.link && below && below.number <= above && below.hash !== first.parent) return false;
    if (rules.floor && progress.finalized !== null && above < progress.finalized) return false;
    // what stands on a block that is stored already are its descendants
    const restated = rules.keepRestated && segment.get(last.number)?.hash === last.hash;
    const upTo = restated ? last.number : Number.POSITIVE_INFINITY;
    const stated = new Set(blocks.map((b) => b.hash));
    const dropped = [...segment.values()].filter(
      (b) => b.number > above && b.number <= upTo && !stated.has(b.hash),
    );
    progress.touched += yield* this.removeRows(tx, dropped);
    const logs = blocks.flatMap((b) => b.logs);
    const { touched, conflicts } = yield* this.upsert(tx, logs, !rules.liveYields);
    progress.touched += touched;
    progress.conflicts += conflicts;
    yield;
    for (const b of dropped) db.write(tx, 'block', b.number, undefined);
    for (const { number, hash, parent } of blocks) db.write(tx, 'block', number, { number, hash, parent });
    const numbers = (list: readonly StoredBlock[]) => list.map((b) => b.number);
    progress.coverage.push({ sources: news.sources, dropped: numbers(dropped), gained: numbers(blocks) });
    return true;
  }

  /** Takes effect only upwards and only for a block that is stored; what is stored below it is forgotten. */
  private *finality(tx: Transaction, { number, hash }: Finality, progress: Progress): Work<void> {
    const { db, rules } = this;
    yield;
    if (rules.monotone && progress.finalized !== null && number <= progress.finalized) return;
    const segment = db.scan(tx, 'block');
    const at = segment.get(number);
    const next = segment.get(number + 1);
    const lowest = Math.min(...[...segment.values()].map((b) => b.number));
    const isGap = rules.gapFinality ? !at && (!next || next.parent === hash) : !at && number < lowest;
    if (at ? at.hash !== hash : rules.jumpFinal || !isGap) return;
    for (const b of segment.values()) if (b.number < number) db.write(tx, 'block', b.number, undefined);
    progress.finalized = number;
  }

  /** Inserts rows, revives removed ones, moves or leaves those that another block holds. */
  private *upsert(
    tx: Transaction,
    logs: readonly Log[],
    mayMove: boolean,
  ): Work<{ touched: number; conflicts: number }> {
    const { db, rules } = this;
    let [touched, conflicts] = [0, 0];
    for (const group of withKeysOnce(logs)) {
      yield;
      for (const log of group) {
        const early = db.read(tx, 'row', log.key);
        if (!rules.equalLocks && mayMove && early && isEqual(early, log)) continue;
        yield* db.lock(tx, 'row', log.key);
        const old = db.read(tx, 'row', log.key);
        if (old && isEqual(old, log) && rules.untouched) continue;
        if (old && !old.removed && old.hash !== log.hash && !mayMove) {
          conflicts++;
          continue;
        }
        this.touch(tx, log, old, false);
        touched++;
      }
    }
    return { touched, conflicts };
  }

  private *removeRows(tx: Transaction, dropped: readonly StoredBlock[]): Work<number> {
    const { db } = this;
    const hashes = new Set(dropped.map((b) => b.hash));
    const heights = new Set(dropped.map((b) => b.number));
    const isDead = (row: Row) =>
      !row.removed && (this.rules.byHash ? hashes.has(row.hash) : heights.has(row.number));
    if (!dropped.length) return 0;
    let touched = 0;
    yield;
    for (const row of [...db.scan(tx, 'row').values()].filter(isDead).sort(byKey)) {
      yield* db.lock(tx, 'row', row.key);
      const now = db.read(tx, 'row', row.key)!;
      if (!isDead(now)) continue;
      this.touch(tx, now, now, true);
      touched++;
    }
    return touched;
  }

  private touch(tx: Transaction, log: Log, old: Row | undefined, removed: boolean): void {
    const { key, source, value, number, hash } = log;
    const revision = old ? old.revision + 1 : 0;
    this.db.write(tx, 'row', key, { key, source, value, number, hash, removed, revision, write: tx.id });
  }

  private *cover(tx: Transaction, changes: readonly CoverageChange[]): Work<void> {
    const { db } = this;
    yield;
    const known = SOURCES.filter((source) => db.read(tx, 'source', source));
    for (const source of known) yield* db.lock(tx, 'source', source);
    for (const change of changes) {
      yield;
      for (const source of known) this.change(tx, source, change);
    }
    yield* db.lock(tx, 'chain', 1);
  }

  private change(tx: Transaction, source: Source, { sources, dropped, gained }: CoverageChange): void {
    const coverage = new Set(this.db.read(tx, 'source', source));
    const isStated = sources.includes(source);
    if (isStated || this.rules.dropAll) for (const n of dropped) coverage.delete(n);
    if (isStated) for (const n of gained) coverage.add(n);
    this.db.write(tx, 'source', source, coverage);
  }

  /** The last statement: the counter's lock makes the order of commits and of positions the same. */
  private *commitLog(tx: Transaction, entries: readonly Entry[]): Work<void> {
    const { db } = this;
    yield;
    yield* db.lock(tx, 'counter', 1);
    let position = db.read(tx, 'counter', 1) ?? 0;
    for (const entry of entries) db.write(tx, 'feed', ++position, { ...entry, position } as FeedEntry);
    db.write(tx, 'counter', 1, position);
  }
}

type Entry =
  | { readonly kind: 'write'; readonly write: number }
  | { readonly kind: 'finality'; readonly from: number | null; readonly to: number };

function isEqual(row: Row, log: Log): boolean {
  return !row.removed && row.hash === log.hash && row.source === log.source && row.value === log.value;
}

/** Groups with every key at most once each, in the order of row locks. */
function withKeysOnce(logs: readonly Log[]): Log[][] {
  const groups: Map<string, Log>[] = [];
  for (const log of logs) {
    const group = groups.find((g) => !g.has(log.key));
    if (group) group.set(log.key, log);
    else groups.push(new Map([[log.key, log]]));
  }
  return groups.map((group) => [...group.values()].sort(byKey));
}
