import { type RawBuilder, sql } from 'kysely';
import type { Column } from '#libs/events/column.js';
import type { EventDefinition } from '#libs/events/event.js';
import type { Row } from './condition.js';
import type { SqlExecutor } from './database.js';
import { currentName } from './event-catalog.js';
import { columnList, rowOf } from './event-pages.js';
import { rowsOf } from './event-relation.js';

/** An entry of the commit log as a reader sees it. */
export type FeedEntry =
  | {
      readonly kind: 'write';
      readonly position: number;
      /** Moment of the commit by the database's clock. */
      readonly committedAt: Date;
      readonly chainId: number;
      readonly event: string;
      readonly writeId: number;
    }
  | {
      readonly kind: 'finality';
      readonly position: number;
      readonly committedAt: Date;
      readonly chainId: number;
      readonly from: number | null;
      /** Lower than before, or null (nothing is final), after a repair. */
      readonly to: number | null;
    };

/** Where a row stands within its position: block, transaction, log, and the transaction's hash. */
export type RowKey = readonly [blockNumber: number, txIndex: number, logIndex: number, txHash: string];

/** The last position, and the id of the ledger that it belongs to. */
export async function feedHead(executor: SqlExecutor): Promise<{ position: number; epoch: string }> {
  const { rows } = await sql<{ position: string; epoch: string }>`
    select position, epoch from feed_counter where id = 1`.execute(executor);
  return { position: Number(rows[0]!.position), epoch: rows[0]!.epoch };
}

/** Entries behind a position, in order. What is visible is always a prefix: positions are taken in commit order. */
export async function entriesAfter(
  executor: SqlExecutor,
  position: number,
  limit: number,
): Promise<FeedEntry[]> {
  const { rows } = await sql<Record<string, string | null>>`
    select position, kind, chain_id, event, write_id, from_block, to_block, committed_at from feed_commit
    where position > ${position} order by position limit ${limit}`.execute(executor);
  return rows.map((row) => {
    const base = {
      position: Number(row.position),
      chainId: Number(row.chain_id),
      committedAt: new Date(row.committed_at!),
    };
    if (row.kind === 'write')
      return { ...base, kind: 'write', event: row.event!, writeId: Number(row.write_id) };
    return {
      ...base,
      kind: 'finality',
      from: row.from_block === null ? null : Number(row.from_block),
      to: row.to_block === null ? null : Number(row.to_block),
    };
  });
}

/**
 * Finality as of a position: the `to` of the chain's last finality entry at or before it; a block of null when there is none.
 * @returns null when the entry at that position isn't stored any more: then what was final as of it isn't known either.
 */
export async function finalityAsOf(
  executor: SqlExecutor,
  chainId: number,
  position: number,
): Promise<{ block: number | null } | null> {
  const { rows } = await sql<{ to_block: string | null }>`
    select (select to_block from feed_commit
      where chain_id = ${chainId} and kind = 'finality' and position <= ${position}
      order by position desc limit 1) as to_block
    from feed_commit where position = ${position}`.execute(executor);
  if (!rows[0]) return null;
  const { to_block: block } = rows[0];
  return { block: block === null ? null : Number(block) };
}

/** Whether an entry is still stored. Entries are pruned from the first one on: what was read of it and behind it before was whole. */
export async function isStored(executor: SqlExecutor, position: number): Promise<boolean> {
  const { rows } = await sql`select 1 from feed_commit where position = ${position}`.execute(executor);
  return rows.length > 0;
}

/** Rows whose last touch was this write, in the order of blocks, behind `after`; a row touched again has left it. */
export async function rowsOfWrite(
  executor: SqlExecutor,
  event: EventDefinition,
  entry: FeedEntry & { kind: 'write' },
  after: RowKey | null,
  limit: number,
): Promise<Row[]> {
  return rowsWhere(
    executor,
    event,
    sql`t.write_id = ${entry.writeId} and t.chain_id = ${entry.chainId}`,
    after,
    limit,
  );
}

