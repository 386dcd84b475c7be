import { sql } from 'kysely';
import type { StatedSource } from '#libs/broker/messages.js';
import type { EndpointStatus } from '#libs/chain/endpoint-health.js';
import { acceptInvitation } from './candidates.js';
import { updateLastProcessed } from './coverage.js';
import type { Database, SqlExecutor } from './database.js';
import { type BlockRanges, parseMultirange } from './entities/multirange-type.js';
import { knownPlaces } from './event-catalog.js';
import { heightsWithRows } from './event-rows.js';
import { LEASE_SECONDS } from './lease.js';

/** A source as a fetcher wants it. */
export interface WantedSource extends StatedSource {
  readonly startBlock: number;
  /** The start block is for a source that the ledger doesn't know: a known one, also a retired one, keeps its own. */
  readonly keepsStart?: boolean;
}

/** A source with the blocks that are stored of it. */
export interface LedgerSource extends StatedSource {
  readonly startBlock: number;
  readonly coverage: BlockRanges;
}

/** What a new leader finds. */
export interface Leadership {
  readonly ledger: string;
  readonly term: number;
  /** Stored segment: block hash by height, ascending. */
  readonly segment: ReadonlyMap<number, string>;
  readonly finalizedBlock: number | null;
  /** Heights of the segment above finality that have no rows of the claimed sources. */
  readonly emptyHeights: readonly number[];
  readonly sources: readonly LedgerSource[];
}

/** Who takes over, and of what. */
export interface Claim {
  readonly chainId: number;
  readonly chainName: string;
  /** Name of the process, unique among all. */
  readonly holder: string;
  readonly sources: readonly WantedSource[];
  /** Set when a leader takes over from itself: it may do so only while this term is still its own. */
  readonly ownTerm?: number;
}

/**
 * Takes the lead of a chain: raises the term and zeroes `applied_seq` under the lane's lock, which alone makes every
 * statement of the old leader void; registers the sources; reads what is stored.
 * @returns null when the lease of another fetcher runs that hasn't invited the caller to take over, or when `ownTerm` is no longer the caller's.
 */
export async function takeOver(database: Database, claim: Claim): Promise<Leadership | null> {
  const { chainId, holder } = claim;
  return database.transaction(async (tx) => {
    await sql`insert into chain_lane (chain_id, term, applied_seq, holder, expires_at)
      values (${chainId}, 0, 0, '', '-infinity') on conflict do nothing`.execute(tx);
    await sql`select 1 from chain_lane where chain_id = ${chainId} for update`.execute(tx);
    const { rows } = await sql<{ term: string; leader: string; free: boolean }>`
      select term, holder as leader, expires_at <= clock_timestamp() as free
      from chain_lane where chain_id = ${chainId}`.execute(tx);
    const lane = rows[0]!;
    const own = lane.leader === holder && Number(lane.term) === claim.ownTerm;
    const invitation = { chainId, process: holder, leader: lane.leader };
    const free = lane.free || (await acceptInvitation(tx, invitation));
    if (claim.ownTerm !== undefined ? !own : !free) return null;
    const term = Number(lane.term) + 1;
    await sql`update chain_lane set term = ${term}, applied_seq = 0, holder = ${holder},
      expires_at = clock_timestamp() + make_interval(secs => ${LEASE_SECONDS}) where chain_id = ${chainId}`.execute(
      tx,
    );
    const sources = await underCurrentNames(tx, claim.sources);
    await registerSources(tx, { ...claim, sources });
    return { term, ...(await readStored(tx, chainId, sources)) };
  });
}

/** A fetcher of an older build goes on saying the name that an event had before it got a folder. */
async function underCurrentNames(
  tx: SqlExecutor,
  sources: readonly WantedSource[],
): Promise<readonly WantedSource[]> {
  const { rows } = await sql<{ name: string; adopted_as: string }>`
    select name, adopted_as from event_fragment
    where adopted_as <> name and name = any(${sources.map((s) => s.event)}::text[])`.execute(tx);
  const names = new Map(rows.map((row) => [row.name, row.adopted_as]));
  return sources.map((source) => ({ ...source, event: names.get(source.event) ?? source.event }));
}

