import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import { pour } from '#apps/api/rest/pour.js';
import type { RunningApi } from '#apps/api/server.js';
import { startTestApi } from './services/api.js';
import { LedgerFixture } from './services/ledger-fixture.js';
import { query } from './services/query.js';
import { get } from './services/rest.js';
import { until } from './services/until.js';

const EXPORT = '/socket-bridge-events/export.ndjson';
const ROWS = 200_000;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const closing: (() => unknown)[] = [];

let ledger: LedgerFixture;
let api: RunningApi;

beforeAll(async () => {
  ledger = await LedgerFixture.create(inject('postgresUrl'));
  await insertRows(ledger.url, ROWS);
  api = await startTestApi({ database: ledger.database });
});
afterAll(async () => {
  await api?.close();
  await ledger?.close();
});

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Rows of three chains, one a second. */
async function insertRows(url: string, rows: number): Promise<void> {
  const bytes = (text: string) => `decode(lpad(to_hex(${text}), 64, '0'), 'hex')`;
  await query(
    url,
    `insert into socket_bridge_event (chain_id, block_number, block_hash, block_timestamp, tx_hash, tx_index, log_index, address,
       amount, token, to_chain_id, bridge_name, bridge, sender, receiver, metadata, topics, data, write_id)
     select 1 + n % 3, n, ${bytes('n')}, to_timestamp(1700000000 + n), ${bytes('n')}, 0, 0, '\\xaa', n, '\\xbb', 10, ${bytes('1')},
       'Hop', '\\xcc', '\\xdd', ${bytes('2')}, array[${bytes('3')}], decode(repeat('00', 224), 'hex'), 1
     from generate_series(1, ${rows}) n`,
  );
  await query(url, 'analyze socket_bridge_event');
}

/** What is in use once garbage is gone, in bytes. */
function memory(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

test('an export has every row once, newest first, in a memory that stays flat', async () => {
  const { body } = await get(api.url, '/socket-bridge-events', { first: '1' });
  const response = await fetch(`${api.url}/api${EXPORT}`);
  expect(response.headers.get('content-type')).toMatch(/^application\/x-ndjson/);
  expect(response.headers.get('feed-cursor')).toBe(body.asOf);
  let [rest, lines] = ['', 0];
  const samples: number[] = [];
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    const parts = `${rest}${chunk}`.split('\n');
    rest = parts.pop()!;
    for (const line of parts) {
      // neither parsed nor said with `expect`: both are slow 200,000 times
      if (!line.includes(`"amount":"${ROWS - lines++}"`)) throw new Error(`line ${lines}: ${line}`);
      if (lines % 25_000 === 0) samples.push(memory());
    }
  }
  expect([lines, rest]).toEqual([ROWS, '']);
  // what was read since the first sample is 310 MB of text, and some 900 MB in memory
  expect(Math.max(...samples) - samples[0]!).toBeLessThan(30_000_000);
}, 180_000);

test('an export goes on behind the cursor of its last line, with the same filter', async () => {
  const lines = async (parameters: Record<string, string>) =>
    (await get(api.url, EXPORT, parameters)).body
      .trimEnd()
      .split('\n')
      .map((line: string) => JSON.parse(line));
  const filter = { chainId: '2', 'amount.gt': '197000' };
  const all = await lines(filter);
  expect(all).toHaveLength(1_000);
  const { amount, cursor } = all[700];
  expect(amount).toBe('197899');
  expect(await lines({ ...filter, after: cursor })).toEqual(all.slice(701));
  expect(await lines({ ...filter, after: all.at(-1).cursor }).catch((error) => error)).toBeInstanceOf(
    SyntaxError,
  );
  const [line] = all;
  const { cursor: _, ...row } = line;
  expect((await get(api.url, `/socket-bridge-events/${row.id}`)).body).toEqual(row);
});

test('bad input is told by status, not in the file', async () => {
  for (const query of ['after=nonsense', 'orderBy=amount', 'first=5', 'amount=x']) {
    const { status, body } = await get(api.url, `${EXPORT}?${query}`);
    expect([status, body.error.code]).toEqual([400, 'BAD_USER_INPUT']);
  }
  const head = await get(api.url, EXPORT, {}, { method: 'HEAD' });
  expect([head.status, head.headers.get('content-disposition')]).toEqual([
    200,
    'attachment; filename="socket-bridge-events.ndjson"',
  ]);
});

test('clients that stop reading hold no connection to the database and little memory, and stop nobody', async () => {
  const settled = memory();
  // more than the pool has connections
  const clients = await Promise.all(Array.from({ length: 30 }, () => readNothing(`/api${EXPORT}`)));
  await until('answers that wait for their clients', async () => {
    const [row] = await query<{ n: number }>(
      ledger.url,
      `select count(*)::int as n from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'`,
    );
    return clients.every((client) => client.bytesRead > 0) && row!.n === 0;
  });
  expect((await get(api.url, '/socket-bridge-events', { first: '1' })).status).toBe(200);
  expect(memory() - settled).toBeLessThan(30 * 2_500_000);
  for (const client of clients) client.destroy();
});

/** Asks, and takes only what comes at once. */
async function readNothing(path: string): Promise<Socket> {
  const { hostname, port } = new URL(api.url);
  const socket = connect(Number(port), hostname);
  closing.push(() => socket.destroy());
  await once(socket, 'connect');
  socket.write(`GET ${path} HTTP/1.1\r\nhost: test\r\n\r\n`);
  await once(socket, 'readable');
  socket.read(1);
  return socket;
}

test('a client that stops reading is cut after its patience, and what it was told ends', async () => {
  let asked = 0;
  let ended = false;
  async function* endless() {
    try {
      for (;;) {
        asked++;
        yield 'x'.repeat(60_000);
      }
    } finally {
      ended = true;
    }
  }
  const server = createServer((_, response) => {
    void pour(response, endless(), { textOf: (text) => [text], patienceMs: 300 });
  });
  closing.push(() => server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.write('GET / HTTP/1.1\r\nhost: test\r\n\r\n');
  client.pause();
  await until('the end', () => ended);
  const waiting = asked;
  const closed = once(client, 'close');
  client.resume().on('error', () => {});
  await closed;
  // what the network holds back, and not one item more
  expect(asked).toBe(waiting);
});

test('an export whose database goes away breaks off: it never looks whole', async () => {
  const broken = await LedgerFixture.create(inject('postgresUrl'));
  closing.push(() => broken.close());
  const other = await startTestApi({ database: broken.database });
  closing.push(() => other.close());
  await insertRows(broken.url, 20_000);
  const { hostname, port } = new URL(other.url);
  const response = await fetch(`http://${hostname}:${port}/api${EXPORT}`);
  const reader = response.body!.getReader();
  await reader.read();
  await query(broken.url, 'alter table socket_bridge_event rename to away');
  const readOn = async () => {
    while (!(await reader.read()).done);
  };
  await expect(readOn()).rejects.toThrow();
});
