import { setTimeout as delay } from 'node:timers/promises';
import { sql } from 'kysely';
import { Database } from '#libs/database/database.js';
import { addChecksums, eventChecksum, StreamClient } from './stream-client.js';

/** Connections that are opened at a time. */
const CONNECTING = 50;
/** Of so many subscribers one tells its delays. */
const TIMED_EVERY = 8;
/** What is missing this long after the last commit is lost. */
const PATIENCE_MS = 60_000;

interface Hearing {
  readonly from: number;
  readonly to: number;
  /** Unix milliseconds. */
  readonly time: number;
}

/** What the subscribers of a bench have seen. */
export interface StreamFigures {
  /** Subscribers whose fold equals the table. */
  readonly whole: number;
  /** Events that were not told, and told more than once, over all. */
  readonly lost: number;
  readonly repeated: number;
  /** Messages with changes, over all. */
  readonly messages: number;
  /** Milliseconds from commit to receipt. */
  readonly p50: number;
  readonly p99: number;
  readonly worst: number;
  /** Subscribers whose connection was closed. */
  readonly closed: number;
  /** How the one that stopped reading ended, and whether its fold is whole after it came back with its cursor. */
  readonly stopped: { readonly closeCode: number | null; readonly whole: boolean };
}

/**
 * Subscribes, says `ready` on stdout, waits for the end of writing and compares every subscriber's fold with the table. One more
 * subscriber stops reading at the beginning and comes back at the end.
 * @param written resolves when everything is committed.
 */
export async function runClients(options: {
  readonly url: string;
  readonly databaseUrl: string;
  readonly count: number;
  readonly ready: () => void;
  readonly written: Promise<void>;
}): Promise<StreamFigures> {
  const hearings: Hearing[] = [];
  const note = (from: number, to: number) => hearings.push({ from, to, time: Date.now() });
  const clients = Array.from({ length: options.count }, (_, i) =>
    i % TIMED_EVERY ? new StreamClient(options.url) : new StreamClient(options.url, note),
  );
  const stopped = new StreamClient(options.url);
  for (let i = 0; i < clients.length; i += CONNECTING)
    await Promise.all(clients.slice(i, i + CONNECTING).map((client) => client.connect()));
  await stopped.connect();
  stopped.stopReading();
  options.ready();
  await options.written;
  const database = Database.open(options.databaseUrl, { poolSize: 2 });
  const table = await tableFold(database);
  const isWhole = (client: StreamClient) =>
    client.events === table.events && client.checksum === table.checksum;
  await untilAll(clients, isWhole);
  const closeCode = await comeBack(stopped, isWhole);
  const delays = delaysOf(hearings, await commitTimes(database));
  await database.close();
  const sum = (of: (client: StreamClient) => number) => clients.reduce((all, client) => all + of(client), 0);
  const figures = {
    whole: clients.filter(isWhole).length,
    lost: sum((client) => Math.max(0, table.events - client.events)),
    repeated: sum((client) => Math.max(0, client.events - table.events)),
    messages: sum((client) => client.messages),
    p50: delays[Math.floor(delays.length / 2)] ?? 0,
    p99: delays[Math.floor(delays.length * 0.99)] ?? 0,
    worst: delays.at(-1) ?? 0,
    closed: clients.filter((client) => client.closeCode !== null).length,
    stopped: { closeCode, whole: isWhole(stopped) },
  };
  for (const client of [...clients, stopped]) client.close();
  return figures;
}

async function untilAll(
  clients: readonly StreamClient[],
  isWhole: (client: StreamClient) => boolean,
): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!clients.every(isWhole) && performance.now() < end) await delay(100);
}

/** Lets the one that stopped read what is left, and comes back if it was closed. @returns the code by which it was closed. */
async function comeBack(
  client: StreamClient,
  isWhole: (client: StreamClient) => boolean,
): Promise<number | null> {
  client.readAgain();
  const end = performance.now() + PATIENCE_MS;
  while (client.closeCode === null && !isWhole(client) && performance.now() < end) await delay(100);
  const { closeCode } = client;
  if (closeCode !== null) await client.connect();
  await untilAll([client], isWhole);
  return closeCode;
}

async function tableFold(database: Database): Promise<{ events: number; checksum: number }> {
  const { rows } = await sql<{ id: string }>`
    select chain_id || ':0x' || encode(tx_hash, 'hex') || ':' || log_index as id from socket_bridge_event
    where not removed`.execute(database.statements);
  return {
    events: rows.length,
    checksum: rows.reduce((sum, { id }) => addChecksums(sum, eventChecksum(id)), 0),
  };
}

/** Unix milliseconds by position, of entries that touched rows. */
async function commitTimes(database: Database): Promise<Map<number, number>> {
  const { rows } = await sql<{ position: string; at: string }>`
    select position, extract(epoch from committed_at) * 1000 as at from feed_commit where kind = 'write'`.execute(
    database.statements,
  );
  return new Map(rows.map((row) => [Number(row.position), Number(row.at)]));
}

/** Milliseconds from commit to receipt of each position and timed subscriber, the smallest first. */
function delaysOf(hearings: readonly Hearing[], committed: ReadonlyMap<number, number>): Float64Array {
  const delays: number[] = [];
  for (const { from, to, time } of hearings)
    for (let position = from + 1; position <= to; position++) {
      const at = committed.get(position);
      if (at !== undefined) delays.push(time - at);
    }
  return Float64Array.from(delays).sort();
}
