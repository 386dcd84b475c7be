import { type RawBuilder, sql } from 'kysely';
import { bookkeepingColumns, positionColumns, rawColumns } from '#libs/events/base-columns.js';
import { type Column, type ColumnValue, columnKinds, isInLog, toSql } from '#libs/events/column.js';
import type { DecodedValues, EventDefinition } from '#libs/events/event.js';
import { type ChainLog, logKey } from '#libs/events/log.js';
import type { SqlExecutor } from './database.js';
import { type EventPlace, holdFragments } from './event-catalog.js';

/** A decoded log, ready to be stored as a row of its event's table. */
export interface EventRow {
  readonly event: EventDefinition;
  readonly chainId: number;
  readonly log: ChainLog;
  readonly values: DecodedValues;
}

/** A stored row: its key, and the block that it stands in. */
export interface StoredKey {
  readonly txHash: string;
  readonly logIndex: number;
  readonly blockHash: string;
}

/** Rows per statement: enough to make the round trip cheap, few enough to keep one statement's memory at some MB. */
const ROWS_PER_STATEMENT = 5_000;

const key = ['chainId', 'txHash', 'logIndex', 'event'];

const list = (parts: RawBuilder<unknown>[]) => sql.join(parts, sql`, `);

/**
 * Inserts rows, revives removed ones, and moves or leaves those that another block holds.
 * An equal row isn't touched, but it is locked like every other (DESIGN §3.1: `on conflict do update … where <differs>`).
 * @param mode `final`: a row in another block is moved here (final wins). `news`: it stays (see `conflictingRows`).
 * @returns the number of rows touched.
 * @throws UnknownEvents when rows of an event without a folder belong elsewhere by now.
 */
export async function upsertRows(
  tx: SqlExecutor,
  rows: readonly EventRow[],
  writeId: number,
  mode: 'final' | 'news',
): Promise<number> {
  await holdFragments(
    tx,
    rows.filter(({ event }) => event.sharesTable).map(({ event }) => event.name),
  );
  let touched = 0;
  for (const group of statementGroups(rows)) touched += await upsertGroup(tx, group, writeId, mode);
  return touched;
}

/** Splits rows of one event into groups with every key at most once each, in key order (the order of row locks). */
function statementGroups(rows: readonly EventRow[]): EventRow[][] {
  const groups: Map<string, EventRow>[] = [];
  for (const row of rows) {
    const key = logKey(row.log);
    const group = groups.find((g) => g.size < ROWS_PER_STATEMENT && !g.has(key));
    if (group) group.set(key, row);
    else groups.push(new Map([[key, row]]));
  }
  return groups.map((g) => [...g.values()].sort((a, b) => compareKeys(a.log, b.log)));
}

/** Order of keys as Postgres has it: bytes of the hash, then the index. */
export function compareKeys(
  a: Pick<ChainLog, 'txHash' | 'logIndex'>,
  b: Pick<ChainLog, 'txHash' | 'logIndex'>,
): number {
  if (a.txHash !== b.txHash) return a.txHash < b.txHash ? -1 : 1;
  return a.logIndex - b.logIndex;
}

