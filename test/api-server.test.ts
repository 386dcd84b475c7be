import { pino } from 'pino';
import { afterEach, expect, inject, test } from 'vitest';
import WebSocket from 'ws';
import { paced } from '#apps/api/graphql/pacing.js';
import { Database } from '#libs/database/database.js';
import { reportState } from '#libs/database/ledger.js';
import { ask, askData, Follower, startTestApi } from './services/api.js';
import { ADDRESS, block, CHAIN_ID, hashOf, LedgerFixture } from './services/ledger-fixture.js';
import { until } from './services/until.js';

const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function start(options: Partial<Parameters<typeof startTestApi>[0]> = {}) {
  const ledger = await LedgerFixture.create(inject('postgresUrl'));
  closing.push(() => ledger.close());
  const api = await startTestApi({ database: ledger.database, ...options });
  closing.push(() => api.close());
  return { ledger, api };
}

/** An API whose Postgres refuses connections. */
async function startWithoutPostgres(options: Partial<Parameters<typeof startTestApi>[0]> = {}) {
  const database = Database.open('postgresql://nobody:secret@127.0.0.1:1/nothing');
  closing.push(() => database.close());
  const api = await startTestApi({ database, ...options });
  closing.push(() => api.close());
  return api;
}

test('without Postgres the API is alive and not ready, and says so, without the connection string', async () => {
  const api = await startWithoutPostgres();
  const [alive, ready] = await Promise.all([fetch(`${api.url}/healthz`), fetch(`${api.url}/readyz`)]);
  expect([alive.status, ready.status]).toEqual([200, 503]);
  expect(await ready.text()).toMatch(/Postgres/);
  for (const query of ['{ chains { id } }', '{ socketBridgeEvents { totalCount } }']) {
    const { errors } = await ask(api.url, query);
    expect(errors?.[0]?.extensions?.code).toBe('DATABASE_UNAVAILABLE');
    expect(JSON.stringify(errors)).not.toMatch(/secret|127\.0\.0\.1|nobody/);
  }
});

test('a subscription without Postgres is told that the database is away', async () => {
  const api = await startWithoutPostgres();
  const follower = new Follower(api.url, {});
  closing.push(() => follower.close());
  const ended = await until('the error', () => follower.ended);
  expect(ended).toMatchObject([{ extensions: { code: 'DATABASE_UNAVAILABLE' } }]);
});

test('an error that nobody foresaw is masked with the id of the request, and logged with it', async () => {
  const lines: string[] = [];
  const logger = pino({ level: 'error' }, { write: (line: string) => void lines.push(line) });
  const { ledger, api } = await start({ logger });
  await ledger.database.mikroOrm.schema.execute('drop table socket_bridge_event');
  const { errors } = await ask(api.url, '{ socketBridgeEvents { totalCount } }');
  const [error] = errors as [{ message: string; extensions: { code: string; requestId: string } }];
  expect(error.extensions.code).toBe('INTERNAL_SERVER_ERROR');
  expect(JSON.stringify(errors)).not.toMatch(/socket_bridge_event|select/);
  expect(lines.find((line) => line.includes(error.extensions.requestId))).toMatch(/socket_bridge_event/);
});

test('the status page and GraphiQL load nothing from elsewhere', async () => {
  const { api } = await start();
  const root = await fetch(`${api.url}/`, { redirect: 'manual' });
  expect([root.status, root.headers.get('location')]).toEqual([302, '/status']);
  for (const path of ['/status', '/graphql']) {
    const page = await fetch(`${api.url}${path}`, { headers: { accept: 'text/html' } });
    expect(page.status).toBe(200);
    const html = await page.text();
    expect(html.match(/<(script|link|img|iframe)[^>]*(src|href)="?(https?:)?\/\/[^>]*>/g)).toBeNull();
  }
});

test('the status page shows what a chain is called as text, never as markup', async () => {
  const { api } = await start();
  const html = await (await fetch(`${api.url}/status`)).text();
  expect(html).not.toMatch(/innerHTML|insertAdjacentHTML|document\.write/);
});

const origins: readonly [origin: string, corsOrigins: readonly string[] | 'localhost', allowed: boolean][] = [
  ['http://localhost:3000', 'localhost', true],
  ['http://127.0.0.1:8080', 'localhost', true],
  ['http://[::1]:8080', 'localhost', true],
  ['https://example.org', 'localhost', false],
  ['http://localhost.example.org', 'localhost', false],
  ['http://localhost:3000@example.org', 'localhost', false],
  ['https://example.org', ['https://example.org'], true],
  ['http://localhost:3000', ['https://example.org'], false],
  ['https://example.org', ['*'], true],
];

test.each(origins)('a page of %s, where %s may call, is let in: %s', async (origin, corsOrigins, allowed) => {
  const api = await startWithoutPostgres({ corsOrigins });
  const preflight = await fetch(`${api.url}/graphql`, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type',
    },
  });
  expect(preflight.headers.get('access-control-allow-origin')).toBe(allowed ? origin : null);
  const websocket = new WebSocket(`${api.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
    origin,
  });
  const opened = await new Promise<boolean>((resolve) => {
    websocket.once('open', () => resolve(true));
    websocket.once('error', () => resolve(false));
  });
  websocket.terminate();
  expect(opened, 'over WebSocket').toBe(allowed);
});

test('a page of the API itself may open a WebSocket, whatever the list of origins', async () => {
  const api = await startWithoutPostgres({ corsOrigins: ['https://example.org'] });
  const websocket = new WebSocket(`${api.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
    origin: api.url,
  });
  const opened = await new Promise<boolean>((resolve) => {
    websocket.once('open', () => resolve(true));
    websocket.once('error', () => resolve(false));
  });
  websocket.terminate();
  expect(opened).toBe(true);
});

