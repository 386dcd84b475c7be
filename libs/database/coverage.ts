import { sql } from 'kysely';
import type { StatedSource } from '#libs/broker/messages.js';
import type { SqlExecutor } from './database.js';
import { type BlockRanges, multirangeLiteral } from './entities/multirange-type.js';
import { currentName } from './event-catalog.js';

/** One change of the ledger: what a stored statement takes from and gives to coverage. Ranges are half-open. */
export interface CoverageChange {
  readonly chainId: number;
  /** Blocks that no source of the chain covers any more (a reorg dropped them). */
  readonly dropped: BlockRanges;
  /** Blocks that the stated sources cover now. */
  readonly gained: BlockRanges;
  readonly sources: readonly StatedSource[];
  /** Lowest block of news, remembered by the sources that had none: everything below it is history. */
  readonly liveFrom?: number;
}

/**
 * Changes coverage, then `chain.last_processed_block`, in the order of locks: sources by id, then chain rows.
 * Sources that the ledger doesn't know are passed over: nothing claims them.
 */
export async function changeCoverage(tx: SqlExecutor, changes: readonly CoverageChange[]): Promise<void> {
  const chainIds = [...new Set(changes.map((c) => c.chainId))].sort((a, b) => a - b);
  // a lock is a statement of its own: what depends on it must be read by a later one
  await sql`select id from source where chain_id = any(${chainIds}::bigint[]) order by id for update`.execute(
    tx,
  );
  for (const change of mergedGains(changes)) await applyChange(tx, change);
  await sql`select 1 from chain where chain_id = any(${chainIds}::bigint[]) order by chain_id for update`.execute(
    tx,
  );
  await updateLastProcessed(tx, chainIds);
}

async function applyChange(tx: SqlExecutor, change: CoverageChange): Promise<void> {
  if (change.dropped.length) await dropCoverage(tx, change.chainId, change.dropped);
  await sql`
    update source s set coverage = coverage + ${multirangeLiteral(change.gained)}::int8multirange,
      live_from = coalesce(live_from, ${change.liveFrom ?? null}::bigint)
    from unnest(${change.sources.map((s) => `\\x${s.address.slice(2)}`)}::text[], ${change.sources.map((s) => s.event)}::text[])
      as stated(address, event)
    where s.chain_id = ${change.chainId} and s.address = stated.address::bytea and s.event = ${currentName(sql`stated.event`)}`.execute(
    tx,
  );
}

/**
 * Takes blocks out of the coverage of a chain's sources; what is not stored is not verified either. The caller holds the
 * sources' locks.
 * @param only the sources that lose them; left out: every source of the chain.
 */
export async function dropCoverage(
  tx: SqlExecutor,
  chainId: number,
  dropped: BlockRanges,
  only?: readonly StatedSource[],
): Promise<void> {
  const lowest = Math.min(...dropped.map(([from]) => from));
  const which = only
    ? sql`and (s.address, s.event) in (select address::bytea, event from unnest(
        ${only.map((o) => `\\x${o.address.slice(2)}`)}::text[], ${only.map((o) => o.event)}::text[]) as o(address, event))`
    : sql``;
  await sql`
    update source s set coverage = coverage - ${multirangeLiteral(dropped)}::int8multirange,
      verified_block = case when verified_block < ${lowest} then verified_block
        when verified_block is not null and ${lowest} > start_block then ${lowest}::bigint - 1 end
    where s.chain_id = ${chainId} ${which}`.execute(tx);
}

/** Joins changes that only gain, for the same sources, into one statement: a group of history is usually one update. */
function mergedGains(changes: readonly CoverageChange[]): CoverageChange[] {
  const merged: CoverageChange[] = [];
  for (const change of changes) {
    const last = merged.at(-1);
    const same =
      last &&
      !change.dropped.length &&
      last.chainId === change.chainId &&
      sameSources(last.sources, change.sources);
    if (!same) {
      merged.push(change);
      continue;
    }
    const gained = [...last.gained, ...change.gained];
    merged[merged.length - 1] = { ...last, gained, liveFrom: last.liveFrom ?? change.liveFrom };
  }
  return merged;
}

function sameSources(a: readonly StatedSource[], b: readonly StatedSource[]): boolean {
  return a.length === b.length && a.every((s, i) => s.address === b[i]!.address && s.event === b[i]!.event);
}

/**
 * `last_processed_block` = the lowest, over the chain's wanted sources that count, of the upper end of the part without holes that
 * begins where each counts from; null while there is none. The caller holds the locks of the sources and of the chain rows.
 *
 * A source counts from its start block as soon as that doesn't take the chain's value back: the first ones of a chain at once; one
 * that is added later, or whose start block is lowered, when enough of what it lacks is stored.
 */
export async function updateLastProcessed(tx: SqlExecutor, chainIds: readonly number[]): Promise<void> {
  const processed = sql`
    select s.chain_id, nullif(min(${endOfPart('s', 'counted_from')}), min(s.counted_from) - 1) as block
    from source s where s.chain_id = any(${chainIds}::bigint[]) and s.retired_at is null
    group by s.chain_id`;
  await sql`
    update source w set counted_from = w.start_block from (${processed}) p
    where w.chain_id = p.chain_id and w.retired_at is null and w.counted_from is distinct from w.start_block
      and (p.block is null or ${endOfPart('w', 'start_block')} >= p.block)`.execute(tx);
  await sql`
    update chain c set last_processed_block = p.block from (${processed}) p
    where c.chain_id = p.chain_id and c.last_processed_block is distinct from p.block`.execute(tx);
}

/** Last block of a source's part without holes that begins at a column's block: the one before where that isn't stored; null: of none. */
function endOfPart(source: string, from: 'start_block' | 'counted_from') {
  const [coverage, first] = [sql.ref(`${source}.coverage`), sql.ref(`${source}.${from}`)];
  return sql`coalesce((select upper(r) - 1 from unnest(${coverage}) r where r @> ${first}), ${first} - 1)`;
}
