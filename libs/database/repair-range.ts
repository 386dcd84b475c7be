import { sql } from 'kysely';
import type { StatedSource } from '#libs/broker/messages.js';
import { finalizedBlock, lockLane } from './apply-news.js';
import { appendToCommitLog, type CommitEntry, nextWriteId } from './commit-log.js';
import { dropCoverage, updateLastProcessed } from './coverage.js';
import type { Database, SqlExecutor } from './database.js';
import { knownPlaces } from './event-catalog.js';
import { ofKeys, removeRows, type StoredKey } from './event-rows.js';

/** Rows marked per statement. */
const ROWS_PER_STATEMENT = 5_000;

/** What of blocks [from, to], all at or below finality, is to be stored anew. */
export interface RangeToRepair {
  readonly chainId: number;
  /** Sources whose rows are not as the chain says. */
  readonly sources: readonly StatedSource[];
  readonly from: number;
  readonly to: number;
  /** Rows in these blocks that are not in the chain. One that was stored elsewhere since it was seen stays. */
  readonly extra: readonly (StoredKey & { readonly event: string })[];
}

/**
 * Lets a range be fetched and stored again, and marks rows that are not in the chain as removed, in one transaction: the blocks leave
 * coverage, so the chain's fetcher finds them missing, and storing them puts right whatever differs ("final wins"). Also what
 * was marked comes back by that if it was wrong to mark it.
 * @returns the number of rows marked and the position that this took; null when finality has gone below the range meanwhile.
 */
export function repairRange(
  database: Database,
  repair: RangeToRepair,
): Promise<{ removed: number; position: number | null } | null> {
  const { chainId, sources, from, to, extra } = repair;
  return database.transaction(async (tx) => {
    await lockLane(tx, chainId);
    const final = await finalizedBlock(tx, chainId);
    if (final === null || final < to) return null;
    const entries = extra.length ? await removeExtra(tx, repair) : [];
    await sql`select id from source where chain_id = ${chainId} order by id for update`.execute(tx);
    await dropCoverage(tx, chainId, [[from, to + 1]], sources);
    await markRetraction(tx, chainId);
    await updateLastProcessed(tx, [chainId]);
    const position = await appendToCommitLog(tx, entries);
    const removed = entries.reduce((sum, entry) => sum + entry.rowsRemoved, 0);
    return { removed, position };
  });
}

/**
 * Notes that from the next position on final events of the chain may be taken back: subscribers to final events must be told of
 * removals then. Locks the chain's row.
 */
export async function markRetraction(tx: SqlExecutor, chainId: number): Promise<void> {
  await sql`select 1 from chain where chain_id = ${chainId} for update`.execute(tx);
  // a little early where others commit meanwhile, which does no harm
  await sql`update chain set retracted_at = (select position + 1 from feed_counter where id = 1)
    where chain_id = ${chainId} and retracted_at is null`.execute(tx);
}

async function removeExtra(
  tx: SqlExecutor,
  { chainId, from, to, extra }: RangeToRepair,
): Promise<(CommitEntry & { kind: 'write' })[]> {
  const writeId = await nextWriteId(tx);
  const entries: (CommitEntry & { kind: 'write' })[] = [];
  for (const event of await knownPlaces(tx)) {
    const { name } = event;
    // in the order of keys, as every transaction locks them
    const rows = extra.filter((row) => row.event === name).sort(byKey);
    let rowsRemoved = 0;
    for (let i = 0; i < rows.length; i += ROWS_PER_STATEMENT) {
      const some = ofKeys(rows.slice(i, i + ROWS_PER_STATEMENT));
      // else nothing would bring back a row that a store has put into its own block meanwhile
      const here = sql`${some} and t.block_number between ${from} and ${to}`;
      rowsRemoved += await removeRows(tx, event, chainId, here, writeId);
    }
    if (rowsRemoved)
      entries.push({ kind: 'write', chainId, event: name, writeId, rowsAdded: 0, rowsRemoved });
  }
  return entries;
}

function byKey(a: StoredKey, b: StoredKey): number {
  if (a.txHash !== b.txHash) return a.txHash < b.txHash ? -1 : 1;
  return a.logIndex - b.logIndex;
}
