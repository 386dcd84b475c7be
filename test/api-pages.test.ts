import { id } from 'ethers';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { scalarOfKind } from '#apps/api/graphql/scalars.js';
import { conditionOf } from '#apps/api/reads/where.js';
import type { RunningApi } from '#apps/api/server.js';
import { knownChains } from '#libs/database/chain-status.js';
import { type Condition, conditionMatcher, type Row } from '#libs/database/condition.js';
import { completeOrder, readPage } from '#libs/database/event-pages.js';
import type { EventRow } from '#libs/database/event-rows.js';
import { storeHistory } from '#libs/database/store-history.js';
import { socketBridge } from '#libs/events/socket-bridge/event.js';
import { ask, askData, startTestApi } from './services/api.js';
import { block, CHAIN_ID, hashOf, LedgerFixture } from './services/ledger-fixture.js';
import { query } from './services/query.js';

let ledger: LedgerFixture;
let api: RunningApi;
let rows: Plain[];

/** A row as plain values: numbers and times as bigint, all else as text. */
type Plain = Readonly<Record<string, bigint | string>> & { readonly id: string; readonly finality: string };

const address = (n: number) => `0x${String(n).repeat(40)}`;
const amounts = [0n, 1n, 7n, 10n ** 18n, 2n ** 255n, 2n ** 256n - 1n];
const bridges = ['Across', 'Hop', 'Stargate'];

/** Rows that agree in many columns, so that every tie breaker is needed. */
function storedRow(n: number): EventRow {
  const blockNumber = 100 + (n % 5);
  return {
    event: socketBridge,
    chainId: [1, 10][n % 2]!,
    log: {
      address: address(n % 3),
      topics: [socketBridge.topic0],
      data: '0x',
      blockNumber,
      blockHash: hashOf(blockNumber, 'a'),
      blockTimestamp: 1_700_000_000 + (n % 4),
      txHash: id(`tx ${n % 40}`),
      txIndex: n % 3,
      logIndex: Math.floor(n / 40),
    },
    values: {
      amount: amounts[n % amounts.length]!,
      token: address(n % 4),
      toChainId: BigInt(n % 3),
      bridgeName: id(bridges[n % 3]!),
      bridge: bridges[n % 3]!,
      sender: address(n % 5),
      receiver: address(n % 2),
      metadata: id('metadata'),
    },
  };
}

beforeAll(async () => {
  ledger = await LedgerFixture.create(inject('postgresUrl'));
  // as a leader leaves them before any row is stored; nothing is final
  await query(ledger.url, "insert into chain (chain_id, name) values (1, 'One'), (10, 'Ten')");
  const rowsOfChain = (chainId: number) =>
    Array.from({ length: 120 }, (_, n) => storedRow(n)).filter((row) => row.chainId === chainId);
  for (const chainId of [1, 10]) {
    const statement = {
      chainId,
      sources: [{ address: address(1), event: 'SocketBridge' }],
      from: 1,
      to: 200,
    };
    await storeHistory(ledger.database, [{ statement, rows: rowsOfChain(chainId), broken: [] }]);
  }
  // a chain with final, unfinalized and removed rows
  const { term } = await ledger.lead();
  const logs = (n: number) =>
    Array.from({ length: 4 }, (_, i) => ({ tx: `live ${n}`, index: i, amount: amounts[i]! }));
  const blocks = [10, 11, 12, 13].map((n) => block(n, 'a', logs(n)));
  await ledger.apply(term, 1, { above: 9, blocks }, { final: 11, hash: hashOf(11, 'a') });
  await ledger.apply(term, 3, { above: 12, blocks: [block(13, 'b', [{ tx: 'other' }], 'a')] });
  api = await startTestApi({ database: ledger.database });
  rows = await plainRows();
});
afterAll(async () => {
  await api?.close();
  await ledger?.close();
});

async function plainRows(): Promise<Plain[]> {
  const read = await query<Record<string, unknown>>(
    ledger.url,
    `select e.*, coalesce(e.block_number <= c.finalized_block, false) as final
     from socket_bridge_event e left join chain c using (chain_id) where not removed`,
  );
  return read.map((row) => {
    const values = socketBridge.allColumns.map((c) => [c.property, plain(c.kind, row[c.name])] as const);
    const named = Object.fromEntries(values);
    const key = `${named.chainId}:${named.txHash}:${named.logIndex}`;
    return { ...named, id: key, finality: row.final ? 'FINALIZED' : 'UNFINALIZED' } as Plain;
  });
}