/** Makes the ledger hold exactly these sources as wanted; what is no longer wanted keeps its rows and is retired. */
async function registerSources(tx: SqlExecutor, { chainId, chainName, sources }: Claim): Promise<void> {
  const addresses = sources.map((s) => `\\x${s.address.slice(2)}`);
  const names = sources.map((s) => s.event);
  await sql`select id from source where chain_id = ${chainId} order by id for update`.execute(tx);
  await sql`
    insert into source (chain_id, address, event, start_block)
    select ${chainId}::bigint, wanted.address::bytea, wanted.event,
      case when keeps_start then coalesce(known.start_block, wanted.start_block) else wanted.start_block end
    from unnest(${addresses}::text[], ${names}::text[], ${sources.map((s) => s.startBlock)}::bigint[],
        ${sources.map((s) => s.keepsStart ?? false)}::boolean[]) as wanted(address, event, start_block, keeps_start)
      left join source known on known.chain_id = ${chainId} and known.address = wanted.address::bytea and known.event = wanted.event
    on conflict (chain_id, address, event) do update set start_block = excluded.start_block, retired_at = null,
      counted_from = case when source.retired_at is null then source.counted_from end,
      verified_block = case when source.verified_block >= excluded.start_block and source.start_block <= excluded.start_block
        then source.verified_block end
    where source.start_block <> excluded.start_block or source.retired_at is not null`.execute(tx);
  await sql`
    update source set retired_at = now(), counted_from = null where chain_id = ${chainId} and retired_at is null and (address, event) not in
      (select address::bytea, event from unnest(${addresses}::text[], ${names}::text[]) as wanted(address, event))`.execute(
    tx,
  );
  await sql`insert into chain (chain_id, name) values (${chainId}, ${chainName})
    on conflict (chain_id) do update set name = excluded.name where chain.name <> excluded.name`.execute(tx);
  // other sources or start blocks: what is without holes from the start has another end
  await updateLastProcessed(tx, [chainId]);
}

async function readStored(tx: SqlExecutor, chainId: number, wanted: readonly StatedSource[]) {
  const ledger = await ledgerId(tx);
  const blocks = await sql<{ number: string; hash: string }>`
    select number, '0x' || encode(hash, 'hex') as hash from block where chain_id = ${chainId} order by number`.execute(
    tx,
  );
  const chain = await sql<{ finalized_block: string | null }>`
    select finalized_block from chain where chain_id = ${chainId}`.execute(tx);
  const finalized = chain.rows[0]!.finalized_block;
  const above = Number(finalized ?? -1);
  const full = new Set<number>();
  for (const event of await knownPlaces(tx)) {
    // what another contract's row shows was not asked for this one
    const addresses = wanted.filter((s) => s.event === event.name).map((s) => s.address);
    for (const height of await heightsWithRows(tx, event, { chainId, above, addresses })) full.add(height);
  }
  const keys = new Set(wanted.map((s) => `${s.address} ${s.event}`));
  const sources = await readSources(tx, chainId);
  return {
    ledger,
    segment: new Map(blocks.rows.map((row) => [Number(row.number), row.hash])),
    finalizedBlock: finalized === null ? null : Number(finalized),
    emptyHeights: blocks.rows.map((row) => Number(row.number)).filter((n) => n > above && !full.has(n)),
    sources: sources.filter((s) => keys.has(`${s.address} ${s.event}`)),
  };
}

/** Id of this database's ledger: statements made for another one are void. */
export async function ledgerId(executor: SqlExecutor): Promise<string> {
  const { rows } = await sql<{ epoch: string }>`select epoch from feed_counter where id = 1`.execute(
    executor,
  );
  return rows[0]!.epoch;
}

