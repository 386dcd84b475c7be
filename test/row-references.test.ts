import { id } from 'ethers';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { explorerLinksOf, referencesOf } from '#apps/api/reads/references.js';
import type { RunningApi } from '#apps/api/server.js';
import type { EventRow } from '#libs/database/event-rows.js';
import { storeHistory } from '#libs/database/store-history.js';
import { type DecodedValues, defineEvent } from '#libs/events/event.js';
import { socketBridge } from '#libs/events/socket-bridge/event.js';
import { askData, startTestApi } from './services/api.js';
import { ADDRESS, block, CHAIN_ID, hashOf, LedgerFixture } from './services/ledger-fixture.js';

const NATIVE = '0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee';
const USDC_OF_BASE = '0x833589fcd6edb6e08f4c7c32d4f71b54bda02913';
const sender = `0x${'5e'.repeat(20)}`;
const receiver = `0x${'4e'.repeat(20)}`;

let ledger: LedgerFixture;
let api: RunningApi;
const chainOfRow = new Map<string, number>();

/** Stores a row of its own for each call, found by its transaction. */
async function store(tx: string, chainId: number, values: DecodedValues): Promise<void> {
  const row: EventRow = {
    event: socketBridge,
    chainId,
    log: {
      address: ADDRESS,
      topics: [socketBridge.topic0],
      data: '0x',
      blockNumber: 5,
      blockHash: hashOf(5, 'a'),
      blockTimestamp: 1_700_000_000,
      txHash: id(tx),
      txIndex: 0,
      logIndex: 0,
    },
    values: {
      amount: 1n,
      token: NATIVE,
      toChainId: 10n,
      bridgeName: id('Across'),
      bridge: 'Across',
      sender,
      receiver,
      metadata: id(''),
      ...values,
    },
  };
  const sources = [{ address: ADDRESS, event: 'SocketBridge' }];
  const statement = { chainId, sources, from: 1, to: 9 };
  await storeHistory(ledger.database, [{ statement, rows: [row], broken: [] }]);
  chainOfRow.set(tx, chainId);
}

async function read(tx: string) {
  const fields = `token tokenInfo { symbol decimals } chain { id name } toChainId toChain { id name }
    explorerLinks { tx block address token sender receiver }`;
  const eventId = `${chainOfRow.get(tx) ?? CHAIN_ID}:${id(tx)}:0`;
  const data = await askData(api.url, `query ($id: ID!) { socketBridgeEvent(id: $id) { ${fields} } }`, {
    id: eventId,
  });
  return data.socketBridgeEvent;
}

beforeAll(async () => {
  ledger = await LedgerFixture.create(inject('postgresUrl'));
  const { term } = await ledger.lead();
  await ledger.apply(term, 1, { above: 4, blocks: [block(5, 'a', [{ tx: 'unlisted' }])] });
  const stargate = { bridgeName: id('Stargate'), bridge: 'Stargate' };
  await store('coin', 137, {});
  await store('token', 8453, { token: USDC_OF_BASE });
  await store('elsewhere', 10, { token: USDC_OF_BASE });
  await store('layer zero', 1, { ...stargate, toChainId: 109n });
  await store('stargate by chain id', 1, { ...stargate, toChainId: 8453n });
  await store('not layer zero', 1, { toChainId: 109n });
  await store('no chain at all', 1, { toChainId: 2n ** 256n - 1n });
  await store('never led', 999_999, {});
  api = await startTestApi({ database: ledger.database });
});
afterAll(async () => {
  await api?.close();
  await ledger?.close();
});

test("the native marker is the chain's own coin, which has no page; a token has its symbol and decimals on its chain only", async () => {
  const coin = await read('coin');
  expect(coin).toMatchObject({ tokenInfo: { symbol: 'POL', decimals: 18 }, explorerLinks: { token: null } });
  expect((await read('token')).tokenInfo).toEqual({ symbol: 'USDC', decimals: 6 });
  expect((await read('elsewhere')).tokenInfo).toBeNull();
});

