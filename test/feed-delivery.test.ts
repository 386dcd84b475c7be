import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { pino } from 'pino';
import { afterEach, expect, inject, test } from 'vitest';
import { changesSince } from '#apps/api/feed/changes.js';
import { CommitFeed } from '#apps/api/feed/commit-feed.js';
import { endable } from '#apps/api/feed/endable.js';
import { LiveReaders } from '#apps/api/feed/live-reader.js';
import type { RunningApi } from '#apps/api/server.js';
import { startEmbeddedPostgres } from '#apps/local/embedded-postgres.js';
import { ledgerId } from '#libs/database/ledger.js';
import { socketBridge } from '#libs/events/socket-bridge/event.js';
import { askData, Doorbell, Follower, type FollowVariables, startTestApi } from './services/api.js';
import { block, hashOf, LedgerFixture } from './services/ledger-fixture.js';
import { query } from './services/query.js';
import { until } from './services/until.js';

const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A chain whose block 10 is final, with an API that hears the doorbell. */
async function start(postgresUrl = inject('postgresUrl')) {
  const ledger = await LedgerFixture.create(postgresUrl);
  closing.push(() => ledger.close());
  const { term } = await ledger.lead();
  await ledger.apply(term, 1, { above: 9, blocks: [block(10, 'a')] }, { final: 10, hash: hashOf(10, 'a') });
  const doorbell = new Doorbell();
  const api = await startTestApi({ database: ledger.database, broker: doorbell });
  closing.push(() => api.close());
  let seq = 2;
  /** Says one block with these transactions, or that a block is final. */
  const say = async (news: { number: number; txs?: string[] } | { final: number }) => {
    const statement =
      'final' in news
        ? { final: news.final, hash: hashOf(news.final, 'a') }
        : {
            above: news.number - 1,
            blocks: [
              block(
                news.number,
                'a',
                (news.txs ?? []).map((tx) => ({ tx })),
              ),
            ],
          };
    const { position } = await ledger.apply(term, ++seq, statement);
    doorbell.ring(position);
  };
  return { ledger, api, doorbell, say };
}

/** A follower that has its first cursor, so that what comes now is behind it. */
async function follow(api: RunningApi, variables: FollowVariables = {}): Promise<Follower> {
  const follower = new Follower(api.url, variables);
  closing.push(() => follower.close());
  await until('the first cursor', () => follower.messages.length > 0);
  return follower;
}

const numbers = (follower: Follower) => follower.changes.map((c) => `${c.type} ${c.node.blockNumber}`);

test('a subscriber gets a cursor at once, before anything happens', async () => {
  const { api } = await start();
  const follower = await follow(api);
  expect(follower.messages).toEqual([{ cursor: expect.stringMatching(/./), changes: [] }]);
});

test('without `since` only what is stored from now on is told; "0" is the beginning', async () => {
  const { api, say } = await start();
  await say({ number: 11, txs: ['old'] });
  const [now, all] = [await follow(api), await follow(api, { since: '0' })];
  await say({ number: 12, txs: ['new'] });
  await until('both', () => now.changes.length > 0 && all.changes.length > 1);
  expect([numbers(now), numbers(all)]).toEqual([['ADDED 12'], ['ADDED 11', 'ADDED 12']]);
});

test('a change is delivered when the doorbell is lost', async () => {
  const { ledger, say } = await start();
  const deaf = await startTestApi({ database: ledger.database });
  closing.push(() => deaf.close());
  const follower = await follow(deaf);
  await say({ number: 11, txs: ['t'] });
  await until('the change', () => follower.changes.length > 0);
  expect(numbers(follower)).toEqual(['ADDED 11']);
});

test('while nothing matches, the cursor moves on all the same', async () => {
  const { api, say } = await start();
  const nobody = await follow(api, { where: { amount: { eq: '99' } } });
  await say({ number: 11, txs: ['t'] });
  const moved = await until('a watermark', () => nobody.messages[1]);
  expect(moved.changes).toEqual([]);
  expect(moved.cursor).not.toBe(nobody.messages[0]!.cursor);
});