function plain(kind: string, value: unknown): bigint | string {
  if (kind === 'uint256' || kind === 'safeInt') return BigInt(value as string);
  if (kind === 'timestamp') return BigInt((value as Date).getTime());
  return Buffer.isBuffer(value) ? `0x${value.toString('hex')}` : String(value);
}

type Where = { readonly [field: string]: unknown };

/** The meaning of a filter, said a second time. */
function matches(where: Where, row: Plain): boolean {
  return Object.entries(where).every(([field, value]) => {
    if (field === 'and') return (value as Where[]).every((w) => matches(w, row));
    if (field === 'or') return (value as Where[]).some((w) => matches(w, row));
    if (field === 'not') return !matches(value as Where, row);
    return Object.entries(value as Where).every(([operator, operand]) =>
      holds(operator, row[field]!, operand),
    );
  });
}

function holds(operator: string, actual: bigint | string, operand: unknown): boolean {
  if (operator === 'in' || operator === 'notIn') {
    const among = (operand as unknown[]).some((one) => readAs(actual, one) === actual);
    return among === (operator === 'in');
  }
  const value = readAs(actual, operand);
  if (operator === 'eq' || operator === 'ne') return (value === actual) === (operator === 'eq');
  if (operator === 'gt') return actual > value;
  if (operator === 'gte') return actual >= value;
  return operator === 'lt' ? actual < value : actual <= value;
}

function readAs(actual: bigint | string, operand: unknown): bigint | string {
  if (typeof actual === 'string') return String(operand);
  const text = String(operand);
  return BigInt(text.includes('T') ? Date.parse(text) : text);
}

const time = (seconds: number) => new Date((1_700_000_000 + seconds) * 1_000).toISOString();
const operands = {
  amount: amounts.map(String),
  toChainId: ['0', '1', '2'],
  chainId: [1, 10, CHAIN_ID],
  blockNumber: [11, 12, 100, 102, 103],
  logIndex: [0, 1, 2],
  blockTimestamp: [0, 0.4, 0.6, 1, 2, 12].map(time),
  bridge: bridges,
  token: [0, 1, 2, 3].map(address),
  txHash: [id('tx 1'), id('tx 2'), id('live 12')],
} as const;
const ordered = new Set(['amount', 'toChainId', 'chainId', 'blockNumber', 'logIndex', 'blockTimestamp']);

const comparison = fc.constantFrom(...(Object.keys(operands) as (keyof typeof operands)[])).chain((field) => {
  const operand = fc.constantFrom<string | number>(...operands[field]);
  const some = fc.array(operand, { maxLength: 4 });
  const one = ordered.has(field) ? ['eq', 'ne', 'gt', 'gte', 'lt', 'lte'] : ['eq', 'ne'];
  const condition = fc.oneof(
    fc.record({ operator: fc.constantFrom(...one), value: operand as fc.Arbitrary<unknown> }),
    fc.record({ operator: fc.constantFrom('in', 'notIn'), value: some as fc.Arbitrary<unknown> }),
  );
  return condition.map(({ operator, value }): Where => ({ [field]: { [operator]: value } }));
});
const finality = fc.constantFrom('FINALIZED', 'UNFINALIZED').map((eq): Where => ({ finality: { eq } }));
const filter = fc.letrec<{ where: Where }>((tie) => ({
  where: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    { arbitrary: comparison, weight: 4 },
    finality,
    fc.array(tie('where'), { maxLength: 3 }).map((of): Where => ({ and: of })),
    fc.array(tie('where'), { maxLength: 3 }).map((of): Where => ({ or: of })),
    tie('where').map((of): Where => ({ not: of })),
  ),
})).where;

const direction = fc.constantFrom('ASC', 'DESC');
const orderFields = [
  'amount',
  'bridge',
  'blockNumber',
  'chainId',
  'logIndex',
  'token',
  'blockTimestamp',
  'txHash',
];
const order = fc.array(fc.record({ field: fc.constantFrom(...orderFields), direction }), { maxLength: 3 });

