import { MikroORM } from '@mikro-orm/postgresql';
import type { Kysely } from 'kysely';
import { EventCatalog } from './event-catalog.js';
import { ormConfig, type SessionOptions } from './orm-config.js';

/** Runs statements: `sql`…`.execute(executor)`; inside a transaction the transaction, else one connection per statement. */
export type SqlExecutor = Kysely<unknown>;

/** How often a transaction that lost a deadlock or a lock wait is tried again at once, before its caller hears of it. */
const CONFLICT_RETRIES = 5;

/** deadlock, serialization failure, lock timeout: the same transaction may succeed when it is tried again. */
const CONFLICT_CODES = new Set(['40P01', '40001', '55P03']);

/** Decides when a read may begin. */
type Admission = <T>(work: () => Promise<T>) => Promise<T>;

/** The database, through MikroORM's own connection pool. */
export class Database {
  private constructor(
    private readonly orm: MikroORM,
    /** The events that it has rows of. */
    readonly events: EventCatalog,
    private readonly admit: Admission = (work) => work(),
  ) {}

  /**
   * Opens a pool; connects lazily, so that a process can start before its database.
   * @param url `postgresql://user:password@host:port/database`
   * @param options.statementTimeoutMs a statement that takes longer fails (`isTimeout`); unset: none does.
   * @param options.mayLoseCommits commits don't wait for the disk: the last ones, in their order, are lost with the server.
   */
  static open(url: string, options: SessionOptions & { poolSize?: number } = {}): Database {
    return new Database(new MikroORM(ormConfig(url, options)), new EventCatalog());
  }

  /** The same database and pool, whose snapshots are admitted one by one, e.g. so that clients take turns. */
  admitting(admit: Admission): Database {
    return new Database(this.orm, this.events, admit);
  }

  /**
   * Runs `work` in one READ COMMITTED transaction. Deadlocks, serialization failures and lock timeouts are tried again
   * (the work must therefore have no effect outside of the transaction).
   */
  async transaction<T>(work: (tx: SqlExecutor) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        // not MikroORM's `transactional`: where the connection dies within it, its place in the pool is lost for ever
        return await this.statements.transaction().execute(work);
      } catch (error) {
        if (attempt > CONFLICT_RETRIES || !isContended(error)) throw error;
      }
    }
  }

  /** Runs `work` in one read-only REPEATABLE READ transaction: all its statements see the same moment. */
  async snapshot<T>(work: (tx: SqlExecutor) => Promise<T>): Promise<T> {
    return this.admit(() =>
      this.statements
        .transaction()
        .setIsolationLevel('repeatable read')
        .setAccessMode('read only')
        .execute(work),
    );
  }

  /** For single statements outside of a transaction. */
  get statements(): SqlExecutor {
    return this.orm.em.fork().getKysely() as SqlExecutor;
  }

  /** MikroORM itself, for migrations. */
  get mikroOrm(): MikroORM {
    return this.orm;
  }

  async close(): Promise<void> {
    await this.orm.close(true);
  }
}

/** Postgres's SQLSTATE of an error, if it has one, however MikroORM wrapped it. */
function sqlState(error: unknown): string | undefined {
  for (let e = error as { code?: unknown; cause?: unknown; previous?: unknown } | undefined; e; ) {
    if (typeof e.code === 'string' && /^[0-9A-Z]{5}$/.test(e.code)) return e.code;
    e = (e.cause ?? e.previous) as typeof e;
  }
  return undefined;
}

/**
 * Whether an error says that these statements can never succeed (data exception, integrity violation, SQL error), in
 * contrast to a database that is away, shutting down, out of resources or contended (try again later).
 */
export function isPermanent(error: unknown): boolean {
  return /^(22|23|42)/.test(sqlState(error) ?? '');
}

/** Whether a transaction lost a deadlock or waited too long for a lock: tried again it may succeed. */
export function isContended(error: unknown): boolean {
  return CONFLICT_CODES.has(sqlState(error) ?? '');
}

/** Whether a statement waited in vain for a lock. */
export function isLockTimeout(error: unknown): boolean {
  return sqlState(error) === '55P03';
}

/** Whether a statement was ended since it took longer than `statementTimeoutMs`. */
export function isTimeout(error: unknown): boolean {
  return sqlState(error) === '57014';
}