test('a final event is told when its block becomes final, and not before', async () => {
  const { api, say } = await start();
  const final = await follow(api, { finality: 'FINALIZED' });
  const first = await follow(api);
  await say({ number: 11, txs: ['t11'] });
  await say({ number: 12, txs: ['t12'] });
  await until('the unfinalized ones', () => first.changes.length === 2);
  await say({ final: 11 });
  await until('the final one', () => final.changes.length > 0);
  expect([numbers(first), numbers(final)]).toEqual([['ADDED 11', 'ADDED 12'], ['FINALIZED 11']]);
});

test('without history, blocks below the first live one are left out, also in a replay', async () => {
  const { ledger, api, doorbell, say } = await start();
  const live = await follow(api, { includeHistory: false });
  const history = await ledger.history(1, 9, [block(5, 'a', [{ tx: 'old' }])]);
  doorbell.ring(history.position);
  await say({ number: 11, txs: ['new'] });
  const replay = await follow(api, { includeHistory: false, since: '0' });
  const everything = await follow(api, { since: '0' });
  await until('all', () => live.changes.length && replay.changes.length && everything.changes.length > 1);
  expect([live, replay, everything].map(numbers)).toEqual([
    ['ADDED 11'],
    ['ADDED 11'],
    ['ADDED 5', 'ADDED 11'],
  ]);
});

test('a large transaction is told in messages of at most batchSize, whole and in the order of blocks', async () => {
  const { ledger, api, doorbell } = await start();
  const [live, small] = [await follow(api, { batchSize: 1000 }), await follow(api, { batchSize: 70 })];
  const blocks = Array.from({ length: 9 }, (_, i) =>
    block(
      i + 1,
      'a',
      Array.from({ length: 150 }, (_, index) => ({ tx: `t${i % 4}`, index: i * 150 + index })),
    ),
  );
  doorbell.ring((await ledger.history(1, 9, blocks)).position);
  await until('all rows', () => live.changes.length >= 1350 && small.changes.length >= 1350);
  // empty messages only tell the place; on a slow machine there is more than the first
  const sizes = live.messages.map((m) => m.changes.length);
  expect(sizes.filter(Boolean)).toEqual([1000, 350]);
  expect(Math.max(...small.messages.map((m) => m.changes.length))).toBe(70);
  expect(new Set(small.changes.map((c) => c.node.id)).size).toBe(1350);
  expect(small.changes).toEqual(live.changes);
  const heights = live.changes.map((c) => c.node.blockNumber);
  expect(heights).toEqual(heights.toSorted((a, b) => a - b));
});

test('a page read while rows are being stored and the stream since its `asOf` give every row once', async () => {
  const { ledger, api, doorbell } = await start();
  let stored = 0;
  const writing = (async () => {
    for (; stored < 120; stored++) {
      const n = stored * 10 + 100;
      doorbell.ring((await ledger.history(n, n + 9, [block(n, 'h', [{ tx: `t${n}` }])])).position);
    }
  })();
  const followers: { ids: string[]; follower: Follower }[] = [];
  while (stored < 110) {
    const { socketBridgeEvents: page } = await askData(
      api.url,
      '{ socketBridgeEvents(first: 1000) { nodes { id } asOf } }',
    );
    const follower = new Follower(api.url, { since: page.asOf });
    closing.push(() => follower.close());
    followers.push({ ids: page.nodes.map((node: { id: string }) => node.id), follower });
    const reached = stored;
    await until('more rows', () => stored > reached + 3 || stored >= 110);
  }
  await writing;
  for (const { ids, follower } of followers) {
    await until('the rest', () => ids.length + follower.changes.length >= 120);
    const all = [...ids, ...follower.changes.map((change) => change.node.id)];
    expect([all.length, new Set(all).size]).toEqual([120, 120]);
  }
});

