import { sql } from 'kysely';
import type { StatedSource } from '#libs/broker/messages.js';
import type { SqlExecutor } from './database.js';

/** A source whose rows equal the chain in blocks [from, to]. */
export interface VerifiedRange extends StatedSource {
  readonly from: number;
  readonly to: number;
}

/**
 * Remembers what was verified, as far as it joins the verified part without holes from the start block; else it is passed
 * over, as is what is not stored any more.
 */
export async function rememberVerified(
  executor: SqlExecutor,
  chainId: number,
  ranges: readonly VerifiedRange[],
): Promise<void> {
  await sql`
    update source s set verified_block = v.last
    from unnest(${ranges.map((r) => `\\x${r.address.slice(2)}`)}::text[], ${ranges.map((r) => r.event)}::text[],
      ${ranges.map((r) => r.from)}::bigint[], ${ranges.map((r) => r.to)}::bigint[]) as v(address, event, first, last)
    where s.chain_id = ${chainId} and s.address = v.address::bytea and s.event = v.event
      and v.first <= greatest(s.verified_block + 1, s.start_block) and v.last >= s.start_block
      and v.last > coalesce(s.verified_block, -1) and s.coverage @> int8range(greatest(v.first, s.start_block), v.last, '[]')`.execute(
    executor,
  );
}

/** Takes back what was verified from a block on: a difference was found there. */
export async function forgetVerified(
  executor: SqlExecutor,
  chainId: number,
  sources: readonly StatedSource[],
  from: number,
): Promise<void> {
  await sql`
    update source s set verified_block = case when s.start_block < ${from} then ${from}::bigint - 1 end
    from unnest(${sources.map((o) => `\\x${o.address.slice(2)}`)}::text[], ${sources.map((o) => o.event)}::text[]) as o(address, event)
    where s.chain_id = ${chainId} and s.address = o.address::bytea and s.event = o.event and s.verified_block >= ${from}`.execute(
    executor,
  );
}

/** A chain's recorded finality with the hash of that block. */
export interface RecordedFinality {
  readonly number: number;
  readonly hash: string;
}

/** What is recorded as final, or null while nothing is. */
export async function recordedFinality(
  executor: SqlExecutor,
  chainId: number,
): Promise<RecordedFinality | null> {
  const { rows } = await sql<{ number: string; hash: string }>`
    select b.number, '0x' || encode(b.hash, 'hex') as hash
    from chain c join block b on b.chain_id = c.chain_id and b.number = c.finalized_block
    where c.chain_id = ${chainId}`.execute(executor);
  const row = rows[0];
  return row ? { number: Number(row.number), hash: row.hash } : null;
}

/** Whether the chain was ever led by a fetcher of this database. */
export async function isKnownChain(executor: SqlExecutor, chainId: number): Promise<boolean> {
  const { rows } = await sql`select 1 from chain where chain_id = ${chainId}`.execute(executor);
  return rows.length > 0;
}
