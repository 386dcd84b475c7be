import { sql } from 'kysely';
import { lockLane } from './apply-news.js';
import { appendToCommitLog, type CommitEntry, nextWriteId } from './commit-log.js';
import { dropCoverage, updateLastProcessed } from './coverage.js';
import type { Database, SqlExecutor } from './database.js';
import { knownPlaces, placesAbove } from './event-catalog.js';
import { above, ofEvent, removeRows } from './event-rows.js';
import { forgetKeptLogsAbove } from './kept-logs.js';
import { markRetraction } from './repair-range.js';
import { holdHistory } from './store-history.js';
import { type RecordedFinality, recordedFinality } from './verified.js';

/** Coverage ends far below this. */
const BEYOND_ALL_BLOCKS = Number.MAX_SAFE_INTEGER;

/** A block of the chain. */
interface KnownBlock {
  readonly number: number;
  readonly hash: string;
  readonly parentHash: string;
  /** Unix seconds. */
  readonly timestamp: number;
}

/** How far a chain's finality is to be taken back. */
export interface TakingBack {
  readonly chainId: number;
  /** What is recorded as final, as the caller has seen it. */
  readonly from: RecordedFinality;
  /** The highest block up to which the stored rows are the chain's; null: there is none. */
  readonly to: KnownBlock | null;
}

/** What it changed. */
export interface TakenBack {
  readonly removed: number;
  readonly position: number;
}

/**
 * Takes finality back to a block that the chain has, in one transaction: raises the term and frees the lease, so that all that was
 * said is void (news by their term, history by `void_through`); marks the rows above it as removed; drops coverage above it of
 * every source; leaves that block alone in the live segment. Then a leader goes on from there as after a long pause.
 * @returns null, and nothing is changed, when another block is recorded as final by now.
 */
export function takeBackFinality(
  database: Database,
  { chainId, from, to }: TakingBack,
): Promise<TakenBack | null> {
  const height = to?.number ?? -1;
  return database.transaction(async (tx) => {
    // before the lane, as a worker's history comes before everything: it takes no lane
    await holdHistory(tx, chainId);
    const lane = await lockLane(tx, chainId);
    const now = await recordedFinality(tx, chainId);
    if (!lane || now?.number !== from.number || now.hash !== from.hash) return null;
    const term = lane.term + 1;
    await sql`update chain_lane set term = ${term}, applied_seq = 0, holder = '', expires_at = '-infinity', void_through = ${term}
      where chain_id = ${chainId}`.execute(tx);
    const entries = await removeAbove(tx, chainId, height);
    await forgetKeptLogsAbove(tx, chainId, height);
    await replaceSegment(tx, chainId, to);
    await sql`select id from source where chain_id = ${chainId} order by id for update`.execute(tx);
    await dropCoverage(tx, chainId, [[height + 1, BEYOND_ALL_BLOCKS]]);
    await markRetraction(tx, chainId);
    await sql`update chain set finalized_block = ${to?.number ?? null}::bigint, state = 'starting', state_reason = null, state_at = now()
      where chain_id = ${chainId}`.execute(tx);
    await updateLastProcessed(tx, [chainId]);
    // the writes first: as of them the old finality still holds
    const move = { kind: 'finality', chainId, from: from.number, to: to?.number ?? null } as const;
    const position = (await appendToCommitLog(tx, [...entries, move]))!;
    return { removed: entries.reduce((sum, entry) => sum + entry.rowsRemoved, 0), position };
  });
}

async function removeAbove(tx: SqlExecutor, chainId: number, height: number) {
  const writeId = await nextWriteId(tx);
  const entries: (CommitEntry & { kind: 'write' })[] = [];
  for (const event of await placesAbove(tx, chainId, height)) {
    const rowsRemoved = await removeRows(tx, event, chainId, above(height), writeId);
    if (rowsRemoved)
      entries.push({ kind: 'write', chainId, event: event.name, writeId, rowsAdded: 0, rowsRemoved });
  }
  return entries;
}

async function replaceSegment(tx: SqlExecutor, chainId: number, block: KnownBlock | null): Promise<void> {
  await sql`delete from block where chain_id = ${chainId}`.execute(tx);
  if (!block) return;
  const bytes = (value: string) => `\\x${value.slice(2)}`;
  await sql`insert into block (chain_id, number, hash, parent_hash, timestamp)
    values (${chainId}, ${block.number}, ${bytes(block.hash)}::text::bytea, ${bytes(block.parentHash)}::text::bytea,
      to_timestamp(${block.timestamp}::bigint))`.execute(tx);
}

/** Heights at or below a height at which the chain has rows of any event, the highest first, with the hashes that the rows tell. */
export async function rowHashesBelow(
  executor: SqlExecutor,
  chainId: number,
  below: number,
  limit: number,
): Promise<{ number: number; hashes: string[] }[]> {
  const found = new Map<number, Set<string>>();
  for (const event of await knownPlaces(executor)) {
    const { rows } = await sql<{ number: string; hashes: string[] }>`
      select block_number as number, array_agg(distinct '0x' || encode(block_hash, 'hex')) as hashes
      from ${sql.table(event.table)} t where ${ofEvent(event)} and chain_id = ${chainId} and block_number <= ${below} and not removed
      group by block_number order by block_number desc limit ${limit}`.execute(executor);
    for (const row of rows) {
      const known = found.get(Number(row.number)) ?? new Set();
      for (const hash of row.hashes) known.add(hash);
      found.set(Number(row.number), known);
    }
  }
  // of several events, only as far down as all were read
  return [...found]
    .sort(([a], [b]) => b - a)
    .slice(0, limit)
    .map(([number, hashes]) => ({ number, hashes: [...hashes] }));
}

/** How much a taking back of finality to a height would change. */
export async function extentAbove(
  executor: SqlExecutor,
  chainId: number,
  height: number,
): Promise<{ rows: number; blocks: number }> {
  let rows = 0;
  for (const event of await knownPlaces(executor)) {
    const { rows: counted } = await sql<{ n: string }>`select count(*) as n from ${sql.table(event.table)} t
      where ${ofEvent(event)} and chain_id = ${chainId} and block_number > ${height} and not removed`.execute(
      executor,
    );
    rows += Number(counted[0]!.n);
  }
  const { rows: blocks } = await sql<{ n: string }>`
    select coalesce(max(size), 0) as n from (
      select (select sum(upper(r) - greatest(lower(r), ${height}::bigint + 1)) from unnest(coverage) r where upper(r) > ${height}::bigint + 1) as size
      from source where chain_id = ${chainId}) s`.execute(executor);
  return { rows, blocks: Number(blocks[0]!.n) };
}
