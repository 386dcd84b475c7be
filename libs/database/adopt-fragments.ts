import { sql } from 'kysely';
import { CONTRACT_EVENT } from '#libs/events/json-event.js';
import { events } from '#libs/events/registry.js';
import { pause } from '#libs/telemetry/run-process.js';
import { type Database, isContended, type SqlExecutor } from './database.js';
import { folderOf, fragmentLock } from './event-catalog.js';
import { copyRows, copyRowsWithin, type Move } from './move-rows.js';

/** Rows that may be left for the last transaction, in which nobody else stores any: some 100 ms. */
const LAST_ROWS = 1_000;
/** Where the rest doesn't get that small, since others store faster than they are copied, it is taken as it is. */
const ROUNDS = 20;
/** How long others that store may be held up by one try to have an event alone. */
const LOCK_MS = 1_000;
/** Pages of the table (8 kB each) whose rows are deleted in one transaction. */
const PAGES_PER_DELETION = 1_000;
/** Rows are counted up to here where it is only told that there are some. */
const MOST_COUNTED = 100_000;

/** What became of an event that got a folder. */
export interface AdoptedEvent {
  /** Its name before, and that of its folder. */
  readonly name: string;
  readonly event: string;
  /** Rows that this call moved, and the milliseconds that it took. */
  readonly rows: number;
  readonly ms: number;
  /** Logs of it that are in undecodable_log. */
  readonly undecodable: number;
}

/** What became of an event, for a person. */
export function wordsOf({ name, event, rows, ms, undecodable }: AdoptedEvent): string {
  const rate = Math.round((rows / Math.max(ms, 1)) * 1_000);
  const as = event === name ? '' : `, which is ${event} from now on`;
  const broken = undecodable
    ? `; ${shown(undecodable)} logs of it can't be read: see undecodable_log, with the reason of each`
    : '';
  return `moved ${shown(rows)} rows of ${name}${as} to its table, ${shown(rate)} a second${broken}`;
}

/** Two events have one name; the message says what to do. */
class NameTaken extends Error {
  override readonly name = 'NameTaken';
}

/**
 * Moves the rows of events without a folder that have one in this build into their tables, from the raw logs that are kept, while
 * others go on to store. What was broken off before is gone on with.
 * @param say is told in words how far it is, now and then.
 * @throws NameTaken; AbortError on `stop`.
 */
export async function adoptFragments(
  database: Database,
  say: (progress: string) => void,
  stop: AbortSignal,
): Promise<AdoptedEvent[]> {
  const { moves, clash } = await readMoves(database.statements);
  if (clash) throw new NameTaken(clash);
  const adopted: AdoptedEvent[] = [];
  for (const move of moves) {
    const started = performance.now();
    const rows = await moveAll(database, move, say, stop);
    const ms = performance.now() - started;
    const undecodable = await undecodableOf(database.statements, move.event.name);
    adopted.push({ name: move.name, event: move.event.name, rows, ms, undecodable });
  }
  await tidyUp(database, say, stop);
  return adopted;
}

/** What has to be moved, or why nothing can be, in words; null: nothing has to. */
export async function moveProblem(executor: SqlExecutor): Promise<string | null> {
  const { moves, clash } = await readMoves(executor);
  if (clash) return clash;
  const waiting: string[] = [];
  for (const { name, event } of moves) {
    const { rows } = await sql<{ n: string }>`select count(*) as n from (
      select 1 from contract_event where event = ${name} limit ${MOST_COUNTED + 1}) t`.execute(executor);
    const n = Number(rows[0]!.n);
    const count = n > MOST_COUNTED ? `more than ${shown(MOST_COUNTED)}` : shown(n);
    waiting.push(`${count} rows of ${name} to ${event.table}`);
  }
  return waiting.length ? `waiting for npm run migrate to move ${waiting.join(', ')}` : null;
}

const shown = (n: number) => n.toLocaleString('en');

async function readMoves(executor: SqlExecutor): Promise<{ moves: Move[]; clash: string | null }> {
  const { rows } = await sql<{ name: string; fragment: string; is_adopted: boolean }>`
    select name, fragment, adopted_at is not null as is_adopted from event_fragment order by name`.execute(
    executor,
  );
  const moves: Move[] = [];
  for (const { name, fragment, is_adopted } of rows) {
    const folder = folderOf(fragment);
    // GraphQL's and REST's names don't tell apart how letters are written
    const taken = events.find((event) => event.name.toLowerCase() === name.toLowerCase());
    if (taken && taken !== folder)
      return {
        moves: [],
        clash: `${taken.name} is, in this database, the name of "${fragment}", which is another event than the folder's ${taken.identity}: give the folder's event another name`,
      };
    if (folder && !is_adopted) moves.push({ name, event: folder });
  }
  return { moves, clash: null };
}

async function moveAll(
  database: Database,
  move: Move,
  say: (progress: string) => void,
  stop: AbortSignal,
): Promise<number> {
  const { name, event } = move;
  const { statements } = database;
  let after = -1;
  let total = await countBehind(statements, name, after);
  const there = await countIn(statements, event.table);
  let done = 0;
  const copied = (rows: number) => {
    done += rows;
    const of = Math.max(there + done, total);
    say(`moving ${name} to ${event.table}: ${shown(there + done)} of ${shown(of)} rows`);
  };
  for (let round = 1; ; round++) {
    // whoever held the event has committed, and whatever is written later has a higher id
    const upTo = await alone(database, name, stop, lastWrite);
    await copyRows(database, move, { after, upTo }, copied, stop);
    after = upTo;
    const left = await countBehind(statements, name, after);
    if (left <= LAST_ROWS || round === ROUNDS) break;
    total = there + done + left;
  }
  await sql`analyze ${sql.table(event.table)}`.execute(statements);
  return done + (await alone(database, name, stop, (tx) => finish(tx, move, after)));
}