const tieBreakers = [
  { field: 'blockTimestamp', direction: 'DESC' },
  { field: 'chainId', direction: 'ASC' },
  { field: 'blockNumber', direction: 'DESC' },
  { field: 'txIndex', direction: 'DESC' },
  { field: 'logIndex', direction: 'DESC' },
  { field: 'txHash', direction: 'DESC' },
];

function sorted(of: readonly Plain[], by: readonly { field: string; direction: string }[]): string[] {
  const compare = (a: Plain, b: Plain): number => {
    for (const { field, direction } of [...by, ...tieBreakers]) {
      if (a[field]! === b[field]!) continue;
      return a[field]! < b[field]! === (direction === 'ASC') ? -1 : 1;
    }
    return 0;
  };
  return [...of].sort(compare).map((row) => row.id);
}

const pageQuery = `query ($where: SocketBridgeEventWhere, $orderBy: [SocketBridgeEventOrderBy!], $first: Int, $after: String, $last: Int, $before: String) {
  socketBridgeEvents(where: $where, orderBy: $orderBy, first: $first, after: $after, last: $last, before: $before) {
    nodes { id } edges { cursor node { id } } totalCount
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}`;

/** Pages from one end to the other. */
async function readAll(where: Where, orderBy: object[], size: number, backwards: boolean): Promise<string[]> {
  const ids: string[] = [];
  for (let cursor: string | null = null; ; ) {
    const place: object = backwards ? { last: size, before: cursor } : { first: size, after: cursor };
    const { socketBridgeEvents: page } = await askData(api.url, pageQuery, { where, orderBy, ...place });
    const read = page.nodes.map((node: { id: string }) => node.id);
    expect(page.edges.map((edge: { node: { id: string } }) => edge.node.id)).toEqual(read);
    if (backwards) ids.unshift(...read);
    else ids.push(...read);
    expect(page.totalCount).toBeGreaterThanOrEqual(ids.length);
    const { hasNextPage, hasPreviousPage, startCursor, endCursor } = page.pageInfo;
    expect(backwards ? hasNextPage : hasPreviousPage).toBe(cursor !== null);
    if (!(backwards ? hasPreviousPage : hasNextPage)) {
      expect(page.totalCount).toBe(ids.length);
      return ids;
    }
    cursor = backwards ? startCursor : endCursor;
  }
}

test('any filter, order and page size reads exactly the rows that match, in order, forwards and backwards', async () => {
  await fc.assert(
    fc.asyncProperty(filter, order, fc.integer({ min: 7, max: 70 }), async (where, orderBy, size) => {
      const wanted = sorted(
        rows.filter((row) => matches(where, row)),
        orderBy,
      );
      expect(await readAll(where, orderBy, size, false)).toEqual(wanted);
      expect(await readAll(where, orderBy, size, true)).toEqual(wanted);
    }),
    { numRuns: 60 },
  );
});

/** A filter as GraphQL hands it to a resolver: operands read by their scalars. */
function asInput(where: Where): Where {
  const read = ([field, value]: [string, unknown]): [string, unknown] => {
    if (field === 'and' || field === 'or') return [field, (value as Where[]).map(asInput)];
    if (field === 'not') return [field, asInput(value as Where)];
    const { kind } = socketBridge.allColumns.find((c) => c.property === field) ?? { kind: 'text' };
    if (kind === 'text' || kind === 'boolean' || kind === 'bytes32List') return [field, value];
    const one = (operand: unknown) => scalarOfKind[kind].parseValue(operand);
    const all = Object.entries(value as Where).map(([operator, operand]) => [
      operator,
      Array.isArray(operand) ? operand.map(one) : one(operand),
    ]);
    return [field, Object.fromEntries(all)];
  };
  return Object.fromEntries(Object.entries(where).map(read));
}