test('when the API closes, WebSockets are told 1001 and open streams end', async () => {
  const { api } = await start();
  const follower = new Follower(api.url, {});
  await until('the first cursor', () => follower.messages.length);
  const idle = new WebSocket(`${api.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  await new Promise((resolve) => idle.once('open', resolve));
  const code = new Promise<number>((resolve) => idle.once('close', resolve));
  const query = 'subscription { socketBridgeEvents { cursor } }';
  const stream = await fetch(`${api.url}/graphql?query=${encodeURIComponent(query)}`, {
    headers: { accept: 'text/event-stream' },
  });
  const told = stream.text().catch(() => 'cut off');
  await api.close();
  expect(await code).toBe(1001);
  expect(await told).toMatch(/SERVER_CLOSING|complete|cut off/);
  expect(await until('the end of the subscription', () => follower.ended)).toMatchObject({ code: 1001 });
});

test('a client that does not read is sent no more, and closed with a code of its own after a while', async () => {
  let [pulled, ended] = [0, false];
  async function* endless() {
    try {
      for (;;) yield ++pulled;
    } finally {
      ended = true;
    }
  }
  const closes: unknown[][] = [];
  const close = (...with_: unknown[]) => void closes.push(with_);
  const full = { bufferedAmount: 1_000_001, readyState: 1, OPEN: 1, close };
  const received: number[] = [];
  for await (const message of paced(endless(), full, new AbortController().signal, 100))
    received.push(message);
  expect({ received, pulled, ended }).toEqual({ received: [1], pulled: 1, ended: true });
  expect(closes).toEqual([[4410, expect.stringMatching(/cursor/)]]);
});

test('a taken port is told with what to do', async () => {
  const { api, ledger } = await start();
  const port = Number(new URL(api.url).port);
  await expect(startTestApi({ database: ledger.database, port })).rejects.toThrow(
    `port ${port} of 127.0.0.1 is taken: set PORT`,
  );
});

const chainQuery = `query ($id: SafeInt!) { chain(id: $id) {
  id name state reason head finalized lastProcessedBlock lagBlocks isLed undecodableLogs explorer { url }
  backfill { blocksWanted blocksStored progress etaSeconds }
  sources {
    address event state retiredAt startBlock liveFrom coverage { from to } lastProcessedBlock countedFrom
    backfill { blocksWanted blocksStored progress etaSeconds }
  }
} }`;

test('a chain shows its state, its lag, and how far each source is stored', async () => {
  const { ledger, api } = await start();
  expect(await askData(api.url, '{ chains { id } }')).toEqual({ chains: [] });
  const { term } = await ledger.lead();
  const blocks = [block(20, 'a'), block(21, 'a')];
  await ledger.apply(term, 1, { above: 19, blocks }, { final: 20, hash: hashOf(20, 'a') });
  await ledger.history(1, 5, []);
  const [{ holder }] = (await ledger.database.mikroOrm.em
    .fork()
    .execute('select holder from chain_lane')) as [{ holder: string }];
  const head = { number: 23, timestamp: 1_700_000_023 };
  const report = {
    chainId: CHAIN_ID,
    chainName: 'Test',
    holder,
    state: 'following',
    reason: null,
    head,
  } as const;
  await reportState(ledger.database.statements, { ...report, endpoints: [] });
  const { chain } = await askData(api.url, chainQuery, { id: CHAIN_ID });
  expect(chain).toEqual({
    id: CHAIN_ID,
    name: 'Test',
    state: 'following',
    reason: null,
    head: 23,
    finalized: 20,
    lastProcessedBlock: 5,
    lagBlocks: 2,
    isLed: true,
    undecodableLogs: 0,
    explorer: null,
    backfill: { blocksWanted: 20, blocksStored: 6, progress: 0.3, etaSeconds: null },
    sources: [
      {
        address: ADDRESS,
        event: 'SocketBridge',
        state: 'filling',
        retiredAt: null,
        startBlock: 1,
        liveFrom: 20,
        coverage: [
          { from: 1, to: 5 },
          { from: 20, to: 21 },
        ],
        lastProcessedBlock: 5,
        countedFrom: 1,
        backfill: { blocksWanted: 20, blocksStored: 6, progress: 0.3, etaSeconds: null },
      },
    ],
  });
  await ledger.history(6, 19, []);
  const done = await askData(api.url, chainQuery, { id: CHAIN_ID });
  expect(done.chain.backfill).toEqual({ blocksWanted: 20, blocksStored: 20, progress: 1, etaSeconds: 0 });
  expect((await askData(api.url, chainQuery, { id: 999 })).chain).toBeNull();
});

test('a chain that no fetcher leads is said to be so', async () => {
  const { ledger, api } = await start();
  await ledger.lead();
  await ledger.database.mikroOrm.em.fork().execute("update chain_lane set expires_at = '-infinity'");
  const { chain } = await askData(api.url, chainQuery, { id: CHAIN_ID });
  expect(chain).toMatchObject({ isLed: false, state: 'unled', reason: expect.stringMatching(/fetcher/) });
});