/** How many rows of an event were written behind a write. */
async function countBehind(executor: SqlExecutor, name: string, write: number): Promise<number> {
  const { rows } = await sql<{ n: string }>`
    select count(*) as n from contract_event where event = ${name} and write_id > ${write}`.execute(executor);
  return Number(rows[0]!.n);
}

async function countIn(executor: SqlExecutor, table: string): Promise<number> {
  const { rows } = await sql<{ n: string }>`select count(*) as n from ${sql.table(table)}`.execute(executor);
  return Number(rows[0]!.n);
}

/** The highest id that was given out; a sequence that was never asked has the first one as its last value, too. */
async function lastWrite(tx: SqlExecutor): Promise<number> {
  const { rows } = await sql<{
    id: string;
  }>`select last_value - (not is_called)::int as id from event_write_id`.execute(tx);
  return Number(rows[0]!.id);
}

/** Runs a transaction during which nobody stores rows of an event; those who do are held up for a moment. */
async function alone<T>(
  database: Database,
  name: string,
  stop: AbortSignal,
  work: (tx: SqlExecutor) => Promise<T>,
): Promise<T> {
  for (;;) {
    stop.throwIfAborted();
    try {
      return await database.transaction(async (tx) => {
        await sql`select set_config('lock_timeout', ${String(LOCK_MS)}, true)`.execute(tx);
        await sql`select pg_advisory_xact_lock(${fragmentLock(sql`${name}::text`)})`.execute(tx);
        return work(tx);
      });
    } catch (error) {
      if (!isContended(error)) throw error;
      await pause(LOCK_MS, stop);
    }
  }
}

/** Copies what was stored since, and from then on the folder's table is where the event's rows are. @returns rows copied. */
async function finish(tx: SqlExecutor, move: Move, after: number): Promise<number> {
  const { name, event } = move;
  const rows = await copyRowsWithin(tx, move, { after, upTo: await lastWrite(tx) });
  await sql`update event_fragment set adopted_at = clock_timestamp(), adopted_as = ${event.name}
    where name = ${name}`.execute(tx);
  if (event.name !== name) await renameSources(tx, name, event.name);
  return rows;
}

/** The ledger goes on under the new name; where it knows that one too, from an earlier time, both are one from now on. */
async function renameSources(tx: SqlExecutor, from: string, to: string): Promise<void> {
  await sql`select id from source where event in (${from}, ${to}) order by id for update`.execute(tx);
  await sql`
    update source s set coverage = s.coverage + f.coverage, start_block = f.start_block, retired_at = f.retired_at,
      live_from = least(s.live_from, f.live_from), verified_block = null
    from source f where f.event = ${from} and s.event = ${to} and s.chain_id = f.chain_id and s.address = f.address`.execute(
    tx,
  );
  await sql`delete from source f using source s
    where f.event = ${from} and s.event = ${to} and s.chain_id = f.chain_id and s.address = f.address`.execute(
    tx,
  );
  await sql`update source set event = ${to} where event = ${from}`.execute(tx);
}

async function undecodableOf(executor: SqlExecutor, event: string): Promise<number> {
  const { rows } = await sql<{ n: string }>`
    select count(*) as n from undecodable_log where event = ${event}`.execute(executor);
  return Number(rows[0]!.n);
}

/** Gives logs that are kept aside their event's new name, and deletes the rows that have moved: nobody reads them any more. */
async function tidyUp(database: Database, say: (progress: string) => void, stop: AbortSignal): Promise<void> {
  await database.transaction(renameKeptLogs);
  const { rows: left } = await sql<{ name: string }>`
    select name from event_fragment f
    where adopted_at is not null and exists (select 1 from contract_event t where t.event = f.name)`.execute(
    database.statements,
  );
  if (!left.length) return;
  const names = left.map(({ name }) => name);
  const pages = await pagesOf(database.statements);
  for (let page = 0; page <= pages; page += PAGES_PER_DELETION) {
    stop.throwIfAborted();
    await sql`delete from contract_event where event = any(${names}::text[])
      and ctid >= ${`(${page},0)`}::tid and ctid < ${`(${page + PAGES_PER_DELETION},0)`}::tid`.execute(
      database.statements,
    );
    say(`deleting what has moved: ${Math.round((page / (pages + 1)) * 100)} %`);
  }
}

async function renameKeptLogs(tx: SqlExecutor): Promise<void> {
  for (const table of ['undecodable_log', 'conflicting_log'].map((name) => sql.table(name))) {
    await sql`
      update ${table} t set event = f.adopted_as from event_fragment f
      where t.event = f.name and f.adopted_as <> f.name and not exists (select 1 from ${table} o
        where o.event = f.adopted_as and o.chain_id = t.chain_id and o.tx_hash = t.tx_hash and o.log_index = t.log_index
          and o.block_hash = t.block_hash)`.execute(tx);
    await sql`delete from ${table} t using event_fragment f where t.event = f.name and f.adopted_as <> f.name`.execute(
      tx,
    );
  }
}

async function pagesOf(executor: SqlExecutor): Promise<number> {
  const { rows } = await sql<{ pages: string }>`
    select pg_relation_size(${CONTRACT_EVENT}::text::regclass) / current_setting('block_size')::int as pages`.execute(
    executor,
  );
  return Number(rows[0]!.pages);
}
