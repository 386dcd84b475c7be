import { sql } from 'kysely';
import type { AdvanceStatement } from '#libs/broker/messages.js';
import type { SqlExecutor } from './database.js';
import { placesAbove } from './event-catalog.js';
import { conflictingRows, type EventRow, ofBlocks, removeRows, upsertRows } from './event-rows.js';
import { forgetKeptLogs, keepLogs } from './kept-logs.js';
import { byChainAndEvent, type DecodedLogs } from './store-history.js';

/** An `advance` with its logs decoded. */
export interface DecodedAdvance extends DecodedLogs {
  readonly statement: AdvanceStatement;
}

/** What an `advance` changed besides coverage. */
interface AdvanceEffect {
  /** Heights whose stored block isn't stated: they are of no source's coverage any more, unless stated anew. */
  readonly dropped: readonly number[];
  readonly touched: readonly { event: string; added: number; removed: number }[];
  readonly conflicts: number;
}

/**
 * Applies one `advance` under the lane's lock: drops what isn't stated above the fork point from the segment (what stands on
 * the last stated block, if that is stored already, stays), marks the rows of the dropped block hashes removed, stores the
 * stated blocks and their rows.
 * @param writeId gives the transaction's write id; called only when rows may be touched.
 * @returns null when the first block isn't a child of the stored block below it.
 */
export async function applyAdvance(
  tx: SqlExecutor,
  { statement, rows, broken }: DecodedAdvance,
  writeId: () => Promise<number>,
): Promise<AdvanceEffect | null> {
  const { chainId, above, blocks } = statement;
  const from = Math.min(above + 1, blocks[0]!.number - 1);
  const segment = await segmentFrom(tx, chainId, from, blocks.at(-1)!);
  const below = segment.get(blocks[0]!.number - 1);
  if (below && blocks[0]!.number - 1 <= above && below !== blocks[0]!.parentHash) return null;
  const stated = new Set(blocks.map((b) => b.hash));
  const dropped = [...segment].filter(([number, hash]) => number > above && !stated.has(hash));
  const removed = await dropRows(
    tx,
    chainId,
    above,
    dropped.map(([, hash]) => hash),
    writeId,
  );
  const { added, conflicts } = await addRows(tx, rows, writeId);
  await keepLogs(tx, 'undecodable_log', broken);
  await replaceBlocks(
    tx,
    statement,
    dropped.map(([number]) => number),
  );
  const names = new Set([...removed.keys(), ...added.keys()]);
  return {
    dropped: dropped.map(([number]) => number),
    touched: [...names].map((event) => ({
      event,
      added: added.get(event) ?? 0,
      removed: removed.get(event) ?? 0,
    })),
    conflicts,
  };
}

/**
 * Hashes of the stored segment by height, from a height upwards. Where the last stated block is stored already, only up to it:
 * what stands on it are its descendants, which stay as they are.
 */
async function segmentFrom(
  tx: SqlExecutor,
  chainId: number,
  from: number,
  last: { number: number; hash: string },
): Promise<Map<number, string>> {
  const { rows } = await sql<{ number: string; hash: string }>`
    select number, '0x' || encode(hash, 'hex') as hash from block
    where chain_id = ${chainId} and number >= ${from} and (number <= ${last.number} or not exists (
      select 1 from block where chain_id = ${chainId} and number = ${last.number} and hash = ${`\\x${last.hash.slice(2)}`}::text::bytea))
    order by number`.execute(tx);
  return new Map(rows.map((row) => [Number(row.number), row.hash]));
}

async function dropRows(
  tx: SqlExecutor,
  chainId: number,
  above: number,
  hashes: readonly string[],
  writeId: () => Promise<number>,
): Promise<Map<string, number>> {
  const removed = new Map<string, number>();
  if (!hashes.length) return removed;
  for (const event of await placesAbove(tx, chainId, above)) {
    const marked = await removeRows(tx, event, chainId, ofBlocks(above, hashes), await writeId());
    removed.set(event.name, (removed.get(event.name) ?? 0) + marked);
  }
  await forgetKeptLogs(tx, chainId, hashes);
  return removed;
}

async function addRows(tx: SqlExecutor, rows: readonly EventRow[], writeId: () => Promise<number>) {
  const added = new Map<string, number>();
  let conflicts = 0;
  for (const { event, group } of byChainAndEvent(rows)) {
    const touched = await upsertRows(tx, group, await writeId(), 'news');
    added.set(event.name, touched);
    // rows that were left alone are equal, or held by another block
    const held = touched < group.length ? await conflictingRows(tx, group) : [];
    const kept = held.map(({ row, heldBy }) => ({
      chainId: row.chainId,
      event: event.name,
      log: row.log,
      reason: `the key is held by a row in block ${heldBy}`,
    }));
    await keepLogs(tx, 'conflicting_log', kept);
    conflicts += held.length;
  }
  return { added, conflicts };
}

async function replaceBlocks(
  tx: SqlExecutor,
  { chainId, blocks }: AdvanceStatement,
  dropped: readonly number[],
) {
  if (dropped.length) {
    await sql`delete from block where chain_id = ${chainId} and number = any(${dropped}::bigint[])`.execute(
      tx,
    );
  }
  const bytes = (values: string[]) => values.map((value) => `\\x${value.slice(2)}`);
  await sql`
    insert into block (chain_id, number, hash, parent_hash, timestamp)
    select ${chainId}::bigint, number, hash::bytea, parent_hash::bytea, to_timestamp(timestamp)
    from unnest(${blocks.map((b) => b.number)}::bigint[], ${bytes(blocks.map((b) => b.hash))}::text[],
      ${bytes(blocks.map((b) => b.parentHash))}::text[], ${blocks.map((b) => b.timestamp)}::bigint[])
      as b(number, hash, parent_hash, timestamp)
    on conflict (chain_id, number) do nothing`.execute(tx);
}
