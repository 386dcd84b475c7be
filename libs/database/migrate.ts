import { sql } from 'kysely';
import type { Logger } from '#libs/telemetry/logger.js';
import { OutageLog } from '#libs/telemetry/outage-log.js';
import { pause } from '#libs/telemetry/run-process.js';
import { type AdoptedEvent, adoptFragments, moveProblem } from './adopt-fragments.js';
import { type Database, isLockTimeout } from './database.js';

/** Key of the advisory lock that one migrating process holds; any constant that nobody else uses (ASCII "evmn"). */
const MIGRATION_LOCK = 0x65766d6e;

/** Tries to get a table that is in use, and to become the one that migrates, once a second. */
const TRIES = 600;

/** What migrating changed. */
export interface Migrated {
  /** Names of the migrations that were applied. */
  readonly migrations: readonly string[];
  /** Events that have a folder now, and whose rows were moved into its table. */
  readonly adopted: readonly AdoptedEvent[];
}

/**
 * Brings the schema up to date, then moves rows of events without a folder that have one in this build. Several processes may do so
 * at once: an advisory lock lets one work and the others wait. A migration that can't get its table within `lock_timeout` is
 * tried again, so that nobody waits long behind it.
 * @param say is told in words how far the moving is. @param stop ends it; the next call goes on where it was.
 * @throws NameTaken when two events have one name; AbortError on `stop`.
 */
export async function migrate(
  database: Database,
  say: (progress: string) => void = () => {},
  stop: AbortSignal = new AbortController().signal,
): Promise<Migrated> {
  for (let n = 1; ; n++) {
    const migrated = await migrateAlone(database, say, stop);
    if (migrated) return migrated;
    if (n === TRIES) throw new Error('another process has been migrating this database for 10 minutes');
    await pause(1_000, stop);
    stop.throwIfAborted();
  }
}

/** @returns null when another process is migrating. */
function migrateAlone(
  database: Database,
  say: (progress: string) => void,
  stop: AbortSignal,
): Promise<Migrated | null> {
  // the lock is held by a transaction of its own; the work is done on other connections
  return database.transaction(async (tx) => {
    await sql`set local idle_in_transaction_session_timeout = 0`.execute(tx);
    // not waited for within the statement: an index that is built concurrently waits for whoever does
    const { rows } = await sql<{ free: boolean }>`
      select pg_try_advisory_xact_lock(${MIGRATION_LOCK}) as free`.execute(tx);
    if (!rows[0]!.free) return null;
    return { migrations: await allMigrations(database), adopted: await adoptFragments(database, say, stop) };
  });
}

async function allMigrations(database: Database): Promise<string[]> {
  const before = await pendingMigrations(database);
  for (let n = 1; ; n++) {
    try {
      await database.mikroOrm.migrator.up();
      return before;
    } catch (error) {
      if (!isLockTimeout(error)) throw error;
      if (n === TRIES) throw new Error(`no table lock for 10 minutes: ${(error as Error).message}`);
      await pause(1_000);
    }
  }
}

/**
 * Names of the migrations that this build brings and the database lacks; a process that isn't the migrating one waits
 * until there are none.
 */
async function pendingMigrations(database: Database): Promise<string[]> {
  const pending = await database.mikroOrm.migrator.getPending();
  return pending.map((migration) => migration.name);
}

/**
 * Waits until the database answers and its schema is the one of this build; the log tells why.
 * @param stop ends the wait; the caller looks at it.
 */
export async function untilMigrated(database: Database, logger: Logger, stop: AbortSignal): Promise<void> {
  const outage = new OutageLog(logger, 'the database is ready');
  for (; !stop.aborted; await pause(1_000, stop)) {
    const reason = await databaseProblem(database);
    if (reason === null) return outage.ended();
    outage.failed(reason, reason);
  }
}

/**
 * What keeps a process from working with the database, in words, or null: it doesn't answer, lacks migrations, or has rows to be moved.
 * Words of the driver are left out but for its code: they may hold the user or the host.
 */
export async function databaseProblem(database: Database): Promise<string | null> {
  try {
    // the migrator takes a database that can't be reached for an empty one
    await sql`select 1`.execute(database.statements);
    const pending = await pendingMigrations(database);
    if (pending.length) return `waiting for migrations (npm run migrate): ${pending.join(', ')}`;
    return await moveProblem(database.statements);
  } catch (error) {
    return `Postgres does not answer${errorCode(error)}`;
  }
}

function errorCode(error: unknown): string {
  const code = (error as { code?: unknown }).code ?? (error as { cause?: { code?: unknown } }).cause?.code;
  return typeof code === 'string' ? ` (${code})` : '';
}
