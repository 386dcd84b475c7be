import { Client } from 'pg';
import { coveredTo } from '#apps/fetcher/lead.js';
import { applyNews } from '#libs/database/apply-news.js';
import type { Row as EventRow } from '#libs/database/condition.js';
import { Database } from '#libs/database/database.js';
import { parseMultirange } from '#libs/database/entities/multirange-type.js';
import {
  finalityAsOf,
  type FeedEntry as RealEntry,
  rowKey,
  rowsOfFinality,
  rowsOfWrite,
} from '#libs/database/feed-log.js';
import { type Leadership, takeOver } from '#libs/database/ledger.js';
import { migrate } from '#libs/database/migrate.js';
import { storeHistory } from '#libs/database/store-history.js';
import { socketBridge } from '#libs/events/socket-bridge/event.js';
import { CHAIN_ID } from '../services/ledger-fixture.js';
import { createDatabase } from '../services/postgres.js';
import { GatedDatabase } from './gated-database.js';
import type { Applied, FeedEntry, FeedPage, Ledger, Row, Running, Stored, Taken } from './ledger.js';
import { hashOf, nameOf, realFinal, realNews, sourceOf, statedSource } from './real-statements.js';
import { type Final, type News, range, type Source, START } from './statements.js';

/** Rows of one position at most, far above what the model makes. */
const ALL_ROWS = 10_000;

/** The real transactions on a real Postgres, each on a connection of its own that goes on statement by statement. */
export class PostgresLedger implements Ledger {
  stored: Stored = nothing;
  /** Transactions that died between two of their statements. */
  crashes = 0;
  private readonly idle: GatedDatabase[] = [];
  private readonly busy = new Set<GatedDatabase>();

  private constructor(
    private readonly url: string,
    private readonly admin: Client,
    private readonly reader: Database,
    private readonly drop: () => Promise<void>,
  ) {}

  static async create(postgresUrl: string): Promise<PostgresLedger> {
    const { url, drop } = await createDatabase(postgresUrl);
    const reader = Database.open(url);
    await migrate(reader);
    const admin = new Client({ connectionString: url });
    await admin.connect();
    await admin.query(leasesHaveRunOut);
    return new PostgresLedger(url, admin, reader, drop);
  }

  /** Statements that had to wait for a lock. */
  get waits(): number {
    return [...this.idle, ...this.busy].reduce((sum, gated) => sum + gated.waits, 0);
  }

  /** Empties the ledger for another run. */
  async reset(): Promise<void> {
    await this.admin.query(`delete from block; delete from chain; delete from chain_lane; delete from source;
      delete from socket_bridge_event; delete from conflicting_log; delete from undecodable_log; delete from feed_commit;
      update feed_counter set position = 0`);
    this.stored = nothing;
  }

  apply(news: readonly News[]): Running<Applied> {
    return this.run((database) => applyNews(database, CHAIN_ID, news.map(realNews)));
  }

  store(statements: readonly Final[]): Running<void> {
    return this.run(async (database) => void (await storeHistory(database, statements.map(realFinal))));
  }

  takeOver({
    name,
    sources,
    own,
  }: {
    name: string;
    sources: readonly Source[];
    own: number | null;
  }): Running<Taken | null> {
    return this.run(async (database) => {
      const taken = await takeOver(database, {
        chainId: CHAIN_ID,
        chainName: 'Model',
        holder: name,
        sources: sources.map((source) => ({ ...statedSource(source), startBlock: START })),
        ownTerm: own ?? undefined,
      });
      return taken && takenOf(taken);
    });
  }

