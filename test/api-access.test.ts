import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import WebSocket from 'ws';
import { Clients } from '#apps/api/limits/clients.js';
import type { RunningApi } from '#apps/api/server.js';
import { apiConfig } from '#libs/config/config.js';
import { startTestApi } from './services/api.js';
import { LedgerFixture } from './services/ledger-fixture.js';
import { firstAnswer, transports } from './services/transports.js';

const keys = ['first-key-0123456789', 'second-key-0123456789'];
let ledger: LedgerFixture;
let api: RunningApi;
const lines: string[] = [];

beforeAll(async () => {
  ledger = await LedgerFixture.create(inject('postgresUrl'));
  const logger = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) });
  api = await startTestApi({ database: ledger.database, logger, limits: { apiKeys: keys } });
});
afterAll(async () => {
  await api?.close();
  await ledger?.close();
});

const live = { query: 'subscription { socketBridgeEvents { cursor } }' };
const chains = { query: '{ chains { id } }' };

describe('with API keys', () => {
  test.each(transports)('%s is open to each key and to no other', async (transport) => {
    const operation = transport === 'HTTP' ? chains : live;
    for (const key of keys)
      expect((await firstAnswer(api.url, transport, operation, key)).errors).toBeUndefined();
    for (const key of [undefined, 'first-key', `${keys[0]}x`, keys.join(',')]) {
      const { data, errors } = await firstAnswer(api.url, transport, operation, key);
      expect(data).toBeUndefined();
      if (transport === 'WebSocket') expect(errors![0]!.message).toMatch(/^4403 UNAUTHENTICATED/);
      else
        expect(errors).toMatchObject(
          [{ message: /API key/, extensions: { code: 'UNAUTHENTICATED' } }].map((e) => ({
            ...e,
            message: expect.stringMatching(e.message),
          })),
        );
    }
  });

  test('a request without one is answered 401 with what is missing, a preflight is let through', async () => {
    const origin = 'http://localhost:3000';
    const refused = await fetch(`${api.url}/graphql`, { method: 'POST', headers: { origin } });
    expect(refused.status).toBe(401);
    expect(refused.headers.get('www-authenticate')).toBe('Bearer');
    expect(refused.headers.get('access-control-allow-origin')).toBe(origin);
    const preflight = await fetch(`${api.url}/graphql`, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization',
      },
    });
    expect(preflight.ok).toBe(true);
    expect(preflight.headers.get('access-control-allow-headers')).toMatch(/authorization/);
  });

  test('whatever has no page of its own needs a key, other methods and unknown paths too', async () => {
    const paths = [
      '/graphql',
      '/graphql?query={chains{id}}',
      '/graphql/',
      '/api/socket-bridge-events',
      '/api/docsx',
      '/api/x',
      '//graphql',
      '/status/x',
      '/nothing',
    ];
    for (const path of paths) {
      const response = await fetch(`${api.url}${path}`, { headers: { accept: 'application/json' } });
      expect([path, response.status]).toEqual([path, 401]);
    }
    // a page of GraphiQL, whatever the query in its address: it answers nothing by itself
    const html = await fetch(`${api.url}/graphql?query={chains{id}}`, { headers: { accept: 'text/html' } });
    expect(html.headers.get('content-type')).toMatch(/text\/html/);
    const post = await fetch(`${api.url}/graphql`, {
      method: 'POST',
      headers: { accept: 'text/html', 'content-type': 'application/json' },
      body: JSON.stringify(chains),
    });
    expect(post.status).toBe(401);
  });

  test('health, readiness, metrics, the status page and GraphiQL need none', async () => {
    for (const path of ['/healthz', '/readyz', '/metrics', '/status', '/graphql']) {
      const response = await fetch(`${api.url}${path}`, { headers: { accept: 'text/html' } });
      expect([path, response.status]).toEqual([path, 200]);
    }
  });

  test('REST is open to a key, and tells others in its own form', async () => {
    const path = `${api.url}/api/socket-bridge-events`;
    const refused = await fetch(path);
    expect(refused.status).toBe(401);
    expect(await refused.json()).toMatchObject({
      error: { code: 'UNAUTHENTICATED', requestId: expect.any(String) },
    });
    const asked = await fetch(path, { headers: { 'x-api-key': keys[0]! } });
    expect([asked.status, asked.headers.get('x-request-id')]).toEqual([200, expect.any(String)]);
    expect((await fetch(`${path}/stream`)).status).toBe(401);
    for (const page of ['/api/docs', '/api/openapi.json'])
      expect((await fetch(`${api.url}${page}`)).status).toBe(200);
  });

  test('a key may come as X-API-Key, and in the headers of a WebSocket; a wrong one there is refused at once', async () => {
    const asked = await fetch(`${api.url}/graphql?query={chains{id}}`, {
      headers: { 'x-api-key': keys[1]! },
    });
    expect(asked.status).toBe(200);
    const open = (headers: Record<string, string>) =>
      new Promise<unknown>((resolve) => {
        const socket = new WebSocket(`${api.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
          headers,
        });
        socket.once('unexpected-response', (_request, response) => resolve(response.statusCode));
        socket.once('open', () => socket.send('{"type":"connection_init"}'));
        socket.once('message', (data) => {
          resolve(JSON.parse(String(data)));
          socket.terminate();
        });
      });
    expect(await open({ authorization: `Bearer ${keys[0]}` })).toEqual({ type: 'connection_ack' });
    expect(await open({ authorization: 'Bearer wrong-key-0123456789' })).toBe(401);
  });

  test('an operation before connection_init ends the WebSocket', async () => {
    const socket = new WebSocket(`${api.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.once('open', () => socket.send(JSON.stringify({ type: 'subscribe', id: '1', payload: chains })));
    expect(await closed).toBe(4401);
  });

  test('what is logged of a request that fails holds no key', async () => {
    const rename = (from: string, to: string) =>
      ledger.database.mikroOrm.schema.execute(`alter table ${from} rename to ${to}`);
    await rename('socket_bridge_event', 'away');
    const query = '{ socketBridgeEvents { totalCount } }';
    for (const transport of transports)
      expect(await firstAnswer(api.url, transport, { query }, keys[0])).toMatchObject({
        errors: [{ extensions: { code: 'INTERNAL_SERVER_ERROR' } }],
      });
    await rename('away', 'socket_bridge_event');
    expect(lines.filter((line) => line.includes('a request failed'))).toHaveLength(3);
    expect(lines.join('')).not.toMatch(/key-0123456789/);
  });

  test('a key that is too short is refused at start, and not shown', () => {
    const needed = { DATABASE_URL: 'postgresql://h/d', RABBITMQ_URL: 'amqp://h' };
    expect(() => apiConfig({ ...needed, API_KEYS: 'hunter2' })).toThrow(/API_KEYS: must be keys of 16/);
    expect(() => apiConfig({ ...needed, API_KEYS: 'hunter2' })).not.toThrow(/hunter2/);
    expect(apiConfig({ ...needed, API_KEYS: keys.join(' , ') }).limits.apiKeys).toEqual(keys);
  });
});

test('a request keeps the id that it brings, and gets one otherwise', async () => {
  const idOf = async (given?: string) => {
    const headers = { authorization: `Bearer ${keys[0]}`, ...(given && { 'x-request-id': given }) };
    return (await fetch(`${api.url}/graphql?query={chains{id}}`, { headers })).headers.get('x-request-id');
  };
  expect(await idOf('trace-1')).toBe('trace-1');
  for (const bad of [undefined, 'x'.repeat(200), 'a b']) expect(await idOf(bad)).toMatch(/^[0-9a-f-]{36}$/);
  const refused = await fetch(`${api.url}/graphql`, { headers: { 'x-request-id': 'trace-2' } });
  expect(await refused.json()).toMatchObject({ errors: [{ extensions: { requestId: 'trace-2' } }] });
});

test('introspection and GraphiQL can be turned off', async () => {
  const closed = await startTestApi({
    database: ledger.database,
    limits: { introspection: false, graphiql: false },
  });
  try {
    for (const query of ['{ __schema { types { name } } }', '{ __type(name: "Query") { name } }']) {
      const { errors } = await firstAnswer(closed.url, 'WebSocket', { query });
      expect(errors?.[0]).toMatchObject({
        message: expect.stringMatching(/introspection has been disabled/),
        extensions: { code: 'GRAPHQL_VALIDATION_FAILED' },
      });
    }
    const { errors } = await firstAnswer(closed.url, 'HTTP', {
      query: '{ chain { id } socketBridgeEvent { id } chainz }',
    });
    expect(JSON.stringify(errors)).not.toMatch(/did you mean/i);
    const page = await fetch(`${closed.url}/graphql`, { headers: { accept: 'text/html' } });
    expect(await page.text()).not.toMatch(/<html/i);
    expect((await firstAnswer(closed.url, 'HTTP', chains)).data).toEqual({ chains: [] });
  } finally {
    await closed.close();
  }
});

test.each([
  ['198.51.100.1', undefined, [], '198.51.100.1'],
  ['198.51.100.1', '192.0.2.1', [], '198.51.100.1'],
  ['10.0.0.1', '192.0.2.1', ['10.0.0.0/8'], '192.0.2.1'],
  ['10.0.0.1', '203.0.113.9, 192.0.2.1, 10.1.1.1', ['10.0.0.0/8'], '192.0.2.1'],
  ['::ffff:192.0.2.1', undefined, [], '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', undefined, [], '2001:db8:1:2::/64'],
  ['127.0.0.1', 'nonsense', ['loopback'], 'unknown'],
] as const)(
  'a connection from %s that forwards for %s, where %j are trusted, is of %s',
  (remoteAddress, forwarded, trusted, client) => {
    const request = {
      socket: { remoteAddress },
      connection: { remoteAddress },
      headers: forwarded ? { 'x-forwarded-for': forwarded } : {},
    };
    expect(new Clients([], trusted).addressOf(request as never)).toBe(client);
  },
);
