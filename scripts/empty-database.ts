import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '#apps/local/embedded-postgres.js';
import { Database } from '#libs/database/database.js';

/**
 * Runs `work` on a database of its own to which all migrations are applied.
 * @param settings of the server; by default what it holds may be lost with the machine.
 */
export async function withMigratedDatabase<T>(
  work: (database: Database, url: string) => Promise<T>,
  settings: Readonly<Record<string, string>> = { fsync: 'off' },
): Promise<T> {
  // a path that isn't there yet: as root, Postgres's user could not enter a private folder of ours
  const dir = join(tmpdir(), `event-monitor-schema-${randomUUID()}`);
  const postgres = await startEmbeddedPostgres({ dir, settings });
  try {
    const database = Database.open(postgres.url);
    // the schema alone: what the code needs of it beyond may be what a migration is being written for
    await database.mikroOrm.migrator.up();
    const result = await work(database, postgres.url);
    await database.close();
    return result;
  } finally {
    await postgres.stop('immediate');
    for (const folder of [dir, postgres.dir]) rmSync(folder, { recursive: true, force: true });
  }
}
