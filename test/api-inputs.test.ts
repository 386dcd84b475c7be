import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { RunningApi } from '#apps/api/server.js';
import { ask, askData, Follower, startTestApi } from './services/api.js';
import { ADDRESS, block, hashOf, LedgerFixture } from './services/ledger-fixture.js';
import { until } from './services/until.js';

let ledger: LedgerFixture;
let api: RunningApi;
let pageCursor: string;
let feedCursor: string;

beforeAll(async () => {
  ledger = await LedgerFixture.create(inject('postgresUrl'));
  const { term } = await ledger.lead();
  await ledger.apply(
    term,
    1,
    { above: 9, blocks: [block(10, 'a', [{ tx: 't' }])] },
    { final: 10, hash: hashOf(10, 'a') },
  );
  api = await startTestApi({ database: ledger.database });
  const { socketBridgeEvents: page } = await askData(
    api.url,
    '{ socketBridgeEvents { asOf pageInfo { endCursor } } }',
  );
  pageCursor = page.pageInfo.endCursor;
  feedCursor = page.asOf;
});
afterAll(async () => {
  await api?.close();
  await ledger?.close();
});

/** A cursor with one thing changed, as a curious client would. */
function forged(cursor: string, change: (value: Record<string, unknown>) => object): string {
  const value = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as Record<string, unknown>;
  return Buffer.from(JSON.stringify(change(value))).toString('base64url');
}

const pageQuery = `query ($where: SocketBridgeEventWhere, $orderBy: [SocketBridgeEventOrderBy!], $first: Int, $after: String, $last: Int, $before: String) {
  socketBridgeEvents(where: $where, orderBy: $orderBy, first: $first, after: $after, last: $last, before: $before) { totalCount nodes { id } }
}`;

/** Every wrong input is told as the client's mistake, and says what is wrong: never an internal error. */
const badPages: readonly [title: string, variables: () => object, says: RegExp][] = [
  ['more rows than a page may have', () => ({ first: 1001 }), /1000/],
  ['a negative number of rows', () => ({ first: -1 }), /-1/],
  ['first and last together', () => ({ first: 1, last: 1 }), /not both/],
  ['last with after', () => ({ last: 1, after: pageCursor }), /before/],
  ['first with before', () => ({ first: 1, before: pageCursor }), /after/],
  ['a feed cursor as a page cursor', () => ({ after: feedCursor }), /feed cursor/],
  ['no cursor at all', () => ({ after: 'nonsense' }), /not a page cursor/],
  [
    'JSON that is no cursor',
    () => ({ after: Buffer.from('null').toString('base64url') }),
    /not a page cursor/,
  ],
  ['a cursor of another order', () => ({ after: pageCursor, orderBy: [{ field: 'amount' }] }), /orderBy/],
  [
    'a cursor with an impossible time',
    () => ({
      after: forged(pageCursor, (c) => ({
        ...c,
        row: ['2026-99-99T00:00:00.000Z', ...(c.row as unknown[]).slice(1)],
      })),
    }),
    /not a page cursor/,
  ],
  [
    'a cursor with too few values',
    () => ({ after: forged(pageCursor, (c) => ({ ...c, row: [] })) }),
    /not a page cursor/,
  ],
  ['a fraction as BigInt', () => ({ where: { amount: { eq: 1.5 } } }), /BigInt/],
  ['an unsafe number as BigInt', () => ({ where: { amount: { eq: 2 ** 60 } } }), /BigInt/],
  ['more than a uint256', () => ({ where: { amount: { eq: (2n ** 256n).toString() } } }), /BigInt/],
  ['a negative BigInt', () => ({ where: { amount: { eq: '-1' } } }), /BigInt/],
  ['hex as BigInt', () => ({ where: { amount: { eq: '0x10' } } }), /BigInt/],
  ['a string as block number', () => ({ where: { blockNumber: { eq: '10' } } }), /SafeInt/],
  ['an unsafe block number', () => ({ where: { blockNumber: { eq: 2 ** 53 } } }), /SafeInt/],
  ['a short address', () => ({ where: { sender: { eq: '0x12' } } }), /Address.*20 bytes/],
  ['an address without 0x', () => ({ where: { sender: { eq: 'ab'.repeat(20) } } }), /Address/],
  ['a long hash', () => ({ where: { txHash: { eq: `0x${'ab'.repeat(33)}` } } }), /Bytes32.*32 bytes/],
  [
    'a date without time zone',
    () => ({ where: { blockTimestamp: { gt: '2026-01-01T00:00:00' } } }),
    /DateTime.*time zone/,
  ],
  [
    'a day that does not exist',
    () => ({ where: { blockTimestamp: { gt: '2026-13-41T00:00:00Z' } } }),
    /DateTime/,
  ],
  [
    'a day that its month does not have',
    () => ({ where: { blockTimestamp: { gt: '2026-02-30T00:00:00Z' } } }),
    /DateTime/,
  ],
  [
    'a leap day of another year',
    () => ({ where: { blockTimestamp: { in: ['2024-02-29T00:00:00Z', '2026-02-29T23:00:00+10:00'] } } }),
    /"2026-02-29T23:00:00\+10:00" is not a DateTime/,
  ],
  [
    'a moment before year 1',
    () => ({ where: { blockTimestamp: { gt: '0000-01-01T00:00:00Z' } } }),
    /DateTime/,
  ],
  [
    'a moment after year 9999',
    () => ({ where: { blockTimestamp: { gt: '9999-12-31T23:59:59-10:00' } } }),
    /DateTime/,
  ],
  ['a NUL character', () => ({ where: { bridge: { eq: 'a\0b' } } }), /NUL/],
  ['a NUL character within a list', () => ({ where: { bridge: { in: ['a\0b'] } } }), /NUL/],
  [
    'a list that is too long',
    () => ({ where: { chainId: { in: Array.from({ length: 1001 }, (_, i) => i) } } }),
    /1000/,
  ],
  ['an unknown field', () => ({ where: { nobody: { eq: 1 } } }), /nobody/],
  ['an unknown operator', () => ({ where: { sender: { gt: ADDRESS } } }), /gt/],
  ['an unknown order', () => ({ orderBy: [{ field: 'data' }] }), /data/],
];

