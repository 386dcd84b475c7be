import { fileURLToPath } from 'node:url';
import { Migrator } from '@mikro-orm/migrations';
import { defineConfig } from '@mikro-orm/postgresql';
import { entities } from './entities/index.js';
import { SafeMigrationGenerator } from './migration-generator.js';

/** Folder of the compiled migrations, and of their sources in the checkout. */
const migrationsFolder = fileURLToPath(new URL('./migrations', import.meta.url));

/**
 * Both lie well below the 10 s of a leader's lease (DESIGN §3.1): a worker that hangs inside a transaction, or waits for
 * a lock, can't block its renewal or a takeover.
 */
const waitingSettings = '-c lock_timeout=3000 -c idle_in_transaction_session_timeout=4000';

/**
 * Postgres's defaults are for disks that turn: by them it rather reads twenty times the rows in the order they lie than the right ones
 * by an index. And compiling a statement takes up to a second, where most of ours take milliseconds.
 */
const planningSettings = '-c random_page_cost=1.1 -c jit=off';

const sessionSettings = `${waitingSettings} ${planningSettings} -c timezone=UTC`;

/** What holds in a process's sessions. */
export interface SessionOptions {
  /** A statement is ended after this time; unset: never. */
  readonly statementTimeoutMs?: number;
  /** Commits don't wait for the disk. */
  readonly mayLoseCommits?: boolean;
}

/**
 * MikroORM's configuration for a database.
 * @param databaseUrl `postgresql://user:password@host:port/database`
 * @param options.poolSize connections at most.
 */
export function ormConfig(
  databaseUrl: string,
  {
    poolSize = 10,
    statementTimeoutMs = 0,
    mayLoseCommits = false,
  }: SessionOptions & { poolSize?: number } = {},
) {
  return defineConfig({
    clientUrl: databaseUrl,
    entities,
    extensions: [Migrator],
    discovery: { warnWhenNoEntities: false },
    pool: { min: 0, max: poolSize },
    driverOptions: {
      application_name: 'event-monitor',
      connectionTimeoutMillis: 10_000,
      keepAlive: true,
      options: `${sessionSettings} -c statement_timeout=${statementTimeoutMs} -c synchronous_commit=${mayLoseCommits ? 'off' : 'on'}`,
    },
    migrations: {
      tableName: 'schema_migration',
      path: migrationsFolder,
      pathTs: migrationsFolder.replace(/[\\/]dist[\\/]libs[\\/]/, '/libs/'),
      glob: '!(*.d).{js,ts}',
      emit: 'ts',
      snapshotName: '.snapshot',
      transactional: true,
      // one that builds an index concurrently waits for every transaction that is open, also for one that all were in
      allOrNothing: false,
      generator: SafeMigrationGenerator,
    },
    logger: () => {},
  });
}