  async read(entry: FeedEntry, finalOnly: boolean, after: Row | null, limit: number): Promise<FeedPage> {
    const { statements } = this.reader;
    const behind = after && rowKey(eventKey(after));
    if (entry.kind === 'finality') {
      if (!finalOnly) return { rows: [], last: true };
      const real = { ...entry, chainId: CHAIN_ID, committedAt: new Date() };
      const rows = await rowsOfFinality(statements, socketBridge, real, behind, limit + 1);
      return { rows: rows.slice(0, limit).map(rowOf), last: rows.length <= limit };
    }
    const real = writeEntry(entry);
    const final = finalOnly ? await finalityAsOf(statements, CHAIN_ID, entry.position) : null;
    const rows = (await rowsOfWrite(statements, socketBridge, real, behind, ALL_ROWS)).map(rowOf);
    const told = finalOnly ? rows.filter((row) => !row.removed && row.number <= (final?.block ?? -1)) : rows;
    return { rows: told.slice(0, limit), last: told.length <= limit };
  }

  async close(): Promise<void> {
    for (const gated of [...this.busy, ...this.idle]) await gated.close();
    await this.reader.close();
    await this.admin.end();
    await this.drop();
  }

  /** A transaction on a connection of its own, taken when it begins. */
  private run<T>(work: (database: Database) => Promise<T>): Running<T> {
    let gated: GatedDatabase | null = null;
    return {
      step: async () => {
        if (!gated) {
          gated = this.idle.pop() ?? (await GatedDatabase.open(this.url, this.admin));
          this.busy.add(gated);
          await gated.begin(work);
          return null;
        }
        const outcome = await gated.step();
        if (!outcome) return null;
        this.free(gated);
        if ('error' in outcome) throw outcome.error;
        await this.others();
        this.stored = await this.readStored();
        return outcome as { value: T };
      },
      crash: async () => {
        if (!gated) return;
        await gated.crash();
        this.crashes++;
        this.free(gated);
        await this.others();
      },
    };
  }

  private free(gated: GatedDatabase): void {
    this.busy.delete(gated);
    this.idle.push(gated);
  }

  /** Lets those that waited for what has ended now come to their next gate, or to the next lock. */
  private async others(): Promise<void> {
    for (const gated of this.busy) if (gated.isBlocked) await gated.settled();
  }

  private async readStored(): Promise<Stored> {
    const { rows } = await this.admin.query<{ stored: RawStored }>(selectStored);
    return storedOf(rows[0]!.stored);
  }
}

/** Whoever takes over finds that the lease has run out: a process may hang for longer than any. */
const leasesHaveRunOut = `
  create function leases_have_run_out() returns trigger language plpgsql as
    $$ begin new.expires_at := '-infinity'; return new; end $$;
  create trigger leases_have_run_out before update on chain_lane
    for each row execute function leases_have_run_out();`;

const selectStored = `
  select json_build_object(
    'lane', (select json_build_array(term, applied_seq) from chain_lane),
    'finalized', (select finalized_block from chain),
    'lastProcessed', (select last_processed_block from chain),
    'counter', (select position from feed_counter),
    'blocks', coalesce((select json_agg(json_build_array(number, '0x' || encode(hash, 'hex'), '0x' || encode(parent_hash, 'hex'))) from block), '[]'),
    'rows', coalesce((select json_agg(json_build_array('0x' || encode(tx_hash, 'hex'), log_index, block_number, '0x' || encode(block_hash, 'hex'),
        '0x' || encode(address, 'hex'), amount, removed, revision, write_id)) from socket_bridge_event), '[]'),
    'sources', coalesce((select json_agg(json_build_array('0x' || encode(address, 'hex'), coverage::text, retired_at is null, counted_from is not null)) from source), '[]'),
    'feed', coalesce((select json_agg(json_build_array(position, kind, write_id, from_block, to_block)) from feed_commit), '[]')
  ) as stored`;

interface RawStored {
  readonly lane: [term: number, applied: number] | null;
  readonly finalized: number | null;
  readonly lastProcessed: number | null;
  readonly counter: number;
  readonly blocks: [number: number, hash: string, parent: string][];
  readonly rows: [string, number, number, string, string, number, boolean, number, number][];
  readonly sources: [address: string, coverage: string, wanted: boolean, counted: boolean][];
  readonly feed: [position: number, kind: string, write: number, from: number | null, to: number][];
}

const nothing: Stored = {
  lane: undefined,
  finalized: null,
  blocks: new Map(),
  rows: new Map(),
  coverage: new Map(),
  feed: new Map(),
  problem: null,
};

