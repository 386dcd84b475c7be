import { setTimeout as delay } from 'node:timers/promises';
import type { Client, Pool, PoolClient } from 'pg';
import { Database } from '#libs/database/database.js';

/** Most statements return sooner; only then is it asked whether a lock holds one up. */
const FIRST_LOOK_MS = 3;

/**
 * A scheduler's statements wait for it, not for others; so none of them may time out, and a deadlock be noticed soon.
 * The product's own limits are tested elsewhere.
 */
const SESSION =
  "set lock_timeout = 0; set idle_in_transaction_session_timeout = 0; set deadlock_timeout = '10ms'";

/** What became of a transaction. */
type Outcome<T> = { readonly value: T } | { readonly error: unknown };

/**
 * The real `Database` on one real connection, with a gate before each SQL statement: whoever holds it opens it one statement at
 * a time, so that transactions of several of them interleave as a seed says. A statement that waits for a row lock is noticed
 * by what Postgres says of it.
 */
export class GatedDatabase {
  private pid = 0;
  private opening: (() => void) | null = null;
  private outcome: Outcome<unknown> | null = null;
  private happened = () => {};
  private happening: Promise<void> = Promise.resolve();
  /** Whether a statement is in Postgres's hands and a lock holds it up. */
  isBlocked = false;
  /** How many statements had to wait for a lock. */
  waits = 0;

  private constructor(
    private readonly database: Database,
    private readonly admin: Client,
  ) {}

  /** @param admin a connection that tells which sessions wait, and ends them. */
  static async open(url: string, admin: Client): Promise<GatedDatabase> {
    const gated = new GatedDatabase(Database.open(url, { poolSize: 1 }), admin);
    const connection = gated.database.mikroOrm.em.getConnection();
    const pool = (await connection.getNativeClient()) as Pool;
    // whoever checks that the database is there may have made the connection already
    const client = await pool.connect();
    gated.guard(client);
    client.release();
    pool.on('connect', (next) => gated.guard(next));
    return gated;
  }

  /** Begins a transaction's work; it stops before its first statement. */
  async begin<T>(work: (database: Database) => Promise<T>): Promise<void> {
    this.outcome = null;
    this.isBlocked = false;
    this.expect();
    work(this.database).then(
      (value) => this.settle({ value }),
      (error) => this.settle({ error }),
    );
    await this.happening;
  }

  /** Runs the next statement until it is done or waits for a lock. @returns what the transaction came to, once it is over. */
  async step(): Promise<Outcome<unknown> | null> {
    if (this.isBlocked && !this.opening && !this.outcome) {
      // another's end lets it go on (see `settled`), or Postgres ends a deadlock
      await new Promise(setImmediate);
      return this.outcome;
    }
    this.isBlocked = false;
    if (this.outcome) return this.outcome;
    if (this.opening) {
      const open = this.opening;
      this.opening = null;
      this.expect();
      open();
      await Promise.race([this.happening, delay(FIRST_LOOK_MS, undefined, { ref: false })]);
    }
    await this.settled();
    return this.outcome;
  }

  /** Waits until the statement that was let through has returned, or waits for a lock. */
  async settled(): Promise<void> {
    while (!this.opening && !this.outcome) {
      if (await this.waitsForLock()) {
        if (!this.isBlocked) this.waits++;
        this.isBlocked = true;
        return;
      }
      await Promise.race([this.happening, delay(1, undefined, { ref: false })]);
    }
    this.isBlocked = false;
  }

  /** Ends the connection, wherever its transaction stands, as the death of the process does. */
  async crash(): Promise<void> {
    await this.admin.query('select pg_terminate_backend($1, 10000)', [this.pid]);
    this.opening?.();
    this.opening = null;
    while (!this.outcome) {
      this.expect();
      await this.happening;
      (this.opening as (() => void) | null)?.();
    }
    this.isBlocked = false;
  }

  async close(): Promise<void> {
    await this.database.close();
  }

  /** Lets the statements of a connection through one by one; what begins or undoes a transaction has no need to wait. */
  private guard(client: PoolClient & { processID?: number }): void {
    this.pid = client.processID!;
    // what a terminated session says on its way out
    client.on('error', () => {});
    const query = client.query.bind(client) as (...args: unknown[]) => Promise<unknown>;
    void query(SESSION);
    const gated = async (...args: unknown[]) => {
      if (!/^(begin|start|rollback)/i.test(String(args[0]))) await this.atGate();
      return query(...args);
    };
    Object.assign(client, { query: gated });
  }

  private atGate(): Promise<void> {
    return new Promise((resolve) => {
      this.opening = resolve;
      this.happened();
    });
  }

  private settle(outcome: Outcome<unknown>): void {
    this.outcome = outcome;
    this.happened();
  }

  private expect(): void {
    this.happening = new Promise((resolve) => {
      this.happened = resolve;
    });
  }

  private async waitsForLock(): Promise<boolean> {
    const { rows } = await this.admin.query<{ waits: boolean }>(
      'select cardinality(pg_blocking_pids($1)) > 0 as waits',
      [this.pid],
    );
    return rows[0]!.waits;
  }
}
