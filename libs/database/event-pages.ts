import { type RawBuilder, sql } from 'kysely';
import { type Column, type ColumnValue, fromSql } from '#libs/events/column.js';
import type { EventDefinition } from '#libs/events/event.js';
import { type Row, sqlValue } from './condition.js';
import type { SqlExecutor } from './database.js';
import { rowsOf } from './event-relation.js';
import { isFixed, matchingRows, type RowFilter } from './matching-rows.js';

/** One column of an order. */
export interface OrderColumn {
  readonly column: Column;
  readonly descending: boolean;
}

/** Which rows, in which order, from where. */
export interface PageRequest extends RowFilter {
  /** Unique as a whole: see `completeOrder`. */
  readonly order: readonly OrderColumn[];
  /** Values of the order's columns: rows strictly behind them (before them when `backwards`). */
  readonly from: readonly ColumnValue[] | null;
  /** Read from the end: the last rows before `from`. */
  readonly backwards: boolean;
  readonly limit: number;
}

/** Newest first: the order of pages when none is asked for, and the tie breakers of every other. */
const newestFirst: readonly (readonly [property: string, descending: boolean])[] = [
  ['blockTimestamp', true],
  ['chainId', false],
  ['blockNumber', true],
  ['txIndex', true],
  ['logIndex', true],
  // the indexes should decide; chains that number logs per transaction need the hash to be unique
  ['txHash', true],
];

/** The columns asked for, followed by those that make the order unique and are newest first. */
export function completeOrder(event: EventDefinition, asked: readonly OrderColumn[]): OrderColumn[] {
  const order = asked.filter((o, i) => asked.findIndex((other) => other.column === o.column) === i);
  for (const [property, descending] of newestFirst) {
    const column = event.allColumns.find((c) => c.property === property)!;
    if (!order.some((o) => o.column === column)) order.push({ column, descending });
  }
  return order;
}

/** Reads one page by keyset, in the order asked for (also when read backwards). */
export async function readPage(
  executor: SqlExecutor,
  event: EventDefinition,
  request: PageRequest,
): Promise<Row[]> {
  const { order, backwards, from, limit } = request;
  const directions = order.map((o) => ({ ...o, descending: o.descending !== backwards }));
  const by = sql.join(directions.map((o) => orderSql(event, request, o)));
  const within = (range: RawBuilder<unknown>) => sql`
    (select ${columnList(event.allColumns)} from ${matchingRows(event, request)} and ${range} order by ${by} limit ${limit})`;
  const ranges = from ? rangesBehind(directions, from) : [sql`true`];
  const { rows } = await sql<Record<string, unknown>>`
    select * from (${sql.join(ranges.map(within), sql` union all `)}) t order by ${by} limit ${limit}`.execute(
    executor,
  );
  const read = rows.map((row) => rowOf(event.allColumns, row));
  return backwards ? read.reverse() : read;
}

/**
 * One column of the order; rows without a value count as the largest, as in Postgres's indexes. Of the time there are no nulls:
 * where they would stand only tells Postgres which indexes it may follow. Where a
 * filter has one value of an indexed column, the rows come from that column's index, and not from the one by time: that
 * one is quicker while the value is frequent, and reads the whole table when it is no longer (a chain that stood still, a route
 * that was closed), of which the planner knows nothing.
 */
function orderSql(
  event: EventDefinition,
  { condition, order }: PageRequest,
  { column, descending }: OrderColumn,
): RawBuilder<unknown> {
  const isByTime = column === order[0]!.column && column.property === 'blockTimestamp';
  const byNewest = isByTime && !event.allColumns.some((c) => c.indexed && isFixed(condition, c));
  const [direction, nulls] = descending ? ['desc', 'nulls last'] : ['asc', 'nulls first'];
  return sql`t.${sql.ref(column.name)} ${sql.raw(byNewest ? `${direction} ${nulls}` : direction!)}`;
}

/** The row of a key, removed or not, or null. */
export async function readRow(
  executor: SqlExecutor,
  event: EventDefinition,
  key: { chainId: number; txHash: string; logIndex: number },
): Promise<Row | null> {
  const { rows } = await sql<Record<string, unknown>>`
    select ${columnList(event.allColumns)} from ${rowsOf(event)} t
    where chain_id = ${key.chainId} and tx_hash = ${`\\x${key.txHash.slice(2)}`}::text::bytea and log_index = ${key.logIndex}`.execute(
    executor,
  );
  return rows[0] ? rowOf(event.allColumns, rows[0]) : null;
}

/** Columns of table `t`, for `select`. */
export function columnList(columns: readonly Column[]): RawBuilder<unknown> {
  return sql.join(columns.map((c) => sql`t.${sql.ref(c.name)}`));
}

/** A selected row with its values in TypeScript's form. */
export function rowOf(columns: readonly Column[], row: Record<string, unknown>): Row {
  return Object.fromEntries(columns.map((c) => [c.property, fromSql(c.kind, row[c.name])]));
}

/**
 * Rows behind a key, in ranges that an index on the leading columns bounds: those that share the key's first value, and
 * those past it; those without a value, which are past all others, by themselves. In one range a page within many rows of one value (a bridge, a token) would read all before it again.
 */
function rangesBehind(order: readonly OrderColumn[], from: readonly ColumnValue[]): RawBuilder<unknown>[] {
  const [first, ...rest] = order;
  return [sql`${equal(first!, from[0]!)} and ${keyset(rest, from.slice(1))}`, ...past(first!, from[0]!)];
}

const ref = ({ column }: OrderColumn) => sql`t.${sql.ref(column.name)}`;

function equal(o: OrderColumn, value: ColumnValue): RawBuilder<unknown> {
  return value === null ? sql`${ref(o)} is null` : sql`${ref(o)} = ${sqlValue(o.column, value)}`;
}

/** Rows whose value is past this one; null counts as the largest. */
function past(o: OrderColumn, value: ColumnValue): RawBuilder<unknown>[] {
  if (value === null) return o.descending ? [sql`${ref(o)} is not null`] : [];
  const by = sql`${ref(o)} ${sql.raw(o.descending ? '<' : '>')} ${sqlValue(o.column, value)}`;
  return o.descending || !o.column.nullable ? [by] : [by, sql`${ref(o)} is null`];
}

/** Rows behind a key in an order with mixed directions: (a > x) or (a = x and b < y) or … */
function keyset(order: readonly OrderColumn[], from: readonly ColumnValue[]): RawBuilder<unknown> {
  const branches = order.flatMap((o, i) => {
    const same = order.slice(0, i).map((e, j) => equal(e, from[j]!));
    return past(o, from[i]!).map((one) => sql`(${sql.join([...same, one], sql` and `)})`);
  });
  const behind = sql`(${sql.join(branches, sql` or `)})`;
  const [first] = order;
  if (first!.column.nullable) return behind;
  // said once more on the leading column alone, so that its index bounds the scan
  const bound = sql`${ref(first!)} ${sql.raw(first!.descending ? '<=' : '>=')} ${sqlValue(first!.column, from[0]!)}`;
  return sql`${bound} and ${behind}`;
}
