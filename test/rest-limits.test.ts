import { EventSource } from 'eventsource';
import { afterEach, beforeAll, expect, inject, test } from 'vitest';
import { startTestApi } from './services/api.js';
import { LedgerFixture } from './services/ledger-fixture.js';
import { get } from './services/rest.js';
import { until } from './services/until.js';

const EVENTS = '/socket-bridge-events';
const KEY = 'a-key-0123456789';
const closing: (() => Promise<unknown> | unknown)[] = [];
let ledger: LedgerFixture;

beforeAll(async () => {
  ledger = await LedgerFixture.create(inject('postgresUrl'));
  await ledger.lead();
  return () => ledger.close();
});

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function start(limits: NonNullable<Parameters<typeof startTestApi>[0]['limits']>) {
  const api = await startTestApi({ database: ledger.database, limits });
  closing.push(() => api.close());
  return api;
}

/** Streams of `api`, open once they are told so. */
async function stream(url: string): Promise<EventSource> {
  const source = new EventSource(`${url}/api${EVENTS}/stream`);
  closing.push(() => source.close());
  await until('the stream', () => source.readyState === EventSource.OPEN);
  return source;
}

test('with API keys every resource needs one, the description and its page do not', async () => {
  const api = await start({ apiKeys: [KEY] });
  const { body } = await get(api.url, '/openapi.json');
  const paths = Object.keys(body.paths).map((path) => path.replace('/api', '').replace(/\{\w+\}/g, '1'));
  expect(paths.length).toBeGreaterThan(5);
  for (const path of paths) {
    const refused = await get(api.url, path);
    expect([refused.status, refused.body.error.code]).toEqual([401, 'UNAUTHENTICATED']);
    const headers = { authorization: `Bearer ${KEY}` };
    const allowed = await get(api.url, path, {}, { method: 'HEAD', headers });
    expect(allowed.status).not.toBe(401);
  }
  expect((await get(api.url, '/docs')).status).toBe(200);
});

test('streams count as subscriptions; one that is too many is refused, and has room when another has ended', async () => {
  const api = await start({ maxSubscriptionsPerClient: 2 });
  const [first] = [await stream(api.url), await stream(api.url)];
  const refused = await get(api.url, `${EVENTS}/stream`);
  expect([refused.status, refused.body.error.code]).toEqual([429, 'TOO_MANY_SUBSCRIPTIONS']);
  first.close();
  await until('room for another', async () => {
    const response = await get(api.url, `${EVENTS}/stream`, {}, { method: 'HEAD' });
    return response.status === 200;
  });
});

test('bad input takes no place of a subscription', async () => {
  const api = await start({ maxSubscriptionsPerClient: 1 });
  for (let i = 0; i < 3; i++) expect((await get(api.url, `${EVENTS}/stream?since=x`)).status).toBe(400);
  await stream(api.url);
});

test('requests that are too many are told when to come again', async () => {
  const api = await start({ requestsPerSecond: 1 });
  const answers = await Promise.all(Array.from({ length: 12 }, () => get(api.url, '/chains')));
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused).toHaveLength(2);
  expect(Number(refused[0]!.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(refused[0]!.body.error.code).toBe('RATE_LIMITED');
});
