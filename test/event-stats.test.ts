import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { EventStats, type StatsArguments, type StatsFigures, statsTerms } from '#apps/api/reads/stats.js';
import { conditionOf, type WhereInput } from '#apps/api/reads/where.js';
import type { RunningApi } from '#apps/api/server.js';
import { conditionMatcher, type Row } from '#libs/database/condition.js';
import { type Bucket, buckets, type StatsGroup } from '#libs/database/event-stats.js';
import { withCommonColumns } from '#libs/events/base-columns.js';
import { columnOf, fromSql } from '#libs/events/column.js';
import { defineEvent } from '#libs/events/event.js';
import { socketBridge } from '#libs/events/socket-bridge/event.js';
import { generateRows } from '../scripts/bench/generated-rows.js';
import { ask, askData, startTestApi } from './services/api.js';
import { LedgerFixture } from './services/ledger-fixture.js';
import { query } from './services/query.js';

let ledger: LedgerFixture;
let api: RunningApi;
let stats: EventStats;
/** Rows that are in the chain, in memory. */
let rows: (Row & { readonly isFinal: boolean })[];

const LARGEST = 2n ** 256n - 1n;
const ALL: StatsFigures = {
  distinct: ['sender', 'receiver', 'token'],
  sum: ['amount'],
  min: ['amount'],
  max: ['amount'],
};
const COUNTS: StatsFigures = { ...ALL, sum: [], min: [], max: [] };

beforeAll(async () => {
  ledger = await LedgerFixture.create(inject('postgresUrl'));
  await generateRows(ledger.database, socketBridge, 1_500);
  await query(ledger.url, 'update socket_bridge_event set removed = write_id % 7 = 0');
  // a third of each chain's tokens as large as they can be, so that sums leave 256 bits
  await query(ledger.url, `update socket_bridge_event set amount = ${LARGEST} where write_id % 3 = 0`);
  await query(
    ledger.url,
    `update chain c set finalized_block = case when chain_id = 1 then null else
      (select percentile_disc(0.5) within group (order by block_number) from socket_bridge_event e where e.chain_id = c.chain_id) end`,
  );
  const read = await query<Record<string, unknown>>(
    ledger.url,
    `select e.*, coalesce(e.block_number <= c.finalized_block, false) as final
     from socket_bridge_event e left join chain c using (chain_id) where not removed`,
  );
  rows = read.map((row) => ({
    ...Object.fromEntries(socketBridge.allColumns.map((c) => [c.property, fromSql(c.kind, row[c.name])])),
    isFinal: row.final as boolean,
  })) as typeof rows;
  stats = new EventStats(socketBridge, ledger.database);
  api = await startTestApi({ database: ledger.database });
});
afterAll(async () => {
  await api?.close();
  await ledger?.close();
});

/** Beginning of a stretch of time, said a second time. */
function beginOf(bucket: Bucket, time: Date): Date {
  const [year, month, day] = [time.getUTCFullYear(), time.getUTCMonth(), time.getUTCDate()];
  if (bucket === 'HOUR') return new Date(Date.UTC(year, month, day, time.getUTCHours()));
  if (bucket === 'DAY') return new Date(Date.UTC(year, month, day));
  if (bucket === 'MONTH') return new Date(Date.UTC(year, month));
  return new Date(Date.UTC(year, month, day - ((time.getUTCDay() + 6) % 7)));
}

/** What the groups must be, in their default order. */
function expected(args: StatsArguments, figures: StatsFigures): StatsGroup[] {
  const condition = conditionOf(socketBridge, args.where);
  const matches = conditionMatcher(condition, (row) => (row as (typeof rows)[number]).isFinal);
  const groups = Map.groupBy(rows.filter(matches), (row) => {
    const key = (args.groupBy ?? []).map((name) => String(row[name]));
    return JSON.stringify([args.bucket && beginOf(args.bucket, row.blockTimestamp as Date), ...key]);
  });
  if (!args.bucket && !args.groupBy?.length && !groups.size) groups.set('all', []);
  const all = [...groups.values()].map((of) => groupOf(of, args, figures));
  return all.sort((a, b) => compare(a, b, args));
}

function groupOf(of: readonly Row[], args: StatsArguments, figures: StatsFigures): StatsGroup {
  const each = <V>(names: readonly string[], value: (name: string) => V) =>
    Object.fromEntries(names.map((name) => [name, value(name)]));
  const amounts = of.map((row) => row.amount as bigint).sort((a, b) => (a < b ? -1 : 1));
  return {
    bucket: args.bucket ? beginOf(args.bucket, of[0]!.blockTimestamp as Date) : null,
    key: each(args.groupBy ?? [], (name) => of[0]![name]!),
    count: of.length,
    distinct: each(figures.distinct, (name) => new Set(of.map((row) => row[name])).size),
    sum: each(figures.sum, () => (of.length ? amounts.reduce((sum, amount) => sum + amount, 0n) : null)),
    min: each(figures.min, () => amounts[0] ?? null),
    max: each(figures.max, () => amounts.at(-1) ?? null),
  };
}

