import { sql } from 'kysely';
import { commonColumns } from '#libs/events/base-columns.js';
import { type ColumnValue, fromSql } from '#libs/events/column.js';
import type { EventDefinition } from '#libs/events/event.js';
import { CONTRACT_EVENT } from '#libs/events/json-event.js';
import type { ChainLog } from '#libs/events/log.js';
import type { Database, SqlExecutor } from './database.js';
import { decodeOne } from './decode-logs.js';
import { type EventRow, putRows } from './event-rows.js';
import { type KeptLog, keepLogs } from './kept-logs.js';

/** An event whose rows are moved out of the table of all events without a folder. */
export interface Move {
  /** Its name there. */
  readonly name: string;
  /** The folder's event, into whose table they go. */
  readonly event: EventDefinition;
}

/** Rows whose last write was behind `after`, up to `upTo`. */
export interface WriteRange {
  readonly after: number;
  readonly upTo: number;
}

/** Rows per transaction: some 100 ms. */
const ROWS_PER_BATCH = 2_500;
/** Characters of data per transaction, as far as the batch before tells; of the first one nothing is known. */
const DATA_PER_BATCH = 4_000_000;
const FIRST_ROWS = 250;
/** Decoding the next batch may keep the process from a transaction for longer than others may be away from theirs. */
const IDLE_MS = 60_000;

/** A row as it is kept: its log, and how it came to be as it is. */
interface KeptRow {
  readonly chainId: number;
  readonly log: ChainLog;
  readonly bookkeeping: { readonly removed: boolean; readonly revision: number; readonly writeId: number };
}

/** A batch: rows of the new table, and the logs that its event's code can't read. */
interface Batch {
  readonly rows: readonly EventRow[];
  readonly broken: readonly KeptLog[];
  readonly last: KeptRow;
  /** Rows that the next one should have. */
  readonly nextRows: number;
}

/**
 * Copies rows as they are, in the order of their writes, a transaction for each batch; one that is there as it is is passed over.
 * @param copied is told after each batch how many rows it had. @param stop ends it between two batches.
 */
export async function copyRows(
  database: Database,
  move: Move,
  range: WriteRange,
  copied: (rows: number) => void,
  stop: AbortSignal,
): Promise<void> {
  let batch = await readBatch(database.statements, move, range, null);
  while (batch) {
    stop.throwIfAborted();
    const { rows, broken } = batch;
    // the next one is read and decoded while Postgres stores this one
    const next = readBatch(database.statements, move, range, batch);
    const storing = database.transaction(async (tx) => {
      await sql`select set_config('idle_in_transaction_session_timeout', ${String(IDLE_MS)}, true)`.execute(
        tx,
      );
      await storeBatch(tx, move.event, { rows, broken });
    });
    [batch] = await Promise.all([next, storing]);
    copied(rows.length + broken.length);
  }
}

/** Copies rows within a transaction. @returns their number. */
export async function copyRowsWithin(tx: SqlExecutor, move: Move, range: WriteRange): Promise<number> {
  let copied = 0;
  for (
    let batch = await readBatch(tx, move, range, null);
    batch;
    batch = await readBatch(tx, move, range, batch)
  ) {
    await storeBatch(tx, move.event, batch);
    copied += batch.rows.length + batch.broken.length;
  }
  return copied;
}

async function storeBatch(
  tx: SqlExecutor,
  event: EventDefinition,
  { rows, broken }: Pick<Batch, 'rows' | 'broken'>,
): Promise<void> {
  if (rows.length) await putRows(tx, event, rows);
  await keepLogs(tx, 'undecodable_log', broken);
}

/** @param before the batch before. @returns null when there are no more rows. */
async function readBatch(
  executor: SqlExecutor,
  move: Move,
  range: WriteRange,
  before: Batch | null,
): Promise<Batch | null> {
  const kept = await readRows(executor, move, range, before?.last ?? null, before?.nextRows ?? FIRST_ROWS);
  if (!kept.length) return null;
  const rows: EventRow[] = [];
  const broken: KeptLog[] = [];
  for (const row of kept) {
    const decoded = decode(move.event, row);
    if ('values' in decoded) rows.push(decoded);
    // the log of a removed row is of no block of the chain: nothing is missed
    else if (!row.bookkeeping.removed) broken.push(decoded);
  }
  const data = kept.reduce((sum, { log }) => sum + log.data.length, 0) / kept.length;
  const nextRows = Math.ceil(Math.min(ROWS_PER_BATCH, DATA_PER_BATCH / data));
  return { rows, broken, last: kept.at(-1)!, nextRows };
}

function decode(event: EventDefinition, { chainId, log, bookkeeping }: KeptRow): EventRow | KeptLog {
  const decoded = decodeOne(event, chainId, log);
  if (!decoded) return { chainId, event: event.name, log, reason: `${event.name} has other topics` };
  return 'values' in decoded ? { ...decoded, values: { ...decoded.values, ...bookkeeping } } : decoded;
}

async function readRows(
  executor: SqlExecutor,
  { name, event }: Move,
  { after, upTo }: WriteRange,
  behind: KeptRow | null,
  limit: number,
): Promise<KeptRow[]> {
  const from = behind
    ? sql`t.write_id >= ${behind.bookkeeping.writeId} and (t.write_id, t.chain_id, t.tx_hash, t.log_index) >
        (${behind.bookkeeping.writeId}, ${behind.chainId}, ${`\\x${behind.log.txHash.slice(2)}`}::text::bytea, ${behind.log.logIndex})`
    : sql`t.write_id > ${after}`;
  const { rows } = await sql<Record<string, unknown>>`
    select ${sql.join(commonColumns.map((column) => sql`t.${sql.ref(column.name)}`))} from ${sql.table(CONTRACT_EVENT)} t
    where t.event = ${name} and ${from} and t.write_id <= ${upTo}
      -- a look-up for each row, whatever the planner knows of a table that is being filled
      and t.write_id is distinct from (select n.write_id from ${sql.table(event.table)} n
        where n.chain_id = t.chain_id and n.tx_hash = t.tx_hash and n.log_index = t.log_index)
    order by t.write_id, t.chain_id, t.tx_hash, t.log_index limit ${limit}`.execute(executor);
  return rows.map(keptRow);
}

function keptRow(row: Record<string, unknown>): KeptRow {
  const read = Object.fromEntries(commonColumns.map((c) => [c.property, fromSql(c.kind, row[c.name])]));
  const { chainId, blockTimestamp, removed, revision, writeId, ...log } = read as Record<string, ColumnValue>;
  return {
    chainId: chainId as number,
    log: { ...log, blockTimestamp: (blockTimestamp as Date).getTime() / 1_000 } as unknown as ChainLog,
    bookkeeping: { removed, revision, writeId } as KeptRow['bookkeeping'],
  };
}