/** The chain's wanted sources and what is stored of them. */
export async function readSources(executor: SqlExecutor, chainId: number): Promise<LedgerSource[]> {
  const { rows } = await sql<{ address: string; event: string; start_block: string; coverage: string }>`
    select '0x' || encode(address, 'hex') as address, event, start_block, coverage::text as coverage
    from source where chain_id = ${chainId} and retired_at is null order by id`.execute(executor);
  return rows.map((row) => ({
    address: row.address,
    event: row.event,
    startBlock: Number(row.start_block),
    coverage: parseMultirange(row.coverage),
  }));
}

/**
 * Renews the lease.
 * @returns how far this term's statements are applied and what is final, or null when the term is no longer the caller's.
 */
export async function renewLease(
  executor: SqlExecutor,
  lead: { chainId: number; holder: string; term: number },
): Promise<LaneProgress | null> {
  const result = await sql`
    update chain_lane set expires_at = clock_timestamp() + make_interval(secs => ${LEASE_SECONDS})
    where chain_id = ${lead.chainId} and holder = ${lead.holder} and term = ${lead.term}`.execute(executor);
  return Number(result.numAffectedRows ?? 0) ? readProgress(executor, lead) : null;
}

/** How far a term's statements are applied, and what is final. */
export interface LaneProgress {
  readonly appliedSeq: number;
  readonly finalizedBlock: number | null;
}

/** Reads the progress of a term; null when another term runs. */
export async function readProgress(
  executor: SqlExecutor,
  lead: { chainId: number; term: number },
): Promise<LaneProgress | null> {
  const { rows } = await sql<{ applied_seq: string; finalized_block: string | null }>`
    select l.applied_seq, c.finalized_block from chain_lane l join chain c using (chain_id)
    where l.chain_id = ${lead.chainId} and l.term = ${lead.term}`.execute(executor);
  const row = rows[0];
  if (!row) return null;
  return {
    appliedSeq: Number(row.applied_seq),
    finalizedBlock: row.finalized_block === null ? null : Number(row.finalized_block),
  };
}

/** Gives the lead up, so that a standby needn't wait for the lease's end. */
export async function releaseLease(
  executor: SqlExecutor,
  lead: { chainId: number; holder: string; term: number },
): Promise<void> {
  await sql`update chain_lane set expires_at = clock_timestamp()
    where chain_id = ${lead.chainId} and holder = ${lead.holder} and term = ${lead.term}`.execute(executor);
}

/** What a chain's fetcher says about itself; see docs/operations.md for what to do about each. */
export const chainStates = ['starting', 'following', 'paused', 'unreachable', 'stuck', 'halted'] as const;
export type ChainState = (typeof chainStates)[number];

/** Says how a chain is doing; only its leader does, or a fetcher that waits while nobody leads. */
export async function reportState(
  executor: SqlExecutor,
  report: {
    chainId: number;
    chainName: string;
    holder: string;
    state: ChainState;
    reason: string | null;
    /** Null: none was seen; what is stored stays. */
    head: { number: number; timestamp: number } | null;
    endpoints: readonly EndpointStatus[];
  },
): Promise<void> {
  const { chainId, chainName, state, reason, head } = report;
  const endpoints = JSON.stringify(report.endpoints);
  await sql`
    insert into chain (chain_id, name, state, state_reason, endpoints, head_block, head_timestamp)
    select ${chainId}::bigint, ${chainName}, ${state}, ${reason}, ${endpoints}::jsonb, ${head?.number ?? null}::bigint, to_timestamp(${head?.timestamp ?? null}::bigint)
    where not exists (select 1 from chain_lane l
      where l.chain_id = ${chainId} and l.holder <> ${report.holder} and l.expires_at > clock_timestamp())
    on conflict (chain_id) do update set state = excluded.state, state_reason = excluded.state_reason, state_at = now(),
      endpoints = excluded.endpoints,
      head_block = coalesce(excluded.head_block, chain.head_block),
      head_timestamp = coalesce(excluded.head_timestamp, chain.head_timestamp)`.execute(executor);
}
