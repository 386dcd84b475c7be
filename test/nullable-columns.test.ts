import { AbiCoder, id, toBeHex, zeroPadValue } from 'ethers';
import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { conditionOf } from '#apps/api/reads/where.js';
import type { RunningApi } from '#apps/api/server.js';
import { conditionMatcher } from '#libs/database/condition.js';
import { decodeLogs } from '#libs/database/decode-logs.js';
import { rowsWhere } from '#libs/database/feed-log.js';
import { storeHistory } from '#libs/database/store-history.js';
import { UndecodableLog } from '#libs/events/argument-reader.js';
import { defineEvent } from '#libs/events/event.js';
import { eventByName } from '#libs/events/registry.js';
import { ask, askData, startTestApi } from './services/api.js';
import { LedgerFixture } from './services/ledger-fixture.js';
import { query } from './services/query.js';
import { get } from './services/rest.js';

vi.mock('#libs/events/registry.js', async (original) => {
  const actual = await original<typeof import('#libs/events/registry.js')>();
  const { defineEvent } = await import('#libs/events/event.js');
  const none = (value: unknown) => /^0*$/.test(String(value).slice(2));
  const offer = defineEvent({
    name: 'Offer',
    signature: 'event Offer(uint256 price, address token, uint256 toChainId)',
    description: 'A test: all of it may be missing.',
    columns: {
      price: {
        kind: 'uint256',
        description: 'Not said when it is 0.',
        nullable: true,
        indexed: true,
        from: ({ price }) => price || null,
      },
      token: {
        kind: 'address',
        description: 'Not said when it is the zero address.',
        nullable: true,
        refersTo: 'token',
        onChain: 'toChainId',
        from: ({ token }) => (none(token) ? null : token!),
      },
      toChainId: {
        kind: 'uint256',
        description: 'Not said when it is 0.',
        nullable: true,
        refersTo: 'chain',
        from: ({ toChainId }) => toChainId || null,
      },
    },
  });
  const events = [...actual.events, offer];
  return { events, eventByName: (name: string) => events.find((event) => event.name === name) };
});

const CONTRACT = `0x${'cc'.repeat(20)}`;
const USDC = '0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48';
const NOBODY = `0x${'00'.repeat(20)}`;
const event = eventByName('Offer')!;

type Plain = { id: string; price: bigint | null; token: string | null; toChainId: bigint | null };
type Field = 'price' | 'token' | 'toChainId';

let ledger: LedgerFixture;
let api: RunningApi;
let rows: Plain[];

const prices = [0n, 1n, 5n, 2n ** 256n - 1n];
const tokens = [NOBODY, USDC, `0x${'dd'.repeat(20)}`];

const logs = Array.from({ length: 60 }, (_, n) => ({
  address: CONTRACT,
  topics: [event.topic0],
  data: AbiCoder.defaultAbiCoder().encode(
    ['uint256', 'address', 'uint256'],
    [prices[n % 4], tokens[n % 3], [0n, 1n, 10n, 1n, 0n][n % 5]],
  ),
  blockNumber: 5 + (n % 7),
  blockHash: id(`block ${n % 7}`),
  blockTimestamp: 1_700_000_000 + (n % 7),
  txHash: zeroPadValue(toBeHex(n + 1), 32),
  txIndex: n % 2,
  logIndex: 0,
}));
const sources = [{ address: CONTRACT, event: event.name }];
const store = () => {
  const statement = { chainId: 1, sources, from: 1, to: 20 };
  return storeHistory(ledger.database, [
    { statement, ...decodeLogs(ledger.database.events, 1, sources, logs) },
  ]);
};

beforeAll(async () => {
  ledger = await LedgerFixture.create(inject('postgresUrl'));
  await ledger.database.mikroOrm.schema.update();
  await query(ledger.url, "insert into chain (chain_id, name) values (1, 'One')");
  await store();
  const unsaid = <T>(value: T, none: T) => (value === none ? null : value);
  rows = logs.map(({ txHash }, n) => ({
    id: `1:${txHash}:0`,
    price: unsaid(prices[n % 4]!, 0n),
    token: unsaid(tokens[n % 3]!, NOBODY),
    toChainId: unsaid([0n, 1n, 10n, 1n, 0n][n % 5]!, 0n),
  }));
  api = await startTestApi({ database: ledger.database });
});
afterAll(async () => {
  await api?.close();
  await ledger?.close();
});

test('a row without a value is equal to the same row stated again', async () => {
  expect((await store()).touched).toEqual([]);
});

