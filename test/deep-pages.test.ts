import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { askData } from './services/api.js';
import { block, LedgerFixture } from './services/ledger-fixture.js';
import { query } from './services/query.js';
import { rowsRead } from './services/rows-read.js';

const ROWS = 12_000;
let ledger: LedgerFixture;

beforeAll(async () => {
  ledger = await LedgerFixture.create(inject('postgresUrl'));
  const { term } = await ledger.lead();
  await ledger.apply(term, 1, { above: 9, blocks: [block(10, 'a', [{ tx: 'first' }])] });
  // one bridge, one block a second
  await query(
    ledger.url,
    `insert into socket_bridge_event
     select (jsonb_populate_record(e, jsonb_build_object('block_number', 10 + i, 'log_index', i,
       'block_timestamp', e.block_timestamp + i * interval '1 second'))).*
     from socket_bridge_event e, generate_series(1, ${ROWS - 1}) i`,
  );
  await query(ledger.url, 'analyze');
  await ledger.database.close();
});
afterAll(async () => ledger?.close());

const text = `query ($orderBy: [SocketBridgeEventOrderBy!], $after: String, $before: String, $first: Int, $last: Int) {
  socketBridgeEvents(orderBy: $orderBy, after: $after, before: $before, first: $first, last: $last) {
    nodes { blockNumber } pageInfo { endCursor } } }`;

test.each([
  ['by default', [], 10 + ROWS - 10_001],
  ['by a column in which all rows are equal', [{ field: 'bridge' }], 10 + ROWS - 10_001],
  ['by time', [{ field: 'blockTimestamp' }], 10 + 10_000],
])(
  'a page behind 10,000 rows in an order %s reads little more than its own rows, forwards and backwards',
  async (_title, orderBy, next) => {
    let cursor: string | null = null;
    await rowsRead(ledger.url, async ({ url }) => {
      for (let n = 0; n < 10; n++) {
        const page = await askData(url, text, { orderBy, after: cursor, first: 1_000 });
        cursor = page.socketBridgeEvents.pageInfo.endCursor;
      }
    });
    const ask = (variables: object) =>
      rowsRead(ledger.url, async ({ url }) => {
        const { socketBridgeEvents: page } = await askData(url, text, { orderBy, ...variables });
        read.push(...page.nodes.map((node: { blockNumber: number }) => node.blockNumber));
      });
    const read: number[] = [];
    expect(await ask({ first: 20, after: cursor })).toBeLessThan(200);
    expect(await ask({ last: 20, before: cursor })).toBeLessThan(200);
    expect(read).toHaveLength(40);
    expect(read[0]).toBe(next);
  },
);
