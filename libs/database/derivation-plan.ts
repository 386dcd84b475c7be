import { type RawBuilder, sql } from 'kysely';
import type { Column } from '#libs/events/column.js';
import type { EventDefinition } from '#libs/events/event.js';
import type { Database, SqlExecutor } from './database.js';

/** Columns of an event that are filled together. */
export interface Derivation {
  readonly event: EventDefinition;
  readonly columns: readonly Column[];
}

/** Blocks of a chain whose rows are filled by one process; half-open, null: no end. */
export interface DerivationRange {
  readonly chainId: number;
  readonly fromBlock: number;
  readonly toBlock: number | null;
}

/** A row whose columns stay as they are, with the reason. */
export interface UnderivedRow {
  readonly txHash: string;
  readonly logIndex: number;
  readonly blockNumber: number;
  readonly reason: string;
}

/** How far a derivation is, over some chains. */
export interface DerivationProgress {
  readonly ranges: number;
  readonly rangesDone: number;
  /** Rows when the work was divided, and those in ranges that are done. */
  readonly rows: number;
  readonly rowsDone: number;
  readonly filled: number;
  readonly unreadable: number;
  readonly unanswered: number;
}

/** Rows of a range: read in one or a few pages, and what a process that is killed has to look at again. */
const ROWS_PER_RANGE = 10_000;

/** A process that hasn't filled a row for this long is taken for dead; if it isn't, two do the same, which does no harm. */
const CLAIM_SECONDS = 10;

const columnNames = ({ columns }: Derivation) =>
  columns
    .map((column) => column.name)
    .sort()
    .join(',');

/** The rows of `derivation_range` and `underived_row` that belong to a derivation. */
const itsOwn = (derivation: Derivation): RawBuilder<unknown> =>
  sql`event = ${derivation.event.name} and columns = ${columnNames(derivation)}`;

/** Whether there are ranges of some chains that are not done: of this run, or left by an earlier one. */
export async function isUnfinished(
  executor: SqlExecutor,
  derivation: Derivation,
  chainIds: readonly number[],
): Promise<boolean> {
  const { ranges, rangesDone } = await derivationProgress(executor, derivation, chainIds);
  return ranges > rangesDone;
}

/**
 * Divides the rows of a chain into ranges of blocks, unless that is done and some are left. Several processes may call it at once.
 * @param run `first`: what an earlier run did is forgotten, unless some is left; `anew`: also then; `rest` of an earlier run: if it came to
 *   this chain, it isn't divided again, also where all of it is done.
 */
export function divideWork(
  database: Database,
  derivation: Derivation,
  chainId: number,
  run: 'first' | 'anew' | 'rest',
): Promise<void> {
  const { event } = derivation;
  const names = columnNames(derivation);
  return database.transaction(async (tx) => {
    // another process may be dividing millions of rows
    await sql`set local lock_timeout = '10min'`.execute(tx);
    await sql`select pg_advisory_xact_lock(hashtextextended(${`derive ${event.name} ${names} ${chainId}`}, 0))`.execute(
      tx,
    );
    const kept =
      await sql`select 1 from derivation_range where ${itsOwn(derivation)} and chain_id = ${chainId}
      ${run === 'rest' ? sql`` : sql`and done_at is null`} limit 1`.execute(tx);
    if (kept.rows.length && run !== 'anew') return;
    for (const table of ['derivation_range', 'underived_row'])
      await sql`delete from ${sql.table(table)} where ${itsOwn(derivation)} and chain_id = ${chainId}`.execute(
        tx,
      );
    // by the index of heights alone; a block belongs to one range as a whole
    await sql`
      with numbered as (
        select block_number, row_number() over (order by block_number) as n from ${sql.table(event.table)} where chain_id = ${chainId}),
      starts as (
        select block_number, min(n) as n from numbered where (n - 1) % ${ROWS_PER_RANGE} = 0 group by block_number)
      insert into derivation_range (event, columns, chain_id, from_block, to_block, rows)
      select ${event.name}, ${names}, ${chainId}::bigint, case when n = 1 then 0 else block_number end, lead(block_number) over w,
        coalesce(lead(n) over w, (select max(n) + 1 from numbered)) - n
      from starts window w as (order by n)`.execute(tx);
  });
}

/** Takes a range that nobody works on, the newest first. @returns null when there is none now. */
export async function claimRange(
  executor: SqlExecutor,
  derivation: Derivation,
  chainIds: readonly number[],
): Promise<DerivationRange | null> {
  const { rows } = await sql<{ chain_id: string; from_block: string; to_block: string | null }>`
    update derivation_range r set claimed_until = clock_timestamp() + ${CLAIM_SECONDS} * interval '1 second'
    from (select event, columns, chain_id, from_block from derivation_range
      where ${itsOwn(derivation)} and chain_id = any(${chainIds}::bigint[]) and done_at is null
        and (claimed_until is null or claimed_until < clock_timestamp())
      order by chain_id, from_block desc limit 1 for update skip locked) free
    where (r.event, r.columns, r.chain_id, r.from_block) = (free.event, free.columns, free.chain_id, free.from_block)
    returning r.chain_id, r.from_block, r.to_block`.execute(executor);
  const row = rows[0];
  if (!row) return null;
  const toBlock = row.to_block === null ? null : Number(row.to_block);
  return { chainId: Number(row.chain_id), fromBlock: Number(row.from_block), toBlock };
}

