import { Migration } from '@mikro-orm/migrations';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { type RawBuilder, sql } from 'kysely';
import { pause } from '#libs/telemetry/run-process.js';
import { isLockTimeout, type SqlExecutor } from './database.js';

/** Everybody else waits behind a statement that waits for the whole table: it gives up soon, and is tried again as often. */
const LOCK_TIMEOUT = '1s';
const LOCK_TRIES = 120;

/**
 * A migration whose steps don't stop anybody who reads or writes the table, however large it is. Each step commits by itself: one that
 * was cut off is done over when the migration is run again.
 */
export abstract class StepwiseMigration extends Migration {
  override isTransactional(): boolean {
    return false;
  }

  /**
   * Builds an index beside the running writes. One that was left half built (it is invalid: kept up to date, and never read) is dropped
   * first.
   * @param statement `create index concurrently "<name>" …`
   */
  protected createIndex(name: string, statement: string): Promise<void> {
    return this.onOneConnection(async (connection) => {
      const { rows } = await sql<{ valid: boolean }>`
        select i.indisvalid as valid from pg_index i join pg_class c on c.oid = i.indexrelid
        where c.relname = ${name} and c.relnamespace = current_schema()::regnamespace`.execute(connection);
      if (rows[0]?.valid) return;
      // it waits for old snapshots, and nobody waits for it
      await sql`set lock_timeout = 0`.execute(connection);
      if (rows[0]) await sql`drop index concurrently ${sql.id(name)}`.execute(connection);
      await sql.raw(statement).execute(connection);
    });
  }

  protected dropIndex(name: string): Promise<void> {
    return this.onOneConnection(async (connection) => {
      await sql`set lock_timeout = 0`.execute(connection);
      await sql`drop index concurrently if exists ${sql.id(name)}`.execute(connection);
    });
  }

  /**
   * Forbids nulls in a column that may have them. The rows are looked at while others read and write; where one has no value it fails,
   * and leaves the column as it was.
   */
  protected setNotNull(table: string, column: string): Promise<void> {
    const check = sql.id(`${table}_${column}_filled`);
    const alter = sql`alter table ${sql.id(table)}`;
    return this.onOneConnection(async (connection) => {
      const briefly = (action: RawBuilder<unknown>) => tried(connection, sql`${alter} ${action}`);
      await briefly(sql`drop constraint if exists ${check}`);
      await briefly(sql`add constraint ${check} check (${sql.id(column)} is not null) not valid`);
      try {
        await briefly(sql`validate constraint ${check}`);
        // the check proves it: no row is looked at under this statement's lock
        await briefly(sql`alter column ${sql.id(column)} set not null`);
      } finally {
        await briefly(sql`drop constraint ${check}`);
      }
    });
  }

  private onOneConnection(steps: (connection: SqlExecutor) => Promise<void>): Promise<void> {
    const kysely = (this.getEntityManager() as SqlEntityManager).getKysely() as SqlExecutor;
    return kysely.connection().execute(async (connection) => {
      try {
        await steps(connection);
      } finally {
        await sql`reset lock_timeout`.execute(connection);
      }
    });
  }
}

async function tried(connection: SqlExecutor, statement: RawBuilder<unknown>): Promise<void> {
  await sql`set lock_timeout = ${sql.lit(LOCK_TIMEOUT)}`.execute(connection);
  for (let n = 1; ; n++) {
    try {
      await statement.execute(connection);
      return;
    } catch (error) {
      if (!isLockTimeout(error) || n === LOCK_TRIES) throw error;
      await pause(1_000);
    }
  }
}