function compare(a: StatsGroup, b: StatsGroup, { bucket, groupBy }: StatsArguments): number {
  if (bucket && a.bucket!.getTime() !== b.bucket!.getTime()) return b.bucket!.getTime() - a.bucket!.getTime();
  if (!bucket && a.count !== b.count) return b.count - a.count;
  const differing = (groupBy ?? []).find((name) => a.key[name] !== b.key[name]);
  return differing && a.key[differing]! > b.key[differing]! ? 1 : -1;
}

const some = fc.nat().map((n) => n % 1_000);
const row = some.map((n) => rows[n]!);
const within = fc.tuple(row, row).map(([a, b]): WhereInput => {
  const [from, to] = [a.blockTimestamp as Date, b.blockTimestamp as Date];
  return { blockTimestamp: from < to ? { gte: from, lt: to } : { gt: to, lte: from } };
});
const fixed = fc.tuple(row, fc.constantFrom('eq', 'in')).map(([of, operator]): WhereInput => {
  const one = (name: string) => ({ [operator]: operator === 'eq' ? of[name] : [of[name]] });
  return { and: [{ chainId: one('chainId') }, { token: one('token') }] };
});
const filter: fc.Arbitrary<WhereInput> = fc.oneof(
  fc.constant({}),
  within,
  fixed,
  row.map((of) => ({ chainId: { eq: of.chainId } })),
  fc.tuple(row, row).map(([a, b]) => ({ bridge: { in: [a.bridge, b.bridge] } })),
  fc.tuple(row, within).map(([of, time]) => ({ or: [{ sender: { eq: of.sender } }, time] })),
  fc.tuple(row, within).map(([of, time]) => ({ not: { chainId: { eq: of.chainId } }, ...time })),
  fc.constantFrom('FINALIZED', 'UNFINALIZED').map((eq) => ({ finality: { eq } })),
);
const question = fc.record({
  where: filter,
  groupBy: fc.uniqueArray(fc.constantFrom('chainId', 'token', 'toChainId', 'bridge', 'sender'), {
    maxLength: 3,
  }),
  bucket: fc.option(fc.constantFrom<Bucket>(...buckets)),
});

/** A range for each bucket that it may be asked over. */
const days = { HOUR: 40, DAY: 900, WEEK: 900, MONTH: 900 };
const daysAgo = (n: number) => new Date(Date.now() - n * 86_400_000);

test('any filter, grouping and bucket gives exactly the figures of the rows that match', async () => {
  await fc.assert(
    fc.asyncProperty(question, async ({ where, groupBy, bucket }) => {
      const bounded = bucket ? { and: [where, { blockTimestamp: { gte: daysAgo(days[bucket]) } }] } : where;
      const args = { where: bounded, groupBy, bucket, orderBy: null, first: 1_000 };
      // of the filters only the one that fixes chain and token has `and`
      const isOneToken = 'and' in where || (groupBy.includes('chainId') && groupBy.includes('token'));
      const figures = isOneToken ? ALL : COUNTS;
      const { groups, hasMore } = await stats.read(args, figures);
      const wanted = expected(args, figures);
      expect(groups).toEqual(wanted.slice(0, 1_000));
      expect(hasMore).toBe(wanted.length > 1_000);
    }),
    { numRuns: 150 },
  );
});

test('a sum beyond 2^256 is served exactly', async () => {
  const { groups } = (
    await askData(
      api.url,
      `{ socketBridgeStats(groupBy: [chainId, token], orderBy: [{ field: sumAmount, direction: DESC }], first: 1) {
        groups { key { chainId token bridge } sum { amount } max { amount } } asOf hasMore } }`,
    )
  ).socketBridgeStats;
  const [largest] = expected(
    { where: null, groupBy: ['chainId', 'token'], bucket: null, orderBy: null, first: null },
    ALL,
  ).sort((a, b) => (a.sum.amount! < b.sum.amount! ? 1 : -1));
  expect(largest!.sum.amount).toBeGreaterThan(2n * LARGEST);
  expect(groups).toEqual([
    {
      key: { ...largest!.key, bridge: null },
      sum: { amount: String(largest!.sum.amount) },
      max: { amount: String(LARGEST) },
    },
  ]);
});

test('an event without amounts and addresses has counts only; a column named as an aggregate is refused', () => {
  const event = defineEvent({
    name: 'Ping',
    signature: 'event Ping(uint256 nonce)',
    description: 'A test.',
    columns: { nonce: { kind: 'uint256', description: 'A test.' } },
  });
  expect([...statsTerms(event).keys()]).toEqual(['bucket', 'count', 'chainId', 'address', 'nonce']);
  const columns = [columnOf('count', 'uint256', 'A test.')];
  const unchecked = { ...event, columns, allColumns: withCommonColumns(columns) };
  expect(() => statsTerms(unchecked)).toThrow(/Ping: a column has the name of an aggregate/);
});