type Where = Readonly<Record<string, unknown>>;
type Holds = (value: bigint | string | null) => boolean;

/** An operator as a client writes it, and what it means. */
const numberOperator = fc
  .constantFrom(1n, 5n, 10n)
  .chain((operand) =>
    fc.constantFrom<[string, unknown, Holds]>(
      ['eq', operand, (v) => v === operand],
      ['ne', operand, (v) => v !== operand],
      ['gt', operand, (v) => v !== null && (v as bigint) > operand],
      ['lte', operand, (v) => v !== null && (v as bigint) <= operand],
      ['in', [operand, 7n], (v) => v === operand || v === 7n],
      ['notIn', [operand, 7n], (v) => v !== operand && v !== 7n],
    ),
  );
const tokenOperator = fc.constantFrom<[string, unknown, Holds]>(
  ['eq', USDC, (v) => v === USDC],
  ['ne', USDC, (v) => v !== USDC],
  ['in', [USDC], (v) => v === USDC],
  ['notIn', tokens, (v) => !tokens.includes(v as string)],
);
const nullOperator = fc
  .boolean()
  .map((wanted): [string, unknown, Holds] => ['isNull', wanted, (v) => (v === null) === wanted]);

type Filter = { readonly where: Where; readonly holds: (row: Plain) => boolean };
const filter = fc.letrec<{ any: Filter }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    {
      weight: 4,
      arbitrary: fc.constantFrom<Field>('price', 'token', 'toChainId').chain((field) =>
        fc
          .oneof(nullOperator, field === 'token' ? tokenOperator : numberOperator)
          .map(([operator, operand, holds]): Filter => {
            return { where: { [field]: { [operator]: operand } }, holds: (row) => holds(row[field]) };
          }),
      ),
    },
    tie('any').map(({ where, holds }): Filter => ({ where: { not: where }, holds: (row) => !holds(row) })),
    fc.array(tie('any'), { maxLength: 3 }).map((of): Filter => {
      return { where: { and: of.map((f) => f.where) }, holds: (row) => of.every((f) => f.holds(row)) };
    }),
    fc.array(tie('any'), { maxLength: 3 }).map((of): Filter => {
      return { where: { or: of.map((f) => f.where) }, holds: (row) => of.some((f) => f.holds(row)) };
    }),
  ),
})).any;

/** Numbers as GraphQL takes them. */
const asJson = (where: Where): Where =>
  JSON.parse(JSON.stringify(where, (_, value) => (typeof value === 'bigint' ? String(value) : value)));

const pageQuery = `query ($where: OfferEventWhere, $orderBy: [OfferEventOrderBy!], $first: Int, $after: String, $last: Int, $before: String) {
  offerEvents(where: $where, orderBy: $orderBy, first: $first, after: $after, last: $last, before: $before) {
    nodes { id price token toChainId } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }`;

async function readAll(
  where: Where,
  orderBy: object[],
  size: number,
  backwards: boolean,
): Promise<{ id: string }[]> {
  const nodes: { id: string }[] = [];
  for (let cursor: string | null = null; ; ) {
    const place: object = backwards ? { last: size, before: cursor } : { first: size, after: cursor };
    const { offerEvents: page } = await askData(api.url, pageQuery, { where, orderBy, ...place });
    if (backwards) nodes.unshift(...page.nodes);
    else nodes.push(...page.nodes);
    const { hasNextPage, hasPreviousPage, startCursor, endCursor } = page.pageInfo;
    if (!(backwards ? hasPreviousPage : hasNextPage)) return nodes;
    cursor = backwards ? startCursor : endCursor;
  }
}

/** Null is the largest. */
function compare(a: bigint | string | null, b: bigint | string | null): number {
  if (a === b) return 0;
  if (a === null || b === null) return a === null ? 1 : -1;
  return a < b ? -1 : 1;
}

const order = fc.array(
  fc.record({
    field: fc.constantFrom<Field>('price', 'token', 'toChainId'),
    direction: fc.constantFrom('ASC', 'DESC'),
  }),
  { minLength: 1, maxLength: 3 },
);

