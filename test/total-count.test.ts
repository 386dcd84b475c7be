import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { Database } from '#libs/database/database.js';
import { askData, startTestApi } from './services/api.js';
import { block, LedgerFixture } from './services/ledger-fixture.js';
import { query } from './services/query.js';
import { rowsRead } from './services/rows-read.js';

/** More than are counted. */
const ROWS = 15_000;
let ledger: LedgerFixture;
const closing: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  ledger = await LedgerFixture.create(inject('postgresUrl'));
  const { term } = await ledger.lead();
  await ledger.apply(term, 1, { above: 9, blocks: [block(10, 'a', [{ tx: 'first' }])] });
  // copies of one row: blocks 11, 12, …, amounts 0 to 4
  await query(
    ledger.url,
    `insert into socket_bridge_event
     select (jsonb_populate_record(e, jsonb_build_object('block_number', 10 + i, 'log_index', i, 'amount', i % 5,
       'block_timestamp', to_timestamp(1700000000 + i)))).*
     from socket_bridge_event e, generate_series(1, ${ROWS - 1}) i`,
  );
  await query(ledger.url, 'analyze socket_bridge_event');
});
afterAll(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await ledger?.close();
});

async function start() {
  const database = Database.open(ledger.url);
  const api = await startTestApi({ database });
  closing.push(
    () => database.close(),
    () => api.close(),
  );
  return api;
}

const count = `query ($where: SocketBridgeEventWhere) {
  socketBridgeEvents(where: $where, first: 0) { totalCount totalCountIsEstimate } }`;

test('up to 10,000 rows are counted exactly, more are estimated and said to be', async () => {
  const { url } = await start();
  const total = async (where: object) => (await askData(url, count, { where })).socketBridgeEvents;
  expect(await total({ blockNumber: { lt: 5_010 } })).toEqual({
    totalCount: 5_000,
    totalCountIsEstimate: false,
  });
  expect(await total({ blockNumber: { lt: 10_010 } })).toEqual({
    totalCount: 10_000,
    totalCountIsEstimate: false,
  });
  const all = await total({});
  expect(all.totalCountIsEstimate).toBe(true);
  expect(Math.abs(all.totalCount - ROWS)).toBeLessThan(ROWS / 10);
  const most = await total({ amount: { ne: '0' } });
  expect(most.totalCountIsEstimate).toBe(true);
  expect(Math.abs(most.totalCount - ROWS * 0.8)).toBeLessThan(ROWS / 10);
});

test('an estimate is never below what was counted, however old the statistics are', async () => {
  const { url } = await start();
  await query(ledger.url, "update pg_class set reltuples = 100 where relname = 'socket_bridge_event'");
  const { socketBridgeEvents: page } = await askData(url, count, {});
  await query(ledger.url, 'analyze socket_bridge_event');
  expect(page.totalCountIsEstimate).toBe(true);
  expect(page.totalCount).toBeGreaterThan(10_000);
});

test('what would take reading too much to be counted is estimated', async () => {
  const name = new URL(ledger.url).pathname.slice(1);
  // a row costs as much as a million: this table looks as large as one of gigabytes
  await query(ledger.url, `alter database "${name}" set cpu_tuple_cost = 10000`);
  const { url } = await start();
  const where = { blockHash: { eq: `0x${'12'.repeat(32)}` } };
  const { socketBridgeEvents: page } = await askData(url, count, { where });
  expect(page.totalCountIsEstimate).toBe(true);
  expect(page.totalCount).toBeLessThan(100);
  await query(ledger.url, `alter database "${name}" reset cpu_tuple_cost`);
});

test('rows are counted only for who asks: not beside other fields, nor under a directive that says no', async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await ledger.database.close();
  const reads = (text: string, variables = {}) =>
    rowsRead(ledger.url, ({ url }) => askData(url, text, variables));
  const directive = `query ($count: Boolean!) { socketBridgeEvents(first: 1) { totalCount @include(if: $count) ...Count @skip(if: true) } }
    fragment Count on SocketBridgeEventConnection { totalCountIsEstimate }`;
  expect(await reads('{ socketBridgeEvents(first: 1) { nodes { id } } }')).toBeLessThan(100);
  expect(await reads(directive, { count: false })).toBeLessThan(100);
  expect(await reads(directive, { count: true })).toBeGreaterThan(10_000);
});
