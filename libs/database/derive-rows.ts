import { type RawBuilder, sql } from 'kysely';
import { type Column, columnKinds, fromSql, isInLog, toSql } from '#libs/events/column.js';
import type { DecodedValues } from '#libs/events/event.js';
import { isContended, type SqlExecutor } from './database.js';
import { type Derivation, type DerivationRange, filledNote } from './derivation-plan.js';
import { compareKeys } from './event-rows.js';
import { keyBound, type RowKey } from './feed-log.js';

/** A stored row as far as a derivation needs it. */
export interface RowToDerive {
  readonly txHash: string;
  readonly logIndex: number;
  readonly blockHash: string;
  readonly removed: boolean;
  /** Its raw log; left out where no column needs it. */
  readonly log: { readonly topics: readonly string[]; readonly data: string } | null;
  /** What the columns hold now. */
  readonly values: DecodedValues;
  /** Place of the version that was read: page of the table, and number within it. */
  readonly version: string;
  /** Write that touched it last, by which a row that was touched meanwhile is known. */
  readonly writeId: string;
  /** Its place in the order of rows. */
  readonly key: RowKey;
}

/** Rows of a statement at most: a store that wants one of them waits some 10 ms. */
const ROWS_PER_STATEMENT = 1_000;
/** Parts of other pages between two of the same: what was running when the first one committed has ended when the second one begins. */
const TURNS = 2;

const list = (parts: readonly RawBuilder<unknown>[]) => sql.join(parts, sql`, `);

/** Which rows of a range: behind a key, up to another one, at most so many (null: all). */
export interface RangePage {
  readonly after: RowKey | null;
  readonly upTo: RowKey | null;
  readonly limit: number | null;
}

/** Reads a page of a range, in the order of blocks, which is about the order in which the rows lie in the table. */
export async function rowsToDerive(
  executor: SqlExecutor,
  { event, columns }: Derivation,
  { chainId, fromBlock, toBlock }: DerivationRange,
  { after, upTo, limit }: RangePage,
): Promise<RowToDerive[]> {
  const needsLog = columns.some(isInLog);
  // as text: the driver would make objects of bytes, and of lists
  const hex = (value: RawBuilder<unknown>) => sql`'0x' || encode(${value}, 'hex')`;
  const log = needsLog
    ? [
        sql`${hex(sql`t.data`)} as data`,
        ...[1, 2, 3, 4].map((n) => sql`${hex(sql`t.topics[${sql.lit(n)}]`)} as ${sql.ref(`topic${n}`)}`),
      ]
    : [];
  const { rows } = await sql<Record<string, unknown>>`
    select t.ctid::text as version, t.write_id as write, ${hex(sql`t.tx_hash`)} as tx, t.log_index as n, t.tx_index as tx_n,
      t.block_number as height, ${hex(sql`t.block_hash`)} as block, t.removed as gone,
      ${list([...log, ...columns.map((c) => sql`t.${sql.ref(c.name)} as ${sql.ref(`now_${c.name}`)}`)])}
    from ${sql.table(event.table)} t
    where t.chain_id = ${chainId} and t.block_number >= ${fromBlock} ${toBlock === null ? sql`` : sql`and t.block_number < ${toBlock}`}
      ${after ? sql`and ${keyBound('>', after)}` : sql``} ${upTo ? sql`and ${keyBound('<=', upTo)}` : sql``}
    order by t.block_number, t.tx_index, t.log_index, t.tx_hash limit ${limit}`.execute(executor);
  return rows.map((row) => rowOf(columns, row, needsLog));
}

function rowOf(columns: readonly Column[], row: Record<string, unknown>, needsLog: boolean): RowToDerive {
  const txHash = row.tx as string;
  const logIndex = Number(row.n);
  const topics = [row.topic1, row.topic2, row.topic3, row.topic4].filter(
    (topic) => typeof topic === 'string',
  );
  return {
    txHash,
    logIndex,
    blockHash: row.block as string,
    removed: row.gone as boolean,
    log: needsLog ? { topics, data: row.data as string } : null,
    values: Object.fromEntries(columns.map((c) => [c.property, fromSql(c.kind, row[`now_${c.name}`])])),
    version: row.version as string,
    writeId: row.write as string,
    key: [Number(row.height), Number(row.tx_n), logIndex, txHash],
  };
}

/** A row with what its columns are to hold. */
export interface DerivedRow {
  readonly row: RowToDerive;
  readonly values: DecodedValues;
}

