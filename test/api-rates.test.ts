import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import WebSocket from 'ws';
import type { RunningApi } from '#apps/api/server.js';
import { Follower, startTestApi } from './services/api.js';
import { block, LedgerFixture } from './services/ledger-fixture.js';
import { firstAnswer } from './services/transports.js';
import { until } from './services/until.js';

const fields =
  'id chainId blockNumber blockHash blockTimestamp txHash txIndex logIndex address sender receiver amount';
let ledger: LedgerFixture;
let small: RunningApi;

beforeAll(async () => {
  ledger = await LedgerFixture.create(inject('postgresUrl'));
  const { term } = await ledger.lead();
  await ledger.apply(term, 1, { above: 9, blocks: [block(10, 'a', [{ tx: 't' }])] });
  small = await startTestApi({
    database: ledger.database,
    limits: {
      requestsPerSecond: 5,
      maxSubscriptionsPerClient: 2,
      maxSubscriptions: 3,
      trustedProxies: ['loopback'],
    },
  });
});
afterAll(async () => {
  await small?.close();
  await ledger?.close();
});

/** Asks as a client of this address, behind the trusted proxy. */
const askAs = (address: string, init: RequestInit = {}) =>
  fetch(`${small.url}/graphql?query={chains{id}}`, {
    ...init,
    headers: { ...init.headers, 'x-forwarded-for': address },
  });

test('too many requests are answered 429 with Retry-After, and only to that client', async () => {
  const answers = [];
  for (let i = 0; i < 51; i++) answers.push(await askAs('192.0.2.1'));
  expect(answers.slice(0, 50).map(({ status }) => status)).toEqual(Array(50).fill(200));
  const last = answers.at(-1)!;
  expect(last.status).toBe(429);
  const seconds = Number(last.headers.get('retry-after'));
  expect(seconds).toBeGreaterThanOrEqual(1);
  expect(seconds).toBeLessThanOrEqual(10);
  expect(await last.json()).toMatchObject({
    errors: [
      {
        message: expect.stringMatching(/50 requests in 10 s/),
        extensions: { code: 'RATE_LIMITED', retryAfterSeconds: seconds },
      },
    ],
  });
  expect((await askAs('192.0.2.2')).status).toBe(200);
});

test('a large answer and a large body count as several requests', async () => {
  const rows = (first: number) =>
    fetch(
      `${small.url}/graphql?query={socketBridgeEvents(first:${first}){nodes{${fields.replaceAll(' ', ',')}}}}`,
      { headers: { 'x-forwarded-for': '192.0.2.6' } },
    );
  // 13 fields: 13 requests more each
  for (let i = 0; i < 3; i++) expect((await rows(1_000)).status).toBe(200);
  expect((await rows(1_000)).status).toBe(429);
  const body = JSON.stringify({ query: '{ chains { id } }', variables: { x: 'x'.repeat(51_000) } });
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body };
  expect((await askAs('192.0.2.7', init)).status).toBe(429);
});

test('operations of a WebSocket are counted as requests are', async () => {
  class From3 extends WebSocket {
    constructor(url: string, protocol: string) {
      super(url, protocol, { headers: { 'x-forwarded-for': '192.0.2.3' } });
    }
  }
  const client = createClient({
    url: `${small.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: From3,
    retryAttempts: 0,
    lazyCloseTimeout: 10_000,
  });
  const outcomes: unknown[] = [];
  for (let i = 0; i < 51; i++) {
    try {
      for await (const { data } of client.iterate({ query: '{ __typename }' })) outcomes.push(data);
    } catch (error) {
      outcomes.push(error);
    }
  }
  await client.dispose();
  expect(outcomes.at(-1)).toMatchObject([
    { extensions: { code: 'RATE_LIMITED', retryAfterSeconds: expect.any(Number) } },
  ]);
  expect(outcomes[0]).toEqual({ __typename: 'Query' });
});

test('subscriptions are counted over WebSocket and SSE together, of a client and in total, and what ended is not counted', async () => {
  const live = { query: 'subscription { socketBridgeEvents { cursor } }' };
  const stream = (address: string) => {
    const abort = new AbortController();
    const headers = { accept: 'text/event-stream', 'x-forwarded-for': address };
    const opened = fetch(`${small.url}/graphql?query=${encodeURIComponent(live.query)}`, {
      headers,
      signal: abort.signal,
    });
    return { opened, end: () => abort.abort() };
  };
  const followers = [new Follower(small.url, {}), new Follower(small.url, {})];
  for (const follower of followers) await until('the first message', () => follower.messages.length);
  expect(await firstAnswer(small.url, 'WebSocket', live)).toMatchObject({
    errors: [
      { message: expect.stringMatching(/You have 2/), extensions: { code: 'TOO_MANY_SUBSCRIPTIONS' } },
    ],
  });
  const refused = await stream('127.0.0.1').opened;
  expect(refused.status).toBe(429);
  expect(await refused.text()).toMatch(/TOO_MANY_SUBSCRIPTIONS/);
  const rest = await fetch(`${small.url}/api/socket-bridge-events/stream`);
  expect(rest.status).toBe(429);
  expect(await rest.json()).toMatchObject({
    error: { message: expect.stringMatching(/You have 2/), code: 'TOO_MANY_SUBSCRIPTIONS' },
  });
  const other = stream('192.0.2.4');
  expect((await other.opened).status).toBe(200);
  const beyond = await stream('192.0.2.5').opened;
  expect(await beyond.text()).toMatch(/The server has 3/);
  await followers[0]!.close();
  other.end();
  await until('room for another', async () => (await firstAnswer(small.url, 'WebSocket', live)).data);
  await followers[1]!.close();
});