test('any filter and order by columns without values reads every matching row once, in order, forwards and backwards', async () => {
  await fc.assert(
    fc.asyncProperty(filter, order, fc.integer({ min: 7, max: 40 }), async ({ where, holds }, by, size) => {
      const wanted = rows.filter(holds);
      // ties come in an order of their own: what is asked for is said of the values
      const values = [...wanted].sort(
        (a, b) =>
          by
            .map(({ field, direction }) => compare(a[field], b[field]) * (direction === 'ASC' ? 1 : -1))
            .find((sign) => sign !== 0) ?? 0,
      );
      const shown = (row: Plain) => JSON.stringify(by.map(({ field }) => row[field]?.toString() ?? null));
      const forwards = await readAll(asJson(where), by, size, false);
      expect(forwards.map((node) => shown(node as Plain))).toEqual(values.map(shown));
      expect(forwards.map(({ id }) => id).sort()).toEqual(wanted.map(({ id }) => id).sort());
      expect(await readAll(asJson(where), by, size, true)).toEqual(forwards);
    }),
    { numRuns: 60 },
  );
});

test('the live feed lets the same rows through as a page', async () => {
  const stored = await rowsWhere(ledger.database.statements, event, sql`true`, null, 1_000);
  fc.assert(
    fc.property(filter, ({ where, holds }) => {
      const matches = conditionMatcher(conditionOf(event, where), () => false);
      const told = stored.filter(matches).map(({ txHash }) => `1:${txHash}:0`);
      expect(told.sort()).toEqual(
        rows
          .filter(holds)
          .map((row) => row.id)
          .sort(),
      );
    }),
    { numRuns: 300 },
  );
});

test('what refers to nothing is null in GraphQL and REST, and isNull is a parameter', async () => {
  const first = { first: '1', orderBy: 'blockNumber' };
  const { body } = await get(api.url, '/offer-events', {
    ...first,
    'price.isNull': 'true',
    'token.isNull': 'true',
    'toChainId.isNull': 'true',
  });
  expect(body.nodes).toMatchObject([
    {
      price: null,
      token: null,
      tokenInfo: null,
      toChainId: null,
      toChain: null,
      explorerLinks: { token: null },
    },
  ]);
  const known = { 'toChainId.isNull': 'false', token: USDC, toChainId: '1' };
  const { body: said } = await get(api.url, '/offer-events', { ...first, ...known });
  expect(said.nodes).toMatchObject([
    {
      tokenInfo: { symbol: 'USDC' },
      toChain: { id: 1 },
      explorerLinks: { token: expect.stringContaining(USDC) },
    },
  ]);
  const { body: lost } = await get(api.url, '/offer-events', {
    ...first,
    token: USDC,
    'toChainId.isNull': 'true',
  });
  expect(lost.nodes).toMatchObject([{ token: USDC, tokenInfo: null, explorerLinks: { token: null } }]);
});

test('groups without a value come last, in both directions', async () => {
  const keys = async (direction: string) => {
    const order = `orderBy: [{ field: price, direction: ${direction} }]`;
    const { groups } = (
      await askData(api.url, `{ offerStats(groupBy: [price], ${order}) { groups { key { price } } } }`)
    ).offerStats;
    return groups.map(({ key }: { key: { price: string | null } }) => key.price);
  };
  const values = prices.slice(1).map(String);
  expect(await keys('ASC')).toEqual([...values, null]);
  expect(await keys('DESC')).toEqual([...values.reverse(), null]);
});

test('a column that always has a value has no isNull, and a cursor without one is refused', async () => {
  const { errors } = await ask(
    api.url,
    '{ offerEvents(where: { blockNumber: { isNull: true } }) { nodes { id } } }',
  );
  expect(errors?.[0]?.message).toContain('isNull');
  const cursor = Buffer.from(
    JSON.stringify({
      page: 'price+ blockTimestamp- chainId+ blockNumber- txIndex- logIndex- txHash-',
      row: [null, null, 1, 5, 0, 0, logs[0]!.txHash],
    }),
  ).toString('base64url');
  const answer = await ask(api.url, pageQuery, { orderBy: [{ field: 'price' }], after: cursor });
  expect(answer.errors?.[0]).toMatchObject({ extensions: { code: 'BAD_USER_INPUT' } });
});

const fails = (): never => {
  throw new Error('no such size');
};

test.each([
  ['throws', fails, 'column size: no such size'],
  ['gives no value, where there must be one', () => null, 'column size has no value'],
  ['gives what the column cannot hold', () => 'large', "column size can't hold string"],
])('a log for which a column %s is undecodable, with the reason', (_title, from, reason) => {
  const ping = defineEvent({
    name: 'Ping',
    signature: 'event Ping(uint256 value)',
    description: 'A test.',
    columns: { size: { kind: 'uint256', description: 'A size.', from } },
  });
  const decode = () => ping.decode({ topics: [ping.topic0], data: zeroPadValue('0x01', 32) });
  expect(decode).toThrow(UndecodableLog);
  expect(decode).toThrow(`Ping: ${reason}`);
});