/**
 * Rows that became final by this entry: of its heights, last touched at an earlier position, in the chain. Those touched
 * at a later one are told there. Entries of earlier positions may have been pruned, so it asks for a later one.
 */
export async function rowsOfFinality(
  executor: SqlExecutor,
  event: EventDefinition,
  entry: FeedEntry & { kind: 'finality' },
  after: RowKey | null,
  limit: number,
): Promise<Row[]> {
  const condition = sql`t.chain_id = ${entry.chainId} and t.block_number > ${entry.from ?? -1} and t.block_number <= ${entry.to ?? -1}
    and not t.removed and not exists (select 1 from feed_commit f where f.write_id = t.write_id
      and f.chain_id = t.chain_id and ${currentName(sql`f.event`)} = ${event.name} and f.position > ${entry.position})`;
  return rowsWhere(executor, event, condition, after, limit);
}

/** Whether a row of table `t` stands behind a key, or up to it, in the order of blocks. */
export function keyBound(
  operator: '>' | '<=',
  [block, txIndex, logIndex, txHash]: RowKey,
): RawBuilder<unknown> {
  const hash = sql`${`\\x${txHash.slice(2)}`}::text::bytea`;
  return sql`(t.block_number, t.tx_index, t.log_index, t.tx_hash) ${sql.raw(operator)} (${block}, ${txIndex}, ${logIndex}, ${hash})`;
}

/** Rows of an event as readers see them that meet a condition on table `t`, in the order of blocks, behind `after`. */
export function rowsWhere(
  executor: SqlExecutor,
  event: EventDefinition,
  condition: RawBuilder<unknown>,
  after: RowKey | null,
  limit: number,
): Promise<Row[]> {
  return rowsInOrder(executor, { columns: event.allColumns, from: rowsOf(event), condition }, after, limit);
}

/** What is read of rows: columns of a relation that is called `t`, and a condition on it. */
interface RowSelection {
  readonly columns: readonly Column[];
  readonly from: RawBuilder<unknown>;
  readonly condition: RawBuilder<unknown>;
}

/** Rows in the order of blocks, behind `after`. */
export async function rowsInOrder(
  executor: SqlExecutor,
  { columns, from, condition }: RowSelection,
  after: RowKey | null,
  limit: number,
): Promise<Row[]> {
  const behind = after ? sql`and ${keyBound('>', after)}` : sql``;
  const { rows } = await sql<Record<string, unknown>>`
    select ${columnList(columns)} from ${from} t where ${condition} ${behind}
    order by t.block_number, t.tx_index, t.log_index, t.tx_hash limit ${limit}`.execute(executor);
  return rows.map((row) => rowOf(columns, row));
}

/** The key of a row within its position. */
export function rowKey(row: Row): RowKey {
  return [row.blockNumber as number, row.txIndex as number, row.logIndex as number, row.txHash as string];
}

/**
 * The position from which on final events of a chain may be taken back, by chain; chains of which none ever was are left out.
 */
export async function retractedAtByChain(executor: SqlExecutor): Promise<Map<number, number>> {
  const { rows } = await sql<{ chain_id: string; retracted_at: string }>`
    select chain_id, retracted_at from chain where retracted_at is not null`.execute(executor);
  return new Map(rows.map((row) => [Number(row.chain_id), Number(row.retracted_at)]));
}

/** First block of news of each source, by `chainId address event`; what lies below is history. */
export async function liveFromBySource(executor: SqlExecutor): Promise<Map<string, number>> {
  const { rows } = await sql<{ key: string; live_from: string }>`
    select chain_id || ' 0x' || encode(address, 'hex') || ' ' || event as key, live_from
    from source where live_from is not null`.execute(executor);
  return new Map(rows.map((row) => [row.key, Number(row.live_from)]));
}
