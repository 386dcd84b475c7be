import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { RunningApi } from '#apps/api/server.js';
import { startTestApi } from './services/api.js';
import { ADDRESS, block, CHAIN_ID, LedgerFixture } from './services/ledger-fixture.js';
import { query } from './services/query.js';
import { get } from './services/rest.js';

const NATIVE = `0x${'ee'.repeat(20)}`;
const MOST = 2n ** 256n - 1n;

let ledger: LedgerFixture;
let api: RunningApi;

/** Rows of the fixture go to chain 10; the token is its address. */
beforeAll(async () => {
  ledger = await LedgerFixture.create(inject('postgresUrl'));
  const { term } = await ledger.lead();
  const blocks = [
    block(5, 'a', [
      { tx: 'a', amount: MOST },
      { tx: 'b', amount: MOST },
    ]),
    block(6, 'a', [{ tx: 'c', amount: 5n }]),
  ];
  await ledger.apply(term, 1, { above: 4, blocks });
  await ledger.apply(term, 2, { above: 5, blocks: [block(6, 'b', [{ tx: 'd', amount: 7n }], 'a')] });
  api = await startTestApi({ database: ledger.database });
});
afterAll(async () => {
  await api?.close();
  await ledger?.close();
});

test('the sum is exact beyond 2^256, counts what is in the chain only, and is a decimal string', async () => {
  const { status, body } = await get(api.url, `/total-bridged/${ADDRESS}/10`);
  expect([status, body]).toEqual([200, String(2n * MOST + 7n)]);
  const upper = await get(api.url, `/total-bridged/${ADDRESS.toUpperCase().replace('X', 'x')}/10`, {
    chainId: String(CHAIN_ID),
  });
  expect(upper.body).toBe(body);
});

test('nothing of a token, to a chain or from a chain is zero', async () => {
  for (const path of [
    `/${ADDRESS}/11`,
    `/0x${'bb'.repeat(20)}/10`,
    `/${ADDRESS}/10?chainId=8`,
    `/${ADDRESS}/${MOST}`,
  ])
    expect((await get(api.url, `/total-bridged${path}`)).body).toBe('0');
});

test("the chains' native coins are not added up, since each is another coin", async () => {
  await query(ledger.url, `update socket_bridge_event set token = '\\x${'ee'.repeat(20)}' where amount = 7`);
  const refused = await get(api.url, `/total-bridged/${NATIVE}/10`);
  expect([refused.status, refused.body.error.code]).toEqual([400, 'BAD_USER_INPUT']);
  expect(refused.body.error.message).toMatch(/native coin.*give chainId/);
  const upper = await get(api.url, `/total-bridged/${NATIVE.toUpperCase().replace('X', 'x')}/10`);
  expect(upper.status).toBe(400);
  expect((await get(api.url, `/total-bridged/${NATIVE}/10?chainId=${CHAIN_ID}`)).body).toBe('7');
});

test('what is no token, chain or number is refused by name', async () => {
  for (const [path, message] of [
    ['/0x12/10', /^token: "0x12" is not Address/],
    [`/${ADDRESS}/ten`, /^toChainId: "ten" is not a BigInt/],
    [`/${ADDRESS}/10?chainId=x`, /^chainId: "x" is not a SafeInt/],
    [`/${ADDRESS}/10?chain=1`, /did you mean chainId\?/],
  ] as const) {
    const { status, body } = await get(api.url, `/total-bridged${path}`);
    expect(status).toBe(400);
    expect(body.error.message).toMatch(message);
  }
});