test.each(badPages)('%s is refused with the reason', async (_title, variables, says) => {
  const { errors } = await ask(api.url, pageQuery, variables());
  expect(errors?.[0]?.message).toMatch(says);
  expect(errors![0]!.extensions?.code).toBe('BAD_USER_INPUT');
});

test('a where that is nested too deep is refused', async () => {
  const nested = Array.from({ length: 30 }).reduce<object>((inner) => ({ not: inner }), {});
  const { errors } = await ask(api.url, pageQuery, { where: nested });
  expect(errors?.[0]).toMatchObject({
    message: expect.stringMatching(/nested/),
    extensions: { code: 'BAD_USER_INPUT' },
  });
});

test('an unreadable document is told as such, not as an internal error', async () => {
  for (const query of ['{', '{ nobody }', '{ chains }']) {
    const { errors } = await ask(api.url, query);
    expect(errors?.[0]?.message).not.toMatch(/internal/i);
    expect(errors![0]!.extensions?.code ?? 'GRAPHQL').not.toBe('INTERNAL_SERVER_ERROR');
  }
});

test.each([
  ['1:0xab:0'],
  [''],
  ['1'],
  [`1:${hashOf(1, 'a')}:-1`],
  [`99999999999999999999:${hashOf(1, 'a')}:0`],
])('the id %s is refused', async (id) => {
  const { errors } = await ask(api.url, 'query ($id: ID!) { socketBridgeEvent(id: $id) { id } }', { id });
  expect(errors?.[0]?.extensions?.code).toBe('BAD_USER_INPUT');
});

test('letters of hex may be of any case, numbers may be strings', async () => {
  const upper = `0x${ADDRESS.slice(2).toUpperCase()}`;
  const where = { sender: { eq: upper }, amount: { in: [1, '1'] }, toChainId: { gte: '10' } };
  const { socketBridgeEvents: page } = await askData(api.url, pageQuery, { where });
  expect(page.totalCount).toBe(1);
});

test('an empty list of `in` matches nothing, of `notIn` everything, null operators are as if not given', async () => {
  const count = async (where: object) =>
    (await askData(api.url, pageQuery, { where })).socketBridgeEvents.totalCount;
  expect(await count({ chainId: { in: [] } })).toBe(0);
  expect(await count({ chainId: { notIn: [] } })).toBe(1);
  expect(await count({ or: [] })).toBe(0);
  expect(await count({ and: [], chainId: { eq: null }, sender: null })).toBe(1);
});

const badSubscriptions: readonly [title: string, variables: () => object, says: RegExp][] = [
  ['a page cursor as `since`', () => ({ since: pageCursor }), /page cursor.*feed cursor/],
  ['nonsense as `since`', () => ({ since: 'nonsense' }), /not a feed cursor/],
  [
    'a cursor with a forged row',
    () => ({ since: forged(feedCursor, (c) => ({ ...c, row: [1, 2, 3, '0x'] })) }),
    /not a feed cursor/,
  ],
  ['a batch of none', () => ({ batchSize: 0 }), /batchSize/],
  ['a batch that is too large', () => ({ batchSize: 1001 }), /batchSize/],
  ['finality in where', () => ({ where: { finality: { eq: 'FINALIZED' } } }), /finality/],
  ['a wrong filter', () => ({ where: { sender: { eq: 'me' } } }), /Address/],
];

test.each(badSubscriptions)(
  'a subscription with %s is refused with the reason',
  async (_title, variables, says) => {
    expect(await refusalOf(variables())).toMatchObject([
      { message: expect.stringMatching(says), extensions: { code: 'BAD_USER_INPUT' } },
    ]);
  },
);

test.each([
  [
    'of another database',
    () => forged(feedCursor, (c) => ({ ...c, feed: randomUUID() })),
    /another database/,
  ],
  ['at a position that was never given out', () => forged(feedCursor, (c) => ({ ...c, at: 1e9 })), /ahead/],
])('a cursor %s has expired, so that a client knows to read a page anew', async (_title, since, says) => {
  expect(await refusalOf({ since: since() })).toMatchObject([
    { message: expect.stringMatching(says), extensions: { code: 'CURSOR_EXPIRED' } },
  ]);
});

async function refusalOf(variables: object) {
  const follower = new Follower(api.url, variables);
  const ended = await until('the refusal', () => follower.ended);
  await follower.close();
  return ended;
}
