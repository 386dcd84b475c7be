import { sql } from 'kysely';
import type { EndpointStatus } from '#libs/chain/endpoint-health.js';
import type { SqlExecutor } from './database.js';
import { type BlockRanges, parseMultirange } from './entities/multirange-type.js';

/** A source as the status shows it. */
export interface SourceStatus {
  readonly address: string;
  readonly event: string;
  readonly startBlock: number;
  readonly liveFrom: number | null;
  /** Half-open ranges. */
  readonly coverage: BlockRanges;
  /** Upper end of the verified part without holes from the start block; null: none. */
  readonly verifiedBlock: number | null;
  /** First block of it that the chain's last processed block speaks of; null: it doesn't count yet. */
  readonly countedFrom: number | null;
  /** When the leader no longer wanted it; null: it is followed. */
  readonly retiredAt: Date | null;
}

/** Everything the database knows about how a chain is doing. */
export interface ChainStatus {
  readonly chainId: number;
  readonly name: string;
  readonly state: string;
  readonly stateReason: string | null;
  readonly stateAt: Date;
  /** How long ago that was, in seconds by the database's clock. */
  readonly stateAgeSeconds: number;
  /** Whether a leader said it; else a fetcher that waits or was refused while nobody leads. */
  readonly saidByLeader: boolean;
  readonly headBlock: number | null;
  readonly finalizedBlock: number | null;
  readonly lastProcessedBlock: number | null;
  /** The newest stored block, or null when none is. */
  readonly newestBlock: number | null;
  readonly newestTimestamp: Date | null;
  /** Name of the process whose lease runs, or null. */
  readonly leader: string | null;
  readonly endpoints: readonly EndpointStatus[];
  /** Logs that could not be decoded. */
  readonly undecodable: number;
  /** Logs that claim the key of a row in another block. */
  readonly conflicting: number;
  /** Those that are followed first, then those that were. */
  readonly sources: readonly SourceStatus[];
}

/** Status of all chains, by id. */
export async function chainStatuses(executor: SqlExecutor): Promise<ChainStatus[]> {
  const chains = await sql<Record<string, unknown>>`
    select c.*, case when l.expires_at > clock_timestamp() then l.holder end as leader,
      extract(epoch from clock_timestamp() - c.state_at) as state_age, coalesce(l.expires_at >= c.state_at, false) as said_by_leader,
      newest.number as newest_block, newest.timestamp as newest_timestamp,
      (select count(*) from undecodable_log u where u.chain_id = c.chain_id) as undecodable,
      (select count(*) from conflicting_log k where k.chain_id = c.chain_id) as conflicting
    from chain c left join chain_lane l using (chain_id)
      left join lateral (select number, timestamp from block b where b.chain_id = c.chain_id
        order by number desc limit 1) newest on true
    order by c.chain_id`.execute(executor);
  const sources = await sql<Record<string, string | null>>`
    select chain_id, '0x' || encode(address, 'hex') as address, event, start_block, live_from, verified_block,
      counted_from, retired_at::text as retired_at, coverage::text as coverage
    from source order by retired_at desc nulls first, id`.execute(executor);
  return chains.rows.map((row) => ({
    chainId: Number(row.chain_id),
    name: String(row.name),
    state: String(row.state),
    stateReason: row.state_reason as string | null,
    stateAt: new Date(row.state_at as string),
    stateAgeSeconds: Number(row.state_age),
    saidByLeader: row.said_by_leader === true,
    headBlock: orNull(row.head_block),
    finalizedBlock: orNull(row.finalized_block),
    lastProcessedBlock: orNull(row.last_processed_block),
    newestBlock: orNull(row.newest_block),
    newestTimestamp: row.newest_timestamp ? new Date(row.newest_timestamp as string) : null,
    leader: row.leader as string | null,
    endpoints: row.endpoints as EndpointStatus[],
    undecodable: Number(row.undecodable),
    conflicting: Number(row.conflicting),
    sources: sources.rows.filter((s) => s.chain_id === row.chain_id).map(sourceOf),
  }));
}

function sourceOf(row: Record<string, string | null>): SourceStatus {
  return {
    address: row.address!,
    event: row.event!,
    startBlock: Number(row.start_block),
    liveFrom: orNull(row.live_from),
    coverage: parseMultirange(row.coverage!),
    verifiedBlock: orNull(row.verified_block),
    countedFrom: orNull(row.counted_from),
    retiredAt: row.retired_at ? new Date(row.retired_at) : null,
  };
}

function orNull(value: unknown): number | null {
  return value === null || value === undefined ? null : Number(value);
}

/** Number of rows of an event that are in the chain, from the planner's statistics where they are many (cheap, not exact). */
export async function approximateRows(executor: SqlExecutor, table: string): Promise<number> {
  const { rows } = await sql<{ n: string }>`
    select greatest(reltuples, 0)::bigint as n from pg_class where oid = to_regclass(${table})`.execute(
    executor,
  );
  const estimate = Number(rows[0]?.n ?? 0);
  if (estimate > 200_000) return estimate;
  const exact = await sql<{
    n: string;
  }>`select count(*) as n from ${sql.table(table)} where not removed`.execute(executor);
  return Number(exact.rows[0]!.n);
}

/** What rows are shown with of their chain. */
export interface KnownChain {
  readonly name: string;
  /** Recorded finality, or null while there is none. */
  readonly finalizedBlock: number | null;
}

/** All chains that are or were followed, by id. */
export async function knownChains(executor: SqlExecutor): Promise<Map<number, KnownChain>> {
  const { rows } = await sql<{ chain_id: string; name: string; finalized_block: string | null }>`
    select chain_id, name, finalized_block from chain`.execute(executor);
  return new Map(
    rows.map((row) => [
      Number(row.chain_id),
      { name: row.name, finalizedBlock: orNull(row.finalized_block) },
    ]),
  );
}
