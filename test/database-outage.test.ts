import { sql } from 'kysely';
import { afterEach, expect, inject, test } from 'vitest';
import { Database, type SqlExecutor } from '#libs/database/database.js';
import { Wire } from './services/wire.js';

const closing: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

test('connections that die between or within the statements of transactions leave the pool as large as it was', async () => {
  const wire = await Wire.to(inject('postgresUrl'));
  const database = Database.open(wire.through(inject('postgresUrl')), { poolSize: 2 });
  closing.push(
    () => wire.cut(),
    () => database.close(),
  );
  const one = (tx: SqlExecutor) => sql`select 1`.execute(tx);
  const dying = [
    async (tx: SqlExecutor) => {
      await one(tx);
      await wire.cut();
      await one(tx);
    },
    async (tx: SqlExecutor) => {
      await Promise.all([sql`select pg_sleep(60)`.execute(tx), wire.cut()]);
    },
    async (tx: SqlExecutor) => {
      await one(tx);
      await wire.cut();
    },
  ];
  for (const work of [...dying, ...dying]) {
    await expect(database.transaction(work)).rejects.toThrow();
    await wire.mend();
    await expect(database.snapshot(work)).rejects.toThrow();
    await wire.mend();
    await Promise.all([database.transaction(one), database.transaction(one)]);
  }
});
