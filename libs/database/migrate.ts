import { sql } from 'kysely';
import type { Database } from './database.js';

/** Key of the advisory lock that one migrating process holds; any constant that nobody else uses (ASCII "evmn"). */
const MIGRATION_LOCK = 0x65766d6e;

/**
 * Brings the schema up to date. Several processes may do so at once: an advisory lock lets one work and the others wait;
 * a statement that can't get its table lock within the session's `lock_timeout` fails instead of stopping all traffic.
 * @returns the names of the migrations that this call applied.
 */
export async function migrate(database: Database): Promise<string[]> {
  // the lock is held by a transaction of its own; the migrator works on another connection
  return database.transaction(async (tx) => {
    // waiting for another migrating process may take longer than a lock may in daily work
    await sql`set local lock_timeout = '10min'`.execute(tx);
    await sql`set local idle_in_transaction_session_timeout = 0`.execute(tx);
    await sql`select pg_advisory_xact_lock(${MIGRATION_LOCK})`.execute(tx);
    const applied = await database.mikroOrm.migrator.up();
    return applied.map((migration) => migration.name);
  });
}

/**
 * Names of the migrations that this build brings and the database lacks; a process that isn't the migrating one waits
 * until there are none.
 */
export async function pendingMigrations(database: Database): Promise<string[]> {
  const pending = await database.mikroOrm.migrator.getPending();
  return pending.map((migration) => migration.name);
}