async function upsertGroup(
  tx: SqlExecutor,
  rows: readonly EventRow[],
  writeId: number,
  mode: 'final' | 'news',
): Promise<number> {
  const event = rows[0]!.event;
  const columns = storedColumns(event);
  const names = list(columns.map((c) => sql.ref(c.name)));
  const assignments = list([
    ...columns.map((c) => sql`${sql.ref(c.name)} = excluded.${sql.ref(c.name)}`),
    ...event.columns.filter((c) => !isInLog(c)).map(keptInItsBlock),
  ]);
  // every column, also those that follow from the raw log: what is stored again is thereby repaired
  const content = columns.filter((c) => !key.includes(c.property));
  const old = list(content.map((c) => sql`t.${sql.ref(c.name)}`));
  const stated = list(content.map((c) => sql`excluded.${sql.ref(c.name)}`));
  const mayTake = mode === 'final' ? sql`true` : sql`(t.removed or t.block_hash = excluded.block_hash)`;
  const result = await sql`
    insert into ${sql.table(event.table)} as t (${names}, removed, revision, write_id)
    select ${names}, false, 0, ${writeId}::bigint from ${unnested(columns, rows)}
    order by chain_id, tx_hash, log_index
    on conflict (${event.sharesTable ? sql`chain_id, tx_hash, log_index, event` : sql`chain_id, tx_hash, log_index`}) do update
    set ${assignments}, removed = false, revision = t.revision + 1, write_id = excluded.write_id
    where (t.removed or (${old}) is distinct from (${stated})) and ${mayTake}`.execute(tx);
  return Number(result.numAffectedRows ?? 0);
}

/** What the chain was asked for holds as long as the row stands in the same block; in another one it is asked for again. */
function keptInItsBlock({ name }: Column): RawBuilder<unknown> {
  return sql`${sql.ref(name)} = case when t.block_hash = excluded.block_hash then t.${sql.ref(name)} end`;
}

/**
 * Puts rows of one event into its table as they are, bookkeeping (`removed`, `revision`, `writeId` among the values) included; one
 * that has the same write there, or a later one, isn't touched. Each key at most once.
 */
export async function putRows(
  tx: SqlExecutor,
  event: EventDefinition,
  rows: readonly EventRow[],
): Promise<void> {
  const columns = [...storedColumns(event), ...bookkeepingColumns];
  const names = list(columns.map((c) => sql.ref(c.name)));
  await sql`
    insert into ${sql.table(event.table)} as t (${names})
    select ${names} from ${unnested(columns, rows)} order by chain_id, tx_hash, log_index
    on conflict (chain_id, tx_hash, log_index) do update
    set ${list(columns.map((c) => sql`${sql.ref(c.name)} = excluded.${sql.ref(c.name)}`))}
    where t.write_id < excluded.write_id`.execute(tx);
}

/** The columns of an event that follow from its log: all but the bookkeeping, and what only the chain can say. */
export function storedColumns(event: EventDefinition): readonly Column[] {
  return [...positionColumns, ...event.storedColumns, ...rawColumns];
}

/** `(select …) as stated`: the rows as a relation, each column an array of text that Postgres casts. */
function unnested(columns: readonly Column[], rows: readonly EventRow[]): RawBuilder<unknown> {
  const arrays = list(
    columns.map((c) => sql`${rows.map((row) => toSql(c.kind, columnValue(row, c)))}::text[]`),
  );
  const names = list(columns.map((c) => sql.ref(c.name)));
  const casts = list(
    columns.map(
      (c) => sql`u.${sql.ref(c.name)}::${sql.raw(columnKinds[c.kind].sqlType)} as ${sql.ref(c.name)}`,
    ),
  );
  return sql`(select ${casts} from unnest(${arrays}) as u(${names})) as stated`;
}

/** What a column of the row that a log becomes holds. */
export function columnValue(row: EventRow, column: Column): ColumnValue {
  if (column.property === 'chainId') return row.chainId;
  if (column.property === 'blockTimestamp') return new Date(row.log.blockTimestamp * 1000);
  const value = row.values[column.property];
  return value === undefined ? (row.log[column.property as keyof ChainLog] as ColumnValue) : value;
}

/** Rows of this event, of the table `t` that it may share with others. */
export function ofEvent({ name, sharesTable }: EventPlace): RawBuilder<unknown> {
  return sharesTable ? sql`t.event = ${name}` : sql`true`;
}

/**
 * Those of the rows that another block holds in the table, with that block's hash: what `upsertRows` in mode `news`
 * left alone. Call it in the same transaction, after it.
 */
