import { sql } from 'kysely';
import type { Database, SqlExecutor } from './database.js';
import { LEASE_SECONDS } from './lease.js';

/** Entries that nobody renews are removed after this time. */
const FORGOTTEN_AFTER_SECONDS = 60;

/** A process that stands ready to lead a chain. */
interface Candidate {
  readonly chainId: number;
  readonly process: string;
  /** The process that has invited it to take over, while the invitation runs; else null. */
  readonly invitedBy: string | null;
}

/** Which process leads which chain, and which ones could. */
export interface Leads {
  /** Processes whose lease runs, by chain id. */
  readonly leaders: ReadonlyMap<number, string>;
  readonly candidates: readonly Candidate[];
}

/** A chain that its leader hands over, and the process that is to lead it. */
export interface HandOver {
  readonly chainId: number;
  readonly to: string;
}

/** Says for as long as a lease that a process stands ready to lead these chains, and no others. */
export async function announce(
  executor: SqlExecutor,
  process: string,
  chainIds: readonly number[],
): Promise<void> {
  await sql`delete from chain_candidate where process = ${process} and chain_id <> all(${[...chainIds]}::bigint[])`.execute(
    executor,
  );
  await sql`insert into chain_candidate (chain_id, process, expires_at)
    select id, ${process}, clock_timestamp() + make_interval(secs => ${LEASE_SECONDS})
    from unnest(${[...chainIds]}::bigint[]) as ready(id) order by id
    on conflict (chain_id, process) do update set expires_at = excluded.expires_at`.execute(executor);
}

/** Takes back what a process has announced. */
export async function withdraw(executor: SqlExecutor, process: string): Promise<void> {
  await sql`delete from chain_candidate where process = ${process}`.execute(executor);
}

/** Removes what processes that are gone have left. */
export async function forgetGoneCandidates(executor: SqlExecutor): Promise<void> {
  await sql`delete from chain_candidate
    where expires_at < clock_timestamp() - make_interval(secs => ${FORGOTTEN_AFTER_SECONDS})`.execute(
    executor,
  );
}

/** Reads who leads which chain now, and who stands ready. */
export async function readLeads(executor: SqlExecutor): Promise<Leads> {
  const leaders = await sql<{ chain_id: string; holder: string }>`
    select chain_id, holder from chain_lane where expires_at > clock_timestamp() and holder <> ''`.execute(
    executor,
  );
  const candidates = await sql<{ chain_id: string; process: string; invited_by: string | null }>`
    select chain_id, process, case when invited_until > clock_timestamp() then invited_by end as invited_by
    from chain_candidate where expires_at > clock_timestamp()`.execute(executor);
  return {
    leaders: new Map(leaders.rows.map((row) => [Number(row.chain_id), row.holder])),
    candidates: candidates.rows.map((row) => ({
      chainId: Number(row.chain_id),
      process: row.process,
      invitedBy: row.invited_by,
    })),
  };
}

/**
 * Invites a process to take over a chain that this one leads, as `choose` decides. The lease runs on: the chain is led until the
 * other has taken over, and if it never does nothing has changed. One invitation at a time in the whole system, each made with
 * all earlier ones in view.
 * @returns what was chosen; null: nothing.
 */
export async function invite(
  database: Database,
  process: string,
  choose: (leads: Leads) => HandOver | null,
): Promise<HandOver | null> {
  return database.transaction(async (tx) => {
    await sql`select pg_advisory_xact_lock(hashtextextended('event-monitor invitations', 0))`.execute(tx);
    const chosen = choose(await readLeads(tx));
    if (chosen)
      await sql`update chain_candidate set invited_by = ${process},
        invited_until = clock_timestamp() + make_interval(secs => ${LEASE_SECONDS})
        where chain_id = ${chosen.chainId} and process = ${chosen.to}`.execute(tx);
    return chosen;
  });
}

/**
 * Uses up a process's invitation to lead a chain, in the transaction that takes over; the lane is locked.
 * @returns whether the chain's present leader had invited it.
 */
export async function acceptInvitation(
  tx: SqlExecutor,
  { chainId, process, leader }: { chainId: number; process: string; leader: string },
): Promise<boolean> {
  const { numAffectedRows } = await sql`update chain_candidate set invited_until = '-infinity'
    where chain_id = ${chainId} and process = ${process} and invited_by = ${leader} and invited_until > clock_timestamp()`.execute(
    tx,
  );
  return Number(numAffectedRows ?? 0) > 0;
}
