import '#libs/telemetry/node-version.js';
import { parseArgs } from 'node:util';
import { Database } from '#libs/database/database.js';
import { migrate } from '#libs/database/migrate.js';
import { benchReads } from './bench/reads.js';
import { withMigratedDatabase } from './empty-database.js';

/*
 * npm run bench -- reads [--rows 1000000] [--database postgresql://…]: how each kind of read is carried out on generated rows. Without a
 * database it starts one of its own; a given one must be empty, or filled by an earlier run with the same number of rows.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rows: { type: 'string', default: '1000000' }, database: { type: 'string' } },
});
if (positionals.join() !== 'reads' || !/^[1-9]\d{3,8}$/.test(values.rows)) {
  process.stderr.write(
    'npm run bench -- reads [--rows 1000000] [--database postgresql://…]; at least 1000 rows\n',
  );
  process.exit(2);
}
const run = (database: Database) => benchReads(database, Number(values.rows));
if (values.database) {
  const database = Database.open(values.database);
  await migrate(database);
  await run(database);
  await database.close();
} else {
  await withMigratedDatabase(run);
}
