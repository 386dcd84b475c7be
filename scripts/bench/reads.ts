import { sql } from 'kysely';
import type { Database } from '#libs/database/database.js';
import type { EventDefinition } from '#libs/events/event.js';
import { explain } from './explain.js';
import { generateRows } from './generated-rows.js';
import { type ReadCase, readCases } from './read-cases.js';

/** Prints for each kind of read of each event: time, rows looked at, rows returned, and by which index. */
export async function benchReads(
  database: Database,
  events: readonly EventDefinition[],
  rows: number,
): Promise<void> {
  for (const event of events) {
    await fill(database, event, rows);
    process.stdout.write(
      `\n${event.table}, ${rows} rows\n      ms     read returned  ratio  pages  read by\n`,
    );
    for (const readCase of await readCases(database, event))
      process.stdout.write(`${await lineOf(database, event, readCase)}\n`);
  }
}

async function lineOf(database: Database, event: EventDefinition, { name, read }: ReadCase): Promise<string> {
  const once = () => explain(database.statements, event.table, read);
  // the second time: what the first one finds in memory is chance
  await once();
  const found = await once();
  const by = found.sequential
    ? 'SEQUENTIAL SCAN'
    : found.indexes.join(', ').replaceAll(`${event.table}_`, '');
  const figures = [
    found.milliseconds.toFixed(1).padStart(8),
    String(found.read).padStart(8),
    String(found.returned).padStart(8),
    (found.read / Math.max(1, found.returned)).toFixed(1).padStart(6),
    String(found.pages).padStart(6),
  ];
  return `${figures.join(' ')}  ${name}: ${by}`;
}

async function fill(database: Database, event: EventDefinition, rows: number): Promise<void> {
  const found = await sql`select 1 from ${sql.table(event.table)} limit 1`.execute(database.statements);
  if (found.rows.length) return;
  await generateRows(database, event, rows, (done) => process.stderr.write(`\r${done} rows `));
}
