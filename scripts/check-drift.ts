import '#libs/telemetry/node-version.js';
import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '#apps/local/embedded-postgres.js';
import { Database } from '#libs/database/database.js';
import { migrate } from '#libs/database/migrate.js';

/** Applies all migrations to an empty database and fails when the entities ask for anything else. */
async function schemaDrift(): Promise<string> {
  // a path that isn't there yet: as root, Postgres's user could not enter a private folder of ours
  const dir = join(tmpdir(), `event-monitor-drift-${randomUUID()}`);
  const postgres = await startEmbeddedPostgres({ dir, settings: { fsync: 'off' } });
  try {
    const database = Database.open(postgres.url);
    await migrate(database);
    const sql = await database.mikroOrm.schema.getUpdateSchemaSQL({ wrap: false, safe: false });
    await database.close();
    return sql.trim();
  } finally {
    await postgres.stop('immediate');
    for (const folder of [dir, postgres.dir]) rmSync(folder, { recursive: true, force: true });
  }
}

const drift = await schemaDrift();
if (drift) {
  process.stderr.write(`The migrations don't make what the entities say; missing:\n${drift}\n`);
  process.exit(1);
}
