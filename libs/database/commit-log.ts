import { sql } from 'kysely';
import type { SqlExecutor } from './database.js';
import { fragmentLock } from './event-catalog.js';

/** An entry of the commit log (DESIGN §3.4): rows of an event were touched, or finality moved. */
export type CommitEntry =
  | {
      readonly kind: 'write';
      readonly chainId: number;
      readonly event: string;
      readonly writeId: number;
      readonly rowsAdded: number;
      readonly rowsRemoved: number;
    }
  | {
      readonly kind: 'finality';
      readonly chainId: number;
      readonly from: number | null;
      readonly to: number | null;
    };

/**
 * A new id for the rows that one transaction touches. A sequence: it must differ also after a dump and restore. Until the transaction's
 * end nobody moves rows of events without a folder (see `fragmentLock`): who holds a fragment alone knows that whatever is written of
 * it later has a higher id.
 */
export async function nextWriteId(tx: SqlExecutor): Promise<number> {
  const { rows } = await sql<{ id: string }>`
    with held as materialized (
      select pg_advisory_xact_lock_shared(${fragmentLock(sql`name`)})
      from (select name from event_fragment where adopted_at is null order by name) f)
    select nextval('event_write_id') as id from (select count(*) from held) h`.execute(tx);
  return Number(rows[0]!.id);
}

/**
 * Appends entries at the next dense positions. Must be the transaction's LAST statement: the counter's row lock makes
 * commit order and position order the same, and is held until the commit.
 * @returns the position of the last entry, or null when there are none (a transaction that changed nothing takes none).
 */
export async function appendToCommitLog(
  tx: SqlExecutor,
  entries: readonly CommitEntry[],
): Promise<number | null> {
  if (!entries.length) return null;
  const column = <T>(of: (entry: CommitEntry) => T) => entries.map(of);
  const writes = <T>(of: (e: CommitEntry & { kind: 'write' }) => T) =>
    column((e) => (e.kind === 'write' ? of(e) : null));
  const moves = <T>(of: (e: CommitEntry & { kind: 'finality' }) => T) =>
    column((e) => (e.kind === 'finality' ? of(e) : null));
  const { rows } = await sql<{ position: string }>`
    with next as (update feed_counter set position = position + ${entries.length} where id = 1 returning position)
    insert into feed_commit (position, kind, chain_id, event, write_id, from_block, to_block, rows_added, rows_removed)
    select next.position - ${entries.length} + e.index, e.kind, e.chain_id, e.event, e.write_id, e.from_block, e.to_block,
      coalesce(e.rows_added, 0), coalesce(e.rows_removed, 0)
    from next, unnest(${column((e) => e.kind)}::text[], ${column((e) => e.chainId)}::bigint[], ${writes((e) => e.event)}::text[],
      ${writes((e) => e.writeId)}::bigint[], ${moves((e) => e.from)}::bigint[], ${moves((e) => e.to)}::bigint[],
      ${writes((e) => e.rowsAdded)}::int[], ${writes((e) => e.rowsRemoved)}::int[]) with ordinality
      as e(kind, chain_id, event, write_id, from_block, to_block, rows_added, rows_removed, index)
    returning position`.execute(tx);
  return Math.max(...rows.map((row) => Number(row.position)));
}