test('a page and its `asOf` are of one moment, whatever is stored between', async () => {
  const { ledger, api, say } = await start();
  await say({ number: 11, txs: ['t'] });
  const asOf = async () =>
    (await askData(api.url, '{ socketBridgeEvents { asOf } }')).socketBridgeEvents.asOf as string;
  const before = await asOf();
  // the page is read, and its position can't be yet
  const client = new Client({ connectionString: ledger.url });
  await client.connect();
  await client.query('begin; lock table feed_counter in access exclusive mode');
  const page = asOf();
  await until('the page to wait for its position', async () => {
    const waits = `select 1 from pg_locks where not granted and relation = 'feed_counter'::regclass and
      pid in (select pid from pg_stat_activity where backend_xmin is not null and xact_start < query_start)`;
    return (await query(ledger.url, waits)).length > 0;
  });
  await client.query('update feed_counter set position = position + 1; commit');
  await client.end();
  expect(await page).toBe(before);
});

test('what Server-Sent Events tell is what the WebSocket tells', async () => {
  const { api, say } = await start();
  const follower = await follow(api);
  const query =
    'subscription { socketBridgeEvents { cursor changes { type node { id blockNumber blockHash amount } } } }';
  const stop = new AbortController();
  const response = await fetch(`${api.url}/graphql?query=${encodeURIComponent(query)}`, {
    headers: { accept: 'text/event-stream' },
    signal: stop.signal,
  });
  let text = '';
  const reading = (async () => {
    for await (const chunk of response.body!) text += Buffer.from(chunk).toString();
  })().catch(() => undefined);
  await until('the first cursor', () => text.includes('"changes":[]'));
  await say({ number: 11, txs: ['t'] });
  await until('the change', () => text.includes('ADDED') && follower.changes.length);
  stop.abort();
  await reading;
  const told = [...text.matchAll(/^data: (\{.*\})$/gm)].map((m) => JSON.parse(m[1]!).data.socketBridgeEvents);
  expect(told.flatMap((message) => message.changes)).toEqual(follower.changes);
});

test('a subscription that waits for a change ends at once when its client has gone', async () => {
  const { ledger } = await start();
  const feed = new CommitFeed(ledger.database, pino({ level: 'silent' }));
  await feed.start(new Doorbell());
  closing.push(() => feed.close());
  const request = {
    event: socketBridge,
    condition: { kind: 'and', of: [] },
    finalizedOnly: false,
    includeHistory: true,
    batchSize: 1,
    since: { position: 1, key: null },
    epoch: await ledgerId(ledger.database.statements),
  } as const;
  const parts = { feed, database: ledger.database };
  const live = new LiveReaders(feed);
  const changes = endable((ended) => changesSince({ ...parts, live }, { ...request, ended }));
  await changes.next();
  const waiting = changes.next();
  await changes.return(undefined);
  expect(await waiting).toEqual({ done: true, value: undefined });
});

test('after the ledger got a new id, a live subscriber is told that its cursor has expired', async () => {
  const { ledger, api, doorbell, say } = await start();
  const follower = await follow(api);
  await say({ number: 11, txs: ['t'] });
  await until('the change', () => follower.changes.length === 1);
  await query(ledger.url, 'update feed_counter set epoch = gen_random_uuid()');
  doorbell.ring(Number.MAX_SAFE_INTEGER);
  const ended = await until('the end', () => follower.ended);
  expect(ended).toMatchObject([{ extensions: { code: 'CURSOR_EXPIRED' } }]);
});

test('a live subscriber stays through a restart of Postgres and misses nothing', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'event-monitor-feed-'));
  let postgres = await startEmbeddedPostgres({ dir, settings: { fsync: 'off' } });
  const folder = postgres.dir;
  closing.push(async () => {
    await postgres.stop('immediate');
    for (const path of [dir, folder]) rmSync(path, { recursive: true, force: true });
  });
  const { api, say } = await start(postgres.url);
  const follower = await follow(api);
  await say({ number: 11, txs: ['before'] });
  await until('the change before', () => follower.changes.length === 1);
  const { port } = postgres;
  await postgres.stop('fast');
  await until('a request that fails', async () => (await fetch(`${api.url}/readyz`)).status === 503);
  postgres = await startEmbeddedPostgres({ dir, port, settings: { fsync: 'off' } });
  await until('readiness', async () => (await fetch(`${api.url}/readyz`)).status === 200);
  await say({ number: 12, txs: ['after'] });
  await until('the change after', () => follower.changes.length === 2);
  expect(follower.ended).toBeNull();
  expect(numbers(follower)).toEqual(['ADDED 11', 'ADDED 12']);
});