export async function conflictingRows(
  tx: SqlExecutor,
  rows: readonly EventRow[],
): Promise<{ row: EventRow; heldBy: string }[]> {
  const conflicts: { row: EventRow; heldBy: string }[] = [];
  for (const group of statementGroups(rows)) {
    const { event } = group[0]!;
    const { rows: found } = await sql<{ index: string; held_by: string }>`
      select s.index, '0x' || encode(t.block_hash, 'hex') as held_by
      from unnest(${group.map((r) => `\\x${r.log.txHash.slice(2)}`)}::text[], ${group.map((r) => r.log.logIndex)}::bigint[],
        ${group.map((r) => `\\x${r.log.blockHash.slice(2)}`)}::text[]) with ordinality as s(tx_hash, log_index, block_hash, index)
      join ${sql.table(event.table)} t on ${ofEvent(event)} and t.chain_id = ${group[0]!.chainId} and t.tx_hash = s.tx_hash::bytea and t.log_index = s.log_index
      where not t.removed and t.block_hash <> s.block_hash::bytea`.execute(tx);
    for (const { index, held_by } of found)
      conflicts.push({ row: group[Number(index) - 1]!, heldBy: held_by });
  }
  return conflicts;
}

/** Which rows of an event are to be marked as removed. */
type RemovedRows = RawBuilder<unknown>;

const bytesOf = (values: readonly string[]) => values.map((value) => `\\x${value.slice(2)}`);

/** The rows of dropped blocks. @param above only rows above this height, so that the index by height finds them. */
export function ofBlocks(above: number, hashes: readonly string[]): RemovedRows {
  return sql`t.block_number > ${above} and t.block_hash = any(${bytesOf(hashes)}::text[]::bytea[])`;
}

/** All rows above a height. */
export function above(height: number): RemovedRows {
  return sql`t.block_number > ${height}`;
}

/** Rows by key, as long as they stand in these blocks. */
export function ofKeys(rows: readonly StoredKey[]): RemovedRows {
  return sql`(t.tx_hash, t.log_index, t.block_hash) in (select tx_hash::bytea, log_index, block_hash::bytea
    from unnest(${bytesOf(rows.map((r) => r.txHash))}::text[], ${rows.map((r) => r.logIndex)}::bigint[],
      ${bytesOf(rows.map((r) => r.blockHash))}::text[]) as k(tx_hash, log_index, block_hash))`;
}

/** Marks rows as removed; they are never deleted, since consumers must learn of the removal. @returns their number. */
export async function removeRows(
  tx: SqlExecutor,
  event: EventPlace,
  chainId: number,
  which: RemovedRows,
  writeId: number,
): Promise<number> {
  const table = sql.table(event.table);
  const result = await sql`
    with dead as (
      select t.tx_hash, t.log_index from ${table} t
      where ${ofEvent(event)} and t.chain_id = ${chainId} and ${which} and not t.removed
      order by t.tx_hash, t.log_index for update)
    update ${table} t set removed = true, revision = t.revision + 1, write_id = ${writeId}
    from dead where ${ofEvent(event)} and t.chain_id = ${chainId} and t.tx_hash = dead.tx_hash and t.log_index = dead.log_index`.execute(
    tx,
  );
  return Number(result.numAffectedRows ?? 0);
}

/** Heights above another at which the chain has rows of an event of some contracts. */
export async function heightsWithRows(
  tx: SqlExecutor,
  event: EventPlace,
  { chainId, above, addresses }: { chainId: number; above: number; addresses: readonly string[] },
): Promise<number[]> {
  const { rows } = await sql<{ block_number: string }>`
    select distinct block_number from ${sql.table(event.table)} t
    where ${ofEvent(event)} and chain_id = ${chainId} and block_number > ${above} and not removed
      and address = any(${addresses.map((address) => `\\x${address.slice(2)}`)}::text[]::bytea[])`.execute(
    tx,
  );
  return rows.map((row) => Number(row.block_number));
}
