import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import WebSocket from 'ws';
import type { RunningApi } from '#apps/api/server.js';
import { HealthServer } from '#libs/telemetry/health-server.js';
import { startTestApi } from './services/api.js';
import { block, LedgerFixture } from './services/ledger-fixture.js';
import { firstAnswer } from './services/transports.js';
import { until } from './services/until.js';

const subscription = 'subscription { socketBridgeEvents(since: "0") { changes { node { blockNumber } } } }';
let ledger: LedgerFixture;
let api: RunningApi;

beforeAll(async () => {
  ledger = await LedgerFixture.create(inject('postgresUrl'));
  const { term } = await ledger.lead();
  await ledger.apply(term, 1, { above: 9, blocks: [block(10, 'a', [{ tx: 't' }])] });
});
afterAll(() => ledger?.close());

beforeEach(async () => {
  api = await startTestApi({ database: ledger.database, limits: { maxSubscriptionsPerClient: 1 } });
});
afterEach(() => api.close());

/** A WebSocket that may send. */
async function opened(): Promise<WebSocket> {
  const socket = new WebSocket(`${api.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  await once(socket, 'open');
  socket.send('{"type":"connection_init"}');
  await once(socket, 'message');
  return socket;
}

/** Sends messages, and what else is done of the socket, in one write. */
function atOnce(socket: WebSocket, messages: readonly object[], then: () => void = () => {}): void {
  const { _socket: stream } = socket as unknown as { _socket: Socket };
  stream.cork();
  for (const message of messages) socket.send(JSON.stringify(message));
  then();
  stream.uncork();
}

const subscribe = (id: string) => ({ id, type: 'subscribe', payload: { query: subscription } });
const complete = (id: string) => ({ id, type: 'complete' });

/** Waits until the client's only subscription is free, and another gets events. */
async function expectRoom(at = api): Promise<void> {
  await until('room for a subscription', async () => {
    const { data } = await firstAnswer(at.url, 'WebSocket', { query: subscription });
    return data;
  });
}

test('who completes a subscription right behind its subscribe may subscribe again on the same socket, and gets events', async () => {
  const socket = await opened();
  const answers: { id: string; type: string; payload: unknown }[] = [];
  socket.on('message', (text) => answers.push(JSON.parse(String(text))));
  atOnce(socket, [subscribe('early'), complete('early')]);
  let tries = 0;
  const message = await until('events', () => {
    // one that comes before the first is over is refused
    const refused = answers.filter(({ type }) => type === 'complete').length;
    if (refused === tries) socket.send(JSON.stringify(subscribe(`again ${tries++}`)));
    return answers.find(({ payload }) => JSON.stringify(payload)?.includes('"blockNumber":10'));
  });
  expect(message).toMatchObject({ id: expect.stringMatching(/^again/), type: 'next' });
  expect(answers.filter(({ id }) => id === 'early')).toEqual([]);
  socket.terminate();
});

test.each(['close', 'terminate'] as const)(
  'a WebSocket that ends right behind its subscribe (%s) leaves no subscription open',
  async (end) => {
    const socket = await opened();
    atOnce(socket, [subscribe('1')], () => socket[end]());
    await once(socket, 'close');
    await expectRoom();
  },
);

test.each([
  ['at once', [subscribe('1'), complete('1'), subscribe('1')]],
  ['twice', [subscribe('1'), complete('1'), subscribe('1'), complete('1'), subscribe('1')]],
])(
  'a WebSocket that uses the id of a subscription again (%s) leaves none open when it closes',
  async (_how, messages) => {
    const socket = await opened();
    atOnce(socket, messages);
    await once(socket, 'message');
    socket.close();
    await expectRoom();
  },
);

/** What a client asks for that wants a subscription, or may come to want one. */
const requests = {
  'SSE of GraphQL': `GET /graphql?query=${encodeURIComponent(subscription)} HTTP/1.1\r\nAccept: text/event-stream\r\n`,
  'SSE of REST': 'GET /api/socket-bridge-events/stream?since=0 HTTP/1.1\r\n',
  WebSocket:
    'GET /graphql HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n',
};

test.each(Object.entries(requests))(
  'a client of %s that has gone before the API has begun leaves nothing open',
  async (_of, request) => {
    const locking = new Client({ connectionString: ledger.url });
    await locking.connect();
    await locking.query('begin; lock table event_fragment in access exclusive mode');
    const http = await HealthServer.listen({ host: '127.0.0.1', port: 0, portVariable: 'PORT' });
    const limits = { maxSubscriptionsPerClient: 1, maxConnectionsPerClient: 1 };
    const starting = startTestApi({ database: ledger.database, http, limits });
    const connected = once(http.server, 'connection');
    const asked = Promise.race([once(http.server, 'request'), once(http.server, 'upgrade')]);
    const client = connect(Number(new URL(http.url).port), '127.0.0.1');
    client.write(`${request}Host: api\r\n\r\n`);
    await asked;
    const [served] = (await connected) as [Socket];
    client.resetAndDestroy();
    await until('the end of the connection', () => served.closed);
    await locking.query('commit');
    await locking.end();
    const api = await starting;
    await expectRoom(api).finally(() => api.close());
  },
);
