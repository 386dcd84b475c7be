import { sql } from 'kysely';
import { hexListLiteral } from '#libs/events/column-types.js';
import type { ChainLog } from '#libs/events/log.js';
import type { SqlExecutor } from './database.js';
import { currentName, type EventPlace } from './event-catalog.js';
import { ofEvent } from './event-rows.js';

/** A log that is kept aside with the reason: undecodable, or claiming the key of another block's row. */
export interface KeptLog {
  readonly chainId: number;
  /** Name of the event type that the log claims to be. */
  readonly event: string;
  readonly log: ChainLog;
  readonly reason: string;
}

/** Tables for logs that are kept aside. */
export type KeptLogTable = 'undecodable_log' | 'conflicting_log';

const TABLES: readonly KeptLogTable[] = ['undecodable_log', 'conflicting_log'];

/** Keeps logs aside; one that is there already stays as it is. */
export async function keepLogs(
  tx: SqlExecutor,
  table: KeptLogTable,
  logs: readonly KeptLog[],
): Promise<void> {
  if (!logs.length) return;
  const bytes = (values: string[]) => values.map((value) => `\\x${value.slice(2)}`);
  await sql`
    insert into ${sql.table(table)} (chain_id, event, tx_hash, log_index, block_hash, block_number, block_timestamp,
      tx_index, address, topics, data, reason)
    select chain_id, ${currentName(sql`event`)}, tx_hash::bytea, log_index, block_hash::bytea, block_number, to_timestamp(block_timestamp),
      tx_index, address::bytea, topics::bytea[], data::bytea, reason
    from unnest(
      ${logs.map((l) => l.chainId)}::bigint[], ${logs.map((l) => l.event)}::text[], ${bytes(logs.map((l) => l.log.txHash))}::text[],
      ${logs.map((l) => l.log.logIndex)}::bigint[], ${bytes(logs.map((l) => l.log.blockHash))}::text[],
      ${logs.map((l) => l.log.blockNumber)}::bigint[], ${logs.map((l) => l.log.blockTimestamp)}::bigint[],
      ${logs.map((l) => l.log.txIndex)}::bigint[], ${bytes(logs.map((l) => l.log.address))}::text[],
      ${logs.map((l) => hexListLiteral(l.log.topics))}::text[], ${bytes(logs.map((l) => l.log.data))}::text[],
      ${logs.map((l) => l.reason)}::text[])
      as l(chain_id, event, tx_hash, log_index, block_hash, block_number, block_timestamp, tx_index, address, topics, data, reason)
    order by chain_id, tx_hash, log_index, block_hash, event
    on conflict do nothing`.execute(tx);
}

/** Which of these broken logs are not kept aside. */
export async function notKept(tx: SqlExecutor, logs: readonly KeptLog[]): Promise<KeptLog[]> {
  if (!logs.length) return [];
  const bytes = (values: string[]) => values.map((value) => `\\x${value.slice(2)}`);
  const { rows } = await sql<{ n: string }>`
    select l.n from unnest(${logs.map((l) => l.chainId)}::bigint[], ${logs.map((l) => l.event)}::text[],
      ${bytes(logs.map((l) => l.log.txHash))}::text[], ${logs.map((l) => l.log.logIndex)}::bigint[],
      ${bytes(logs.map((l) => l.log.blockHash))}::text[]) with ordinality as l(chain_id, event, tx_hash, log_index, block_hash, n)
    where not exists (select 1 from undecodable_log u where u.chain_id = l.chain_id and u.event = l.event
      and u.tx_hash = l.tx_hash::bytea and u.log_index = l.log_index and u.block_hash = l.block_hash::bytea)`.execute(
    tx,
  );
  return rows.map(({ n }) => logs[Number(n) - 1]!);
}

/**
 * Forgets the logs kept aside in blocks [from, to] that are rows by now: the event's code was mended, or history gave the key to
 * the block that claimed it.
 */
export async function forgetStoredLogs(
  tx: SqlExecutor,
  event: EventPlace,
  { chainId, from, to }: { chainId: number; from: number; to: number },
): Promise<void> {
  for (const table of TABLES)
    await sql`
      delete from ${sql.table(table)} k
      where k.chain_id = ${chainId} and k.event = ${event.name} and k.block_number between ${from} and ${to}
        and exists (select 1 from ${sql.table(event.table)} t where ${ofEvent(event)} and t.chain_id = k.chain_id
          and t.tx_hash = k.tx_hash and t.log_index = k.log_index and t.block_hash = k.block_hash and not t.removed)`.execute(
      tx,
    );
}

/** Forgets the logs kept aside of all blocks above a height. */
export async function forgetKeptLogsAbove(tx: SqlExecutor, chainId: number, height: number): Promise<void> {
  for (const table of TABLES)
    await sql`delete from ${sql.table(table)} where chain_id = ${chainId} and block_number > ${height}`.execute(
      tx,
    );
}

/** Forgets the logs kept aside of blocks that a reorg dropped: they are no longer of the chain. */
export async function forgetKeptLogs(
  tx: SqlExecutor,
  chainId: number,
  blockHashes: readonly string[],
): Promise<void> {
  const hashes = blockHashes.map((hash) => `\\x${hash.slice(2)}`);
  for (const table of TABLES) {
    await sql`
      delete from ${sql.table(table)}
      where chain_id = ${chainId} and block_hash = any(${hashes}::text[]::bytea[])`.execute(tx);
  }
}
