import '#libs/telemetry/node-version.js';
import { withMigratedDatabase } from './empty-database.js';

/** Applies all migrations to an empty database and fails when the entities ask for anything else. */
const drift = await withMigratedDatabase((database) =>
  database.mikroOrm.schema.getUpdateSchemaSQL({ wrap: false, safe: false }),
);
if (drift.trim()) {
  process.stderr.write(
    `The migrations don't make what the entities say (npm run migration -- <name> writes one); missing:\n${drift.trim()}\n`,
  );
  process.exit(1);
}
