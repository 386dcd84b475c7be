import { sql } from 'kysely';
import type { Database } from './database.js';

/** Entries looked at per transaction: some 10 ms, and a lock that holds nobody up. */
const ENTRIES_PER_PRUNING = 5_000;
/** Advisory lock of whoever prunes. */
const PRUNING_LOCK = 7_306_100;

/**
 * Deletes the oldest entries of the commit log that were committed more than a time ago, a bounded number of them, from the first on
 * without a gap; but each chain's last finality entry among them stays, so that finality as of any later position can be told.
 * @returns how many it deleted; 0 also when somebody else is at it.
 */
export function pruneFeed(database: Database, olderThanSeconds: number): Promise<number> {
  return database.transaction(async (tx) => {
    const { rows } = await sql<{ alone: boolean }>`
      select pg_try_advisory_xact_lock(${PRUNING_LOCK}) as alone`.execute(tx);
    if (!rows[0]!.alone) return 0;
    const { numAffectedRows } = await sql`
      with oldest as (
        select position, committed_at < clock_timestamp() - make_interval(secs => ${olderThanSeconds}) as is_old
        from feed_commit order by position limit ${ENTRIES_PER_PRUNING}),
      bound as (select coalesce(min(position) filter (where not is_old) - 1, max(position)) as position from oldest)
      delete from feed_commit f using bound where f.position <= bound.position and (f.kind <> 'finality'
        or exists (select 1 from feed_commit later where later.chain_id = f.chain_id and later.kind = 'finality'
          and later.position > f.position and later.position <= bound.position))`.execute(tx);
    return Number(numAffectedRows ?? 0);
  });
}