/** Whether a row holds other values than it should. */
export function differs({ columns }: Derivation, { row, values }: DerivedRow): boolean {
  return columns.some(
    ({ kind, property }) => toSql(kind, row.values[property]!) !== toSql(kind, values[property]!),
  );
}

/**
 * Fills the columns of rows, and nothing else: neither `write_id` nor `revision` changes, so that no subscriber hears of it. A row that
 * was touched since it was read is left.
 * @param between is called after each statement, with its milliseconds.
 * @returns the number of rows filled.
 */
export async function fillRows(
  executor: SqlExecutor,
  derivation: Derivation,
  range: DerivationRange,
  rows: readonly DerivedRow[],
  between: (milliseconds: number) => Promise<void>,
): Promise<number> {
  let filled = 0;
  for (const part of onePerPage(rows)) {
    const begun = performance.now();
    try {
      filled += await fillPart(executor, derivation, range, part);
    } catch (error) {
      // a store holds rows of it for long: they are looked at again
      if (!isContended(error)) throw error;
    }
    await between(performance.now() - begun);
  }
  return filled;
}

/**
 * Splits rows into parts, at most one row of each page of the table in each: the new version of a row then fits into its page, in the
 * place of the old version of the row before. Only so Postgres needn't touch the indexes (HOT updates), of which a table has a dozen. The old
 * version must be of no use to anybody by then, so parts of the even pages and of the odd ones take turns.
 * Within a part the rows are in the order of keys, in which all transactions lock them.
 */
function onePerPage(rows: readonly DerivedRow[]): DerivedRow[][] {
  const pages = new Map<string, { turn: number; rows: number }>();
  const parts: DerivedRow[][] = [];
  for (const one of rows) {
    const number = one.row.version.slice(1, one.row.version.indexOf(','));
    const page = pages.get(number) ?? { turn: pages.size % TURNS, rows: 0 };
    pages.set(number, page);
    const part = page.rows++ * TURNS + page.turn;
    parts[part] ??= [];
    parts[part].push(one);
  }
  return parts.flatMap((part) => {
    part.sort(({ row: a }, { row: b }) => compareKeys(a, b));
    return Array.from({ length: Math.ceil(part.length / ROWS_PER_STATEMENT) }, (_, i) =>
      part.slice(i * ROWS_PER_STATEMENT, (i + 1) * ROWS_PER_STATEMENT),
    );
  });
}

/**
 * One statement, and so one transaction: the rows, and that they are filled. They are found by the index of blocks, in whose order they
 * lie; `is not distinct from`, which takes no index, keeps the planner from the key's, where each hash is at another place. Not by
 * `ctid`, which takes no index at all: only what comes through an index clears a page of dead versions (60 % HOT updates instead of 92 %).
 */
async function fillPart(
  executor: SqlExecutor,
  derivation: Derivation,
  range: DerivationRange,
  part: readonly DerivedRow[],
): Promise<number> {
  const { event, columns } = derivation;
  const arrays = columns.map(
    (c) => sql`${part.map(({ values }) => toSql(c.kind, values[c.property]!))}::text[]`,
  );
  const names = columns.map((c) => sql.ref(c.name));
  const ofKey = (n: 0 | 1 | 2) => part.map(({ row }) => row.key[n]);
  const cast = (c: Column) => sql`u.${sql.ref(c.name)}::${sql.raw(columnKinds[c.kind].sqlType)}`;
  const { rows } = await sql<{ filled: string }>`
    with filled as (
      update ${sql.table(event.table)} t set ${list(columns.map((c) => sql`${sql.ref(c.name)} = ${cast(c)}`))}
      from unnest(${ofKey(0)}::bigint[], ${ofKey(1)}::bigint[], ${ofKey(2)}::bigint[],
        ${part.map(({ row }) => `\\x${row.txHash.slice(2)}`)}::text[]::bytea[], ${part.map(({ row }) => row.writeId)}::bigint[], ${list(arrays)})
        as u(block_number, tx_index, log_index, tx_hash, write_id, ${list(names)})
      where t.chain_id = ${range.chainId} and t.block_number = u.block_number and t.tx_index = u.tx_index and t.log_index = u.log_index
        and t.tx_hash is not distinct from u.tx_hash and t.write_id is not distinct from u.write_id
        and (${list(columns.map((c) => sql`t.${sql.ref(c.name)}`))}) is distinct from (${list(columns.map(cast))})
      returning 1),
    noted as (${filledNote(derivation, range, sql`(select count(*) from filled)`)})
    select count(*) as filled from filled`.execute(executor);
  return Number(rows[0]!.filled);
}