test('the live feed filters in memory exactly the rows that pages filter in SQL', async () => {
  const { statements } = ledger.database;
  const order = completeOrder(socketBridge, []);
  const read = (condition: Condition) =>
    readPage(statements, socketBridge, {
      condition,
      includeRemoved: true,
      order,
      from: null,
      backwards: false,
      limit: 1_000,
    });
  const everything = await read({ kind: 'and', of: [] });
  const chains = await knownChains(statements);
  const isFinal = (row: Row) =>
    (row.blockNumber as number) <= (chains.get(row.chainId as number)?.finalizedBlock ?? -1);
  await fc.assert(
    fc.asyncProperty(filter, async (where) => {
      const condition = conditionOf(socketBridge, asInput(where));
      expect(everything.filter(conditionMatcher(condition, isFinal))).toEqual(await read(condition));
    }),
    { numRuns: 200 },
  );
});

test('a page in the middle, read from any cursor in either direction, joins the one before without gap or overlap', async () => {
  const wanted = sorted(rows, []);
  const all = await askData(api.url, pageQuery, { first: 1000 });
  const { edges } = all.socketBridgeEvents;
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: edges.length - 1 }), fc.integer({ min: 1, max: 9 }), async (at, size) => {
      const { cursor } = edges[at];
      const after = await askData(api.url, pageQuery, { first: size, after: cursor });
      const before = await askData(api.url, pageQuery, { last: size, before: cursor });
      const ids = (page: { nodes: { id: string }[] }) => page.nodes.map((node) => node.id);
      expect(ids(after.socketBridgeEvents)).toEqual(wanted.slice(at + 1, at + 1 + size));
      expect(ids(before.socketBridgeEvents)).toEqual(wanted.slice(Math.max(0, at - size), at));
    }),
    { numRuns: 20 },
  );
});

test('rows that a reorg removed are left out, given with includeRemoved, and always found by id', async () => {
  const removedQuery = `query ($removed: Boolean!) { socketBridgeEvents(first: 1000, includeRemoved: $removed) { totalCount nodes { id removed } } }`;
  const with_ = await askData(api.url, removedQuery, { removed: true });
  const without = await askData(api.url, removedQuery, { removed: false });
  const removed = with_.socketBridgeEvents.nodes.filter((node: { removed: boolean }) => node.removed);
  expect(removed).toHaveLength(4);
  expect(with_.socketBridgeEvents.totalCount).toBe(without.socketBridgeEvents.totalCount + 4);
  const one = await askData(api.url, 'query ($id: ID!) { socketBridgeEvent(id: $id) { id removed } }', {
    id: removed[0].id,
  });
  expect(one.socketBridgeEvent).toEqual(removed[0]);
});

test('every column of a row is given as the table has it', async () => {
  const { txHash, logIndex } = rows.find((row) => row.amount === 2n ** 256n - 1n)!;
  const fields = socketBridge.allColumns
    .map((c) => c.property)
    .filter((p) => p !== 'revision' && p !== 'writeId');
  const found = await askData(
    api.url,
    `query ($where: SocketBridgeEventWhere) { socketBridgeEvents(where: $where) { nodes { ${fields.join(' ')} } } }`,
    { where: { txHash: { eq: txHash }, logIndex: { eq: Number(logIndex) } } },
  );
  const [row] = await query<Record<string, unknown>>(
    ledger.url,
    `select * from socket_bridge_event where tx_hash = '\\${String(txHash).slice(1)}' and log_index = ${logIndex}`,
  );
  expect(found.socketBridgeEvents.nodes).toEqual([
    Object.fromEntries(
      socketBridge.allColumns
        .filter((c) => fields.includes(c.property))
        .map((c) => [c.property, asJson(c.kind, row![c.name])]),
    ),
  ]);
});

function asJson(kind: string, value: unknown): unknown {
  if (kind === 'timestamp') return (value as Date).toISOString();
  if (kind === 'safeInt') return Number(value);
  if (kind === 'bytes32List') return (value as Buffer[]).map((one) => `0x${one.toString('hex')}`);
  return Buffer.isBuffer(value) ? `0x${value.toString('hex')}` : value;
}

test('totalCount costs nothing when it is not asked for, and is right when it is', async () => {
  const { data } = await ask(
    api.url,
    '{ few: socketBridgeEvents(first: 2) { nodes { id } } all: socketBridgeEvents(first: 0) { ...F nodes { id } } } fragment F on SocketBridgeEventConnection { totalCount }',
  );
  expect(data.few.nodes).toHaveLength(2);
  expect(data.all).toEqual({ totalCount: rows.length, nodes: [] });
});