test('the destination is named, by its LayerZero id only where Stargate wrote it, and null when nobody knows it', async () => {
  expect(await read('coin')).toMatchObject({ toChainId: '10', toChain: { id: 10, name: 'OP Mainnet' } });
  expect(await read('layer zero')).toMatchObject({ toChainId: '109', toChain: { id: 137, name: 'Polygon' } });
  expect((await read('stargate by chain id')).toChain).toEqual({ id: 8453, name: 'Base' });
  expect((await read('not layer zero')).toChain).toBeNull();
  expect((await read('no chain at all')).toChain).toBeNull();
});

test("the source chain has its list's name, the operator's where one was given, else its number", async () => {
  expect((await read('token')).chain).toEqual({ id: 8453, name: 'Base' });
  expect((await read('unlisted')).chain).toEqual({ id: CHAIN_ID, name: 'Test' });
  expect((await read('never led')).chain).toEqual({ id: 999_999, name: 'Chain 999999' });
});

test('links lead to the explorer of the chain that each thing is on', async () => {
  expect((await read('token')).explorerLinks).toEqual({
    tx: `https://basescan.org/tx/${id('token')}`,
    block: 'https://basescan.org/block/5',
    address: `https://basescan.org/address/${ADDRESS}`,
    token: `https://basescan.org/token/${USDC_OF_BASE}`,
    sender: `https://basescan.org/address/${sender}`,
    receiver: `https://optimistic.etherscan.io/address/${receiver}`,
  });
  expect((await read('layer zero')).explorerLinks.receiver).toMatch(/^https:\/\/polygonscan\.com\/address\//);
  const unknown = await read('unlisted');
  expect(unknown.explorerLinks).toMatchObject({ tx: null, block: null, sender: null });
});

test('the live feed tells them as pages do', async () => {
  const response = await fetch(`${api.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
    body: JSON.stringify({
      query: `subscription { socketBridgeEvents(since: "0", where: {txHash: {eq: "${id('layer zero')}"}}) {
        changes { node { toChain { name } tokenInfo { symbol } explorerLinks { block } } } } }`,
    }),
  });
  let text = '';
  for await (const chunk of response.body!) {
    text += Buffer.from(chunk).toString();
    if (text.includes('"node"')) break;
  }
  const node = JSON.parse(/"node":(\{.*?\}\})\}/.exec(text)![1]!);
  expect(node).toEqual({
    toChain: { name: 'Polygon' },
    tokenInfo: { symbol: 'ETH' },
    explorerLinks: { block: 'https://etherscan.io/block/5' },
  });
});

test('another event type has the same by a word in its declaration', () => {
  const deposit = defineEvent({
    name: 'Deposit',
    signature: 'event Deposit(address asset, uint32 homeId, address owner)',
    description: 'A test.',
    columns: {
      asset: { kind: 'address', description: 'A token.', refersTo: 'token', onChain: 'homeId' },
      homeId: { kind: 'safeInt', description: 'A chain.', refersTo: 'chain' },
      owner: { kind: 'address', description: 'Somebody.' },
    },
  });
  const row = { chainId: 1, txHash: id('tx'), blockNumber: 7, address: ADDRESS };
  const values = { asset: USDC_OF_BASE, homeId: 8453, owner: sender };
  expect(referencesOf(deposit, { ...row, ...values }, new Map())).toEqual({
    chain: { id: 1, name: 'Ethereum' },
    assetInfo: { symbol: 'USDC', decimals: 6 },
    home: { id: 8453, name: 'Base' },
  });
  expect(explorerLinksOf(deposit, { ...row, ...values })).toEqual({
    tx: `https://etherscan.io/tx/${id('tx')}`,
    block: 'https://etherscan.io/block/7',
    address: `https://etherscan.io/address/${ADDRESS}`,
    asset: `https://basescan.org/token/${USDC_OF_BASE}`,
    owner: `https://etherscan.io/address/${sender}`,
  });
});
