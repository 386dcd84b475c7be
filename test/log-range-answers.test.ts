import { toQuantity } from 'ethers';
import { afterEach, expect, test } from 'vitest';
import { SimulatedChain } from '#apps/devchain/chain.js';
import { startDevchainServer } from '#apps/devchain/server.js';
import { SOCKET_BRIDGE, SOCKET_GATEWAY } from '#apps/devchain/socket-gateway.js';
import { Endpoint } from '#libs/chain/endpoint.js';
import { RpcError } from '#libs/chain/rpc-error.js';
import { startAnvil } from './services/anvil.js';
import { deployGateway } from './services/gateway.js';
import { blockHash, blocksUpTo, FILTER, rawLog, TOPIC, timeOf } from './services/recorded-blocks.js';
import { byMethod, RecordedRpc } from './services/recorded-rpc.js';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

/** An endpoint at block `head` that answers `eth_getLogs` so. */
async function endpointSaying(logs: unknown, head = 20): Promise<{ endpoint: Endpoint; rpc: RecordedRpc }> {
  const rpc = await RecordedRpc.start(
    byMethod({ eth_getLogs: () => logs, eth_getBlockByNumber: blocksUpTo(head) }),
  );
  open.push({ close: () => rpc.stop() });
  const endpoint = endpointAt(rpc.url);
  return { endpoint, rpc };
}

function endpointAt(url: string, batchSize = 100): Endpoint {
  const endpoint = new Endpoint(url, batchSize);
  open.push(endpoint);
  return endpoint;
}

test('logs come in order, each with the time of its block', async () => {
  const logs = [
    rawLog(12, { transactionIndex: '0x1', logIndex: '0x5' }),
    rawLog(12, { transactionIndex: '0x0', logIndex: '0x4' }),
    rawLog(11, { blockTimestamp: toQuantity(timeOf(11)) }),
    rawLog(12, { transactionIndex: '0x1', logIndex: '0x3' }),
    rawLog(20),
  ];
  const { endpoint, rpc } = await endpointSaying(logs);
  const found = await endpoint.rangeLogs(10, 20, FILTER);
  expect(found.map((log) => [log.blockNumber, log.txIndex, log.logIndex, log.blockTimestamp])).toEqual([
    [11, 0, 0, timeOf(11)],
    [12, 0, 4, timeOf(12)],
    [12, 1, 3, timeOf(12)],
    [12, 1, 5, timeOf(12)],
    [20, 0, 0, timeOf(20)],
  ]);
  expect(rpc.requests.map((request) => [request].flat().length)).toEqual([2, 1]);
  const query = { fromBlock: '0xa', toBlock: '0x14', address: FILTER.addresses, topics: [FILTER.topics] };
  expect(rpc.calls('eth_getLogs')[0]!.params).toEqual([query]);
});

test('a log’s time of zero is none: its block’s header tells it', async () => {
  const logs = [rawLog(12, { blockTimestamp: '0x0' }), rawLog(20, { blockTimestamp: '0x0' })];
  const { endpoint } = await endpointSaying(logs);
  const found = await endpoint.rangeLogs(10, 20, FILTER);
  expect(found.map(({ blockTimestamp }) => blockTimestamp)).toEqual([timeOf(12), timeOf(20)]);
});

test('an empty answer of a node that lacks the last block proves nothing', async () => {
  const { endpoint } = await endpointSaying([], 15);
  await expect(endpoint.rangeLogs(10, 20, FILTER)).rejects.toMatchObject({ kind: 'head_behind' });
  expect(await endpoint.rangeLogs(10, 15, FILTER)).toEqual([]);
});

test.each([
  ['null instead of logs', null],
  ['a log below the range', [rawLog(9)]],
  ['a log above the range', [rawLog(21)]],
  ['a log of another contract', [rawLog(12, { address: `0x${'bb'.repeat(20)}` })]],
  ['a log of another event', [rawLog(12, { topics: [TOPIC.replace(/.$/, '0'), TOPIC] })]],
  ['an anonymous log', [rawLog(12, { topics: [] })]],
  ['a removed log', [rawLog(12, { removed: true })]],
  [
    'two hashes for one block',
    [
      rawLog(12, { blockTimestamp: '0x1' }),
      rawLog(12, { blockHash: blockHash(12, 'b'), blockTimestamp: '0x1' }),
    ],
  ],
  ['another hash at the last block', [rawLog(20, { blockHash: blockHash(20, 'b'), blockTimestamp: '0x1' })]],
  ['another time than the last block’s', [rawLog(20, { blockTimestamp: toQuantity(timeOf(20) + 1) })]],
  ['another hash than the header', [rawLog(12, { blockHash: blockHash(12, 'b') })]],
])('%s is bad data, never stored', async (_, logs) => {
  const { endpoint } = await endpointSaying(logs);
  await expect(endpoint.rangeLogs(10, 20, FILTER)).rejects.toMatchObject({ kind: 'bad_data' });
  expect(endpoint.range.size).toBe(100);
});

test('a provider’s limits are learned until the whole range is read, and nothing is missed', async () => {
  const chain = SimulatedChain.create({
    chainId: 1337,
    seed: 'log range',
    head: 300,
    eventsPerBlock: 2,
    blockTimeMs: 1_000,
    headTimestampMs: 1_800_000_000_000,
    finalityDepth: 8,
  });
  const server = await startDevchainServer({
    chain,
    maxRange: 130,
    maxResults: 150,
    maxBatch: 7,
    logTimestamps: false,
  });
  open.push(server);
  const free = await startDevchainServer({ chain });
  open.push(free);
  const filter = { addresses: [SOCKET_GATEWAY], topics: [SOCKET_BRIDGE] };
  const all = await endpointAt(free.url, 10_000).rangeLogs(0, 300, filter);
  const endpoint = endpointAt(server.url, 1_000);
  const found = [];
  let refusals = 0;
  for (let from = 0; from <= 300; ) {
    const to = Math.min(300, from + endpoint.range.size - 1);
    const logs = await endpoint.rangeLogs(from, to, filter).catch((error: unknown) => {
      expect(error).toBeInstanceOf(RpcError);
      return null;
    });
    if (!logs) {
      refusals++;
      continue;
    }
    found.push(...logs);
    from = to + 1;
  }
  expect(found).toEqual(all);
  expect(found.length).toBeGreaterThan(300);
  expect(refusals).toBeGreaterThan(0);
});

test('a real node’s logs are read by range as they were emitted', async () => {
  const anvil = await startAnvil();
  open.push({ close: () => anvil.stop() });
  const gateway = await deployGateway(anvil.url);
  open.push(gateway);
  const mined = [await gateway.emitBridge({}, {}), await gateway.emitOther(), await gateway.emitBridge({})];
  const filter = { addresses: [gateway.address], topics: [SOCKET_BRIDGE] };
  const logs = await endpointAt(anvil.url).rangeLogs(0, await gateway.head(), filter);
  expect(logs.map(({ txHash, blockHash: hash, logIndex }) => [txHash, hash, logIndex])).toEqual([
    [mined[0]!.txHash, mined[0]!.blockHash, 0],
    [mined[0]!.txHash, mined[0]!.blockHash, 1],
    [mined[2]!.txHash, mined[2]!.blockHash, 0],
  ]);
  const block = await gateway.provider.getBlock(mined[2]!.blockNumber);
  expect(logs[2]!.blockTimestamp).toBe(block!.timestamp);
});