function storedOf(raw: RawStored): Stored {
  const rows = raw.rows.map(([tx, index, number, hash, address, amount, removed, revision, write]): Row => {
    const key = `${nameOf(tx)}.${index}`;
    return {
      key,
      number,
      hash: nameOf(hash),
      source: sourceOf(address),
      value: amount,
      removed,
      revision,
      write,
    };
  });
  const feed = raw.feed.map(([position, kind, write, from, to]): FeedEntry => {
    return kind === 'write' ? { kind, position, write } : { kind: 'finality', position, from, to };
  });
  const coverages = raw.sources.map(([address, coverage, wanted, counted]): Covered => {
    return { source: sourceOf(address), wanted, counted, heights: heightsOf(coverage) };
  });
  return {
    lane: raw.lane ? { term: raw.lane[0], applied: raw.lane[1] } : undefined,
    finalized: raw.finalized,
    blocks: new Map(
      raw.blocks.map(([number, hash, parent]) => [
        number,
        { number, hash: nameOf(hash), parent: nameOf(parent) },
      ]),
    ),
    rows: new Map(rows.map((row) => [row.key, row])),
    coverage: new Map(coverages.map(({ source, heights }) => [source, heights])),
    feed: new Map(feed.map((entry) => [entry.position, entry])),
    problem: problemOf(raw, coverages),
  };
}

interface Covered {
  readonly source: Source;
  readonly wanted: boolean;
  /** Whether the last processed block speaks of it. */
  readonly counted: boolean;
  readonly heights: ReadonlySet<number>;
}

/** What must hold of the real ledger beyond what the model knows of. */
function problemOf(raw: RawStored, coverages: readonly Covered[]): string | null {
  if (raw.counter !== raw.feed.length) return `counter at ${raw.counter}, ${raw.feed.length} entries`;
  const wanted = coverages.filter((c) => c.wanted);
  const counted = wanted.filter((c) => c.counted);
  if (wanted.length && !counted.length) return 'no wanted source counts for the last processed block';
  const last = Math.min(...counted.map(endOf));
  const expected = counted.length && last >= START ? last : null;
  if (raw.lastProcessed !== expected)
    return `last processed block ${raw.lastProcessed}, should be ${expected}`;
  const late = wanted.find((c) => !c.counted && endOf(c) >= last);
  return late ? `${late.source} is stored through ${endOf(late)} and does not count for ${last}` : null;
}

/** End of the part without holes. */
function endOf({ heights }: Covered): number {
  let end = START - 1;
  while (heights.has(end + 1)) end++;
  return end;
}

function heightsOf(coverage: string): ReadonlySet<number> {
  return new Set(parseMultirange(coverage).flatMap(([from, to]) => range(from, to - 1)));
}

function takenOf(taken: Leadership): Taken {
  const covered = coveredTo(taken);
  return {
    term: taken.term,
    said: new Map([...taken.segment].map(([number, hash]) => [number, nameOf(hash)])),
    finalized: taken.finalizedBlock,
    empty: taken.emptyHeights,
    hole: Number.isFinite(covered) ? covered + 1 : null,
  };
}

function writeEntry({ position, write }: FeedEntry & { kind: 'write' }): RealEntry & { kind: 'write' } {
  const committedAt = new Date();
  return {
    kind: 'write',
    position,
    writeId: write,
    chainId: CHAIN_ID,
    event: socketBridge.name,
    committedAt,
  };
}

function rowOf(row: EventRow): Row {
  return {
    key: `${nameOf(row.txHash as string)}.${row.logIndex}`,
    number: row.blockNumber as number,
    hash: nameOf(row.blockHash as string),
    source: sourceOf(row.address as string),
    value: Number(row.amount),
    removed: row.removed as boolean,
    revision: row.revision as number,
    write: row.writeId as number,
  };
}

function eventKey({ key, number }: Row): EventRow {
  const [tx, index] = key.split('.') as [string, string];
  return { blockNumber: number, txIndex: 0, logIndex: Number(index), txHash: hashOf(tx) };
}
