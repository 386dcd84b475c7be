/** Two transactions wait for each other; the one that noticed must begin again. */
export class Deadlock extends Error {
  override readonly name = 'Deadlock';
}

/** A transaction that is under way: what it wrote, and the locks that it holds to its end. */
export interface Transaction {
  readonly id: number;
  readonly writes: Map<string, { table: string; key: unknown; value: unknown }>;
  readonly held: string[];
}

/** A transaction's work: it goes on at each `yield`, the gap between two statements in which others run. */
export type Work<T> = Generator<void, T>;

/**
 * A small READ COMMITTED database: rows are locked to the transaction's end, each read sees what is committed then, and the
 * transaction's own writes.
 * @typeParam T values by table.
 */
export class MemoryDatabase<T extends Record<string, unknown>> {
  private readonly tables = new Map<string, Map<unknown, unknown>>();
  private readonly owners = new Map<string, Transaction>();
  private readonly waiting = new Map<Transaction, Transaction>();
  private transactions = 0;

  begin(): Transaction {
    return { id: ++this.transactions, writes: new Map(), held: [] };
  }

  end(tx: Transaction, commit: boolean): void {
    for (const { table, key, value } of commit ? tx.writes.values() : []) {
      if (value === undefined) this.table(table).delete(key);
      else this.table(table).set(key, value);
    }
    for (const id of tx.held) this.owners.delete(id);
    this.waiting.delete(tx);
  }

  /** What is committed. */
  committed<K extends keyof T & string>(table: K): ReadonlyMap<unknown, T[K]> {
    return this.table(table) as ReadonlyMap<unknown, T[K]>;
  }

  read<K extends keyof T & string>(tx: Transaction, table: K, key: unknown): T[K] | undefined {
    const own = tx.writes.get(`${table}|${key}`);
    return (own ? own.value : this.table(table).get(key)) as T[K] | undefined;
  }

  /** Writes a value; undefined deletes. */
  write<K extends keyof T & string>(tx: Transaction, table: K, key: unknown, value: T[K] | undefined): void {
    tx.writes.set(`${table}|${key}`, { table, key, value });
  }

  scan<K extends keyof T & string>(tx: Transaction, table: K): Map<unknown, T[K]> {
    const all = new Map(this.table(table));
    for (const write of tx.writes.values()) {
      if (write.table !== table) continue;
      if (write.value === undefined) all.delete(write.key);
      else all.set(write.key, write.value);
    }
    return all as Map<unknown, T[K]>;
  }

  /** Waits for a row's lock and takes it. @throws Deadlock */
  *lock(tx: Transaction, table: keyof T & string, key: unknown): Work<void> {
    const id = `${table}|${key}`;
    for (let owner = this.owners.get(id); owner && owner !== tx; owner = this.owners.get(id)) {
      this.waiting.set(tx, owner);
      for (let t: Transaction | undefined = owner; t; t = this.waiting.get(t))
        if (t === tx) throw new Deadlock();
      yield;
    }
    this.waiting.delete(tx);
    if (this.owners.has(id)) return;
    this.owners.set(id, tx);
    tx.held.push(id);
  }

  private table(name: string): Map<unknown, unknown> {
    const table = this.tables.get(name) ?? new Map<unknown, unknown>();
    this.tables.set(name, table);
    return table;
  }
}
