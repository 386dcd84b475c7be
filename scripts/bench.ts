import '#libs/telemetry/node-version.js';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { Database } from '#libs/database/database.js';
import { migrate } from '#libs/database/migrate.js';
import type { EventDefinition } from '#libs/events/event.js';
import { eventByName } from '#libs/events/registry.js';
import { benchDerive, deriveRun } from './bench/derive.js';
import { benchReads } from './bench/reads.js';
import { runClients } from './bench/stream-clients.js';
import { benchSubscribers } from './bench/subscribers.js';
import { withMigratedDatabase } from './empty-database.js';

/*
 * npm run bench -- reads [--event SocketBridge] [--rows 1000000] [--database postgresql://…]: how each kind of read of an event (or of
 * several: --event may be given again) is carried out on generated rows. Without a database it starts one of its own; a given one must be
 * empty, or filled by an earlier run with the same number of rows.
 *
 * npm run bench -- subscribers [--subscribers 2000] [--rate 200] [--minutes 5]: subscribers of one API process while events are stored;
 * needs a RabbitMQ at RABBITMQ_URL, and starts a Postgres of its own.
 *
 * npm run bench -- derive [--rows 1000000] [--rate 50] [--parallel 2]: a new column is filled while live events are stored; starts a Postgres of
 * its own.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rows: { type: 'string', default: '1000000' },
    event: { type: 'string', multiple: true, default: ['SocketBridge'] },
    database: { type: 'string' },
    subscribers: { type: 'string', default: '2000' },
    rate: { type: 'string', default: '200' },
    minutes: { type: 'string', default: '5' },
    url: { type: 'string', default: '' },
    column: { type: 'string', default: '' },
    share: { type: 'string', default: '1' },
    parallel: { type: 'string', default: '2' },
  },
});

async function reads(events: readonly EventDefinition[]): Promise<void> {
  const run = (database: Database) => benchReads(database, events, Number(values.rows));
  if (!values.database) return withMigratedDatabase(run);
  const database = Database.open(values.database);
  await migrate(database);
  await run(database);
  await database.close();
}

function subscribers(rabbitmqUrl: string): Promise<void> {
  const [count, rate, minutes] = [values.subscribers, values.rate, values.minutes].map(Number);
  const wanted = { subscribers: count!, rate: rate!, minutes: minutes!, rabbitmqUrl };
  return withMigratedDatabase((database, databaseUrl) =>
    benchSubscribers(database, { ...wanted, databaseUrl }),
  );
}

function derived(): Promise<void> {
  const [rows, rate, parallel] = [values.rows, values.rate, values.parallel].map(Number);
  return withMigratedDatabase(
    (database, databaseUrl) =>
      benchDerive(database, { rows: rows!, rate: rate!, parallel: parallel!, databaseUrl }),
    // as docker-compose.yml has it
    { shared_buffers: '256MB' },
  );
}

/** The process that derives. */
async function deriving(): Promise<void> {
  const { column, share, parallel } = values;
  const database = Database.open(values.database!, { poolSize: Number(parallel) + 1, mayLoseCommits: true });
  const options = { column, share: Number(share), parallel: Number(parallel) };
  process.exitCode = await deriveRun({ database, client: null }, options);
  await database.close();
}

/** The subscribers' process. */
async function subscriberClients(): Promise<void> {
  const written = once(process, 'SIGUSR2').then(() => {});
  const ready = () => void process.stdout.write('ready\n');
  const { url, database: databaseUrl = '' } = values;
  const figures = await runClients({ url, databaseUrl, count: Number(values.subscribers), ready, written });
  process.stdout.write(`${JSON.stringify(figures)}\n`);
}

const rabbitmqUrl = process.env.RABBITMQ_URL;
const isNumber = [values.subscribers, values.rate, values.minutes].every((value) => Number(value) > 0);
const measured = values.event.map(eventByName).filter((event) => event !== undefined);
const canRead = /^[1-9]\d{3,8}$/.test(values.rows) && measured.length === values.event.length;
if (positionals.join() === 'reads' && canRead) await reads(measured);
else if (positionals.join() === 'subscribers' && rabbitmqUrl && isNumber) await subscribers(rabbitmqUrl);
else if (positionals.join() === 'subscriber-clients' && isNumber) await subscriberClients();
else if (positionals.join() === 'derive' && /^[1-9]\d{3,8}$/.test(values.rows) && isNumber) await derived();
else if (positionals.join() === 'derive-run' && values.database) await deriving();
else {
  process.stderr.write(
    `npm run bench -- reads [--event SocketBridge] [--rows 1000000] [--database postgresql://…]; at least 1000 rows
npm run bench -- derive [--rows 1000000] [--rate 50] [--parallel 2]
RABBITMQ_URL=amqp://… npm run bench -- subscribers [--subscribers 2000] [--rate 200] [--minutes 5]\n`,
  );
  process.exit(2);
}
