import '#libs/telemetry/node-version.js';
import { withMigratedDatabase } from './empty-database.js';

/** Writes the migration from what the existing ones make to what the entities say. */
const [name] = process.argv.slice(2);
if (!name || !/^[a-z][a-z0-9_]*$/.test(name)) {
  process.stderr.write('npm run migration -- <name>: the name in snake_case, e.g. add_swap_event\n');
  process.exit(2);
}
const { fileName, diff } = await withMigratedDatabase((database) =>
  database.mikroOrm.migrator.create(undefined, false, false, name),
);
const message = diff.up.length
  ? `libs/database/migrations/${fileName}:\n${diff.up.join('\n')}\n`
  : 'The migrations make what the entities say already: nothing to write.\n';
process.stdout.write(message);