const thisRange = (derivation: Derivation, { chainId, fromBlock }: DerivationRange): RawBuilder<unknown> =>
  sql`${itsOwn(derivation)} and chain_id = ${chainId} and from_block = ${fromBlock}`;

/** The part of a statement that notes how many rows of a range it fills, and that somebody still works on it. */
export function filledNote(
  derivation: Derivation,
  range: DerivationRange,
  filled: RawBuilder<unknown>,
): RawBuilder<unknown> {
  return sql`update derivation_range set filled = filled + ${filled},
      claimed_until = clock_timestamp() + ${CLAIM_SECONDS} * interval '1 second'
    where ${thisRange(derivation, range)}`;
}

/** Notes that a range is done, and which of its rows were left. */
export function finishRange(
  database: Database,
  derivation: Derivation,
  range: DerivationRange,
  left: { readonly unreadable: readonly UnderivedRow[]; readonly unanswered: number },
): Promise<void> {
  const { unreadable, unanswered } = left;
  return database.transaction(async (tx) => {
    await sql`update derivation_range set done_at = now(), unreadable = ${unreadable.length}, unanswered = ${unanswered}
      where ${thisRange(derivation, range)}`.execute(tx);
    if (!unreadable.length) return;
    await sql`
      insert into underived_row (event, columns, chain_id, tx_hash, log_index, block_number, reason)
      select ${derivation.event.name}, ${columnNames(derivation)}, ${range.chainId}::bigint, u.tx_hash::bytea, u.log_index, u.block_number, u.reason
      from unnest(${unreadable.map((row) => `\\x${row.txHash.slice(2)}`)}::text[], ${unreadable.map((row) => row.logIndex)}::bigint[],
        ${unreadable.map((row) => row.blockNumber)}::bigint[], ${unreadable.map((row) => row.reason)}::text[])
        as u(tx_hash, log_index, block_number, reason)
      on conflict (event, columns, chain_id, tx_hash, log_index) do update set reason = excluded.reason, block_number = excluded.block_number`.execute(
      tx,
    );
  });
}

/** How far it is. */
export async function derivationProgress(
  executor: SqlExecutor,
  derivation: Derivation,
  chainIds: readonly number[],
): Promise<DerivationProgress> {
  const { rows } = await sql<Record<keyof DerivationProgress, string>>`
    select count(*) as ranges, count(done_at) as "rangesDone", coalesce(sum(rows), 0) as rows,
      coalesce(sum(rows) filter (where done_at is not null), 0) as "rowsDone", coalesce(sum(filled), 0) as filled,
      coalesce(sum(unreadable), 0) as unreadable, coalesce(sum(unanswered), 0) as unanswered
    from derivation_range where ${itsOwn(derivation)} and chain_id = any(${chainIds}::bigint[])`.execute(
    executor,
  );
  const [row] = rows;
  return Object.fromEntries(
    Object.entries(row!).map(([name, value]) => [name, Number(value)]),
  ) as unknown as DerivationProgress;
}

/** The rows that were left since their logs can't be read, in the order of blocks. */
export async function underivedRows(
  executor: SqlExecutor,
  derivation: Derivation,
  chainIds: readonly number[],
  limit: number,
): Promise<(UnderivedRow & { readonly chainId: number })[]> {
  const { rows } = await sql<{
    chain_id: string;
    tx_hash: string;
    log_index: string;
    block_number: string;
    reason: string;
  }>`
    select chain_id, '0x' || encode(tx_hash, 'hex') as tx_hash, log_index, block_number, reason from underived_row
    where ${itsOwn(derivation)} and chain_id = any(${chainIds}::bigint[])
    order by chain_id, block_number, log_index, tx_hash limit ${limit}`.execute(executor);
  return rows.map((row) => ({
    chainId: Number(row.chain_id),
    txHash: row.tx_hash,
    logIndex: Number(row.log_index),
    blockNumber: Number(row.block_number),
    reason: row.reason,
  }));
}

/** Chains that have or had a leader, and with it rows. */
export async function chainIds(executor: SqlExecutor): Promise<number[]> {
  const { rows } = await sql<{ chain_id: string }>`select chain_id from chain order by chain_id`.execute(
    executor,
  );
  return rows.map((row) => Number(row.chain_id));
}