test.each([
  ['count', 'uint256', {}],
  ['distinctWho', 'uint256', {}],
  ['sumValue', 'bytes32', { amountOf: 'address' }],
] as const)('a folder with a column %s, which its aggregates have, is refused', (property, kind, options) => {
  const declare = (other: string) =>
    defineEvent({
      name: 'Ping',
      signature: 'event Ping(address who, uint256 value)',
      description: 'A test.',
      columns: {
        [other]: { kind, description: 'A test.', from: () => null },
        who: { kind: 'address', description: 'A test.' },
        value: { kind: 'uint256', description: 'A test.', ...options },
      },
    });
  expect(() => declare(property)).toThrow(`Ping: column ${property} has the name of a figure`);
  expect(statsTerms(declare(`${property}Arg`)).has(`${property}Arg`)).toBe(true);
});

test('nothing that matches is one group of none, or no group', async () => {
  const { all, grouped } = await askData(
    api.url,
    `{ all: socketBridgeStats(where: { chainId: { eq: 5 }, token: { eq: "0x${'00'.repeat(20)}" } }) { ...F }
      grouped: socketBridgeStats(where: { chainId: { eq: 5 } }, groupBy: [token]) { ...F } }
    fragment F on SocketBridgeStats { groups { bucket count distinct { sender } ... @skip(if: true) { sum { amount } } } }`,
  );
  expect(all.groups).toEqual([{ bucket: null, count: 0, distinct: { sender: 0 } }]);
  expect(grouped.groups).toEqual([]);
});

describe('refused, with what to do:', () => {
  const answer = '{ groups { count } }';
  const range = 'where: { blockTimestamp: { gte: "2026-01-01T00:00:00Z", lt: "2026-02-01T00:00:00Z" } }';
  test.each([
    [
      'a sum over all chains and tokens',
      '{ groups { sum { amount } } }',
      /add chainId and token to `groupBy`/,
    ],
    ['a sum over chains', '(groupBy: [token]) { groups { sum { amount } } }', /add chainId to `groupBy`/],
    [
      'a largest amount of several tokens',
      `(where: { chainId: { eq: 1 }, token: { in: ["0x${'11'.repeat(20)}", "0x${'22'.repeat(20)}"] } }) { groups { max { amount } } }`,
      /fix token in `where` by `eq`/,
    ],
    [
      'a token that is fixed in one branch only',
      `(where: { chainId: { eq: 1 }, or: [{ token: { eq: "0x${'11'.repeat(20)}" } }, { logIndex: { eq: 1 } }] }) { groups { min { amount } } }`,
      /token/,
    ],
    ['an order by sums over tokens', `(orderBy: [{ field: sumAmount }]) ${answer}`, /chainId and token/],
    ['an order by what groups lack', `(orderBy: [{ field: bridge }]) ${answer}`, /group by it/],
    [
      'an order by a bucket that is not asked for',
      `(orderBy: [{ field: bucket }]) ${answer}`,
      /argument `bucket`/,
    ],
    ['buckets without a range of time', `(bucket: DAY) ${answer}`, /blockTimestamp `gte`/],
    [
      'buckets since a time in one branch only',
      `(bucket: DAY, where: { or: [{ blockTimestamp: { gte: "2026-01-01T00:00:00Z" } }] }) ${answer}`,
      /blockTimestamp `gte`/,
    ],
    [
      'more buckets than are allowed',
      `(bucket: HOUR, where: { blockTimestamp: { gte: "2024-01-01T00:00:00Z", lt: "2026-01-01T00:00:00Z" } }) ${answer}`,
      /731 days would have too many buckets, at most 1000 of them, that is 41 days/,
    ],
    ['more groups than are allowed', `(${range}, first: 1001) ${answer}`, /1 to 1000 groups, not 1001/],
    ['no group', `(first: 0) ${answer}`, /1 to 1000 groups, not 0/],
  ])('%s', async (_, rest, message) => {
    const { errors } = await ask(api.url, `{ socketBridgeStats${rest} }`);
    expect(errors).toEqual([
      expect.objectContaining({
        message: expect.stringMatching(message),
        extensions: expect.objectContaining({ code: 'BAD_USER_INPUT' }),
      }),
    ]);
  });

  test.each([
    ['groupBy', { groupBy: ['amount'] }],
    ['orderBy', { orderBy: [{ field: 'amount', direction: 'ASC' as const }] }],
    ['bucket', { bucket: 'YEAR' as Bucket }],
  ])('a name that is none, as REST may hand it over: %s', async (_, args) => {
    const none = { where: null, groupBy: null, bucket: null, orderBy: null, first: null };
    await expect(stats.read({ ...none, ...args }, COUNTS)).rejects.toThrow(/bridge|HOUR/);
  });
});
