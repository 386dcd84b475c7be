import { once } from 'node:events';
import { JsonRpcProvider } from 'ethers';
import { afterEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { SimulatedChain } from '#apps/devchain/chain.js';
import type { ProviderOptions } from '#apps/devchain/rpc-methods.js';
import { type DevchainServer, startDevchainServer } from '#apps/devchain/server.js';

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function serve(provider: ProviderOptions = {}) {
  const chain = SimulatedChain.create({
    seed: 'rpc',
    chainId: 1337,
    head: 1000,
    blockTimeMs: 1000,
    headTimestampMs: 1_800_000_000_000,
    eventsPerBlock: 2,
  });
  const server = await startDevchainServer({ chain, ...provider });
  closers.push(() => server.close());
  return { chain, server };
}

// biome-ignore lint/suspicious/noExplicitAny: whatever JSON the server answers; the tests say what it must be
async function post(server: DevchainServer, body: unknown): Promise<any> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const response = await fetch(server.url, { method: 'POST', body: text });
  return response.status === 204 ? undefined : response.json();
}

function call(server: DevchainServer, method: string, ...params: unknown[]) {
  return post(server, { jsonrpc: '2.0', id: 7, method, params });
}

/** A WebSocket client that collects what comes. */
async function connect(server: DevchainServer) {
  const socket = new WebSocket(server.wsUrl);
  const messages: { id?: number; result?: unknown; params?: { result: { number: string; hash: string } } }[] =
    [];
  socket.on('message', (data) => messages.push(JSON.parse(data.toString())));
  closers.push(() => socket.terminate());
  await once(socket, 'open');
  const answer = async (method: string, ...params: unknown[]) => {
    const id = messages.length + 1000;
    socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
    await expect.poll(() => messages.some((message) => message.id === id)).toBe(true);
    return messages.find((message) => message.id === id)!.result;
  };
  const heads = () => messages.flatMap(({ params }) => (params ? [params.result] : []));
  return { socket, answer, heads };
}

test('ethers reads blocks, transactions, receipts and logs without complaint, and they agree', async () => {
  const { chain, server } = await serve();
  const provider = new JsonRpcProvider(server.url, 1337, {
    staticNetwork: true,
    cacheTimeout: -1,
    batchMaxCount: 1,
  });
  closers.push(() => provider.destroy());
  expect(await provider.getBlockNumber()).toBe(1000);
  expect((await provider.getNetwork()).chainId).toBe(1337n);
  expect(await provider.send('net_version', [])).toBe('1337');
  for (const [tag, height] of Object.entries({
    safe: 990,
    finalized: 980,
    latest: 1000,
    pending: 1000,
    earliest: 0,
  }))
    expect((await provider.getBlock(tag))?.number).toBe(height);
  const logs = await provider.getLogs({ fromBlock: 991, toBlock: 'latest' });
  expect(logs.length).toBeGreaterThan(10);
  for (const height of new Set(logs.map(({ blockNumber }) => blockNumber))) {
    const block = (await provider.getBlock(height, true))!;
    expect(block.hash).toBe(chain.block(height)!.hash);
    const receipts = await Promise.all(
      block.transactions.map((hash) => provider.getTransactionReceipt(hash)),
    );
    expect(receipts.flatMap((receipt) => receipt!.logs).map(({ data, index }) => ({ data, index }))).toEqual(
      logs.filter(({ blockNumber }) => blockNumber === height).map(({ data, index }) => ({ data, index })),
    );
    expect(receipts.at(-1)?.cumulativeGasUsed).toBe(block.gasUsed);
    for (const transaction of block.prefetchedTransactions)
      expect((await provider.getTransaction(transaction.hash))?.toJSON()).toEqual(transaction.toJSON());
  }
  expect(await provider.getBlock(1001)).toBeNull();
  expect(await provider.getTransactionReceipt(`0x${'ab'.repeat(32)}`)).toBeNull();
});

test('a log search keeps to its addresses, topics and range', async () => {
  const { server } = await serve();
  const { result: all } = await call(server, 'eth_getLogs', { fromBlock: '0x3d0', toBlock: '0x3e8' });
  const search = async (filter: object) =>
    (await call(server, 'eth_getLogs', { fromBlock: '0x3d0', toBlock: '0x3e8', ...filter })).result;
  const [one, other] = [all[0], all.find((log: { address: string }) => log.address !== all[0].address)];
  const having = (test: (log: { address: string; topics: string[] }) => boolean) => all.filter(test);
  expect(await search({ address: one.address.toUpperCase().replace('0X', '0x') })).toEqual(
    having((log) => log.address === one.address),
  );
  expect(await search({ address: [one.address, other.address] })).toEqual(
    having((log) => [one.address, other.address].includes(log.address)),
  );
  const transfer = all.find((log: { topics: string[] }) => log.topics.length === 3);
  expect(await search({ topics: [transfer.topics[0]] })).toEqual(
    having((log) => log.topics[0] === transfer.topics[0]),
  );
  expect(await search({ topics: [[transfer.topics[0], one.topics[0]]] })).toEqual(
    having((log) => [transfer.topics[0], one.topics[0]].includes(log.topics[0]!)),
  );
  expect(await search({ topics: [null, null, transfer.topics[2]] })).toEqual(
    having((log) => log.topics[2] === transfer.topics[2]),
  );
  expect(await search({ topics: [null, null, null, null] })).toEqual(
    having((log) => log.topics.length === 4),
  );
  expect(await search({ address: [], topics: [[]] })).toEqual(all);
  expect(await search({ fromBlock: '0x3e9', toBlock: '0xfffff' })).toEqual([]);
});

test('logs by the hash of a replaced block are an error, as are a transaction and a block gone with it null', async () => {
  const { chain, server } = await serve();
  const old = chain.block(1000)!;
  expect((await call(server, 'eth_getLogs', { blockHash: old.hash })).result).toBeInstanceOf(Array);
  await call(server, 'devchain_reorg', { depth: 1, newHead: 999 });
  expect(await call(server, 'eth_blockNumber')).toMatchObject({ result: '0x3e7' });
  expect(await call(server, 'eth_getLogs', { blockHash: old.hash })).toMatchObject({
    error: { code: -32000, message: 'unknown block' },
  });
  expect(await call(server, 'eth_getBlockByHash', old.hash, false)).toMatchObject({ result: null });
  for (const { transaction } of old.transactions)
    expect(await call(server, 'eth_getTransactionReceipt', transaction.hash)).toMatchObject({ result: null });
});

test('logs say their block time only where the provider does', async () => {
  const filter = { fromBlock: '0x384', toBlock: 'latest' };
  const [plain, timed] = [await serve({ logTimestamps: false }), await serve()];
  const [without] = (await call(plain.server, 'eth_getLogs', filter)).result;
  const [withTime] = (await call(timed.server, 'eth_getLogs', filter)).result;
  expect(without).not.toHaveProperty('blockTimestamp');
  const block = timed.chain.block(Number(withTime.blockNumber))!;
  expect(Number(withTime.blockTimestamp)).toBe(block.timestamp);
});

test('a provider with limits refuses wide ranges, many results and long batches in the words of real ones', async () => {
  const { server } = await serve({ maxRange: 500, maxResults: 100, maxBatch: 2 });
  const search = (from: string, to: string) => call(server, 'eth_getLogs', { fromBlock: from, toBlock: to });
  expect(await search('0x0', '0x1f4')).toMatchObject({
    error: { code: -32701, message: 'exceed maximum block range: 500' },
  });
  const { error } = await search('0x0', '0x1f3');
  expect(error).toMatchObject({
    code: -32005,
    message: expect.stringMatching(/^query returned more than 100 results/),
  });
  expect(error.message).toContain(`[${error.data.from}, ${error.data.to}]`);
  const { result } = await search(error.data.from, error.data.to);
  expect(result.length).toBeGreaterThan(50);
  const request = { jsonrpc: '2.0', id: 1, method: 'eth_chainId' };
  expect(await post(server, [request, request, request])).toMatchObject({ error: { code: -32600 } });
  expect(await post(server, [request, request])).toHaveLength(2);
});

test('a batch is answered as a batch, notifications are not answered, and each bad request has its error', async () => {
  const { server } = await serve();
  expect(
    await post(server, [
      { jsonrpc: '2.0', id: 'a', method: 'eth_chainId' },
      { jsonrpc: '2.0', method: 'eth_chainId' },
      { jsonrpc: '2.0', id: 2, method: 'eth_mining' },
      5,
    ]),
  ).toEqual([
    { jsonrpc: '2.0', id: 'a', result: '0x539' },
    { jsonrpc: '2.0', id: 2, error: { code: -32601, message: expect.stringContaining('eth_mining') } },
    { jsonrpc: '2.0', id: null, error: { code: -32600, message: 'invalid request' } },
  ]);
  expect(await post(server, { jsonrpc: '2.0', method: 'eth_chainId' })).toBeUndefined();
  expect(await post(server, '{')).toMatchObject({ error: { code: -32700 } });
  expect(await post(server, [])).toMatchObject({ error: { code: -32600 } });
  expect((await fetch(server.url)).status).toBe(405);
});

test.each([
  ['eth_getBlockByNumber', ['newest', false]],
  ['eth_getBlockByNumber', ['0x01', false]],
  ['eth_getBlockByHash', ['0x12', false]],
  ['eth_getLogs', []],
  ['eth_getLogs', [{ address: '0x12' }]],
  ['eth_getLogs', [{ topics: ['0x12'] }]],
  ['eth_getLogs', [{ topics: [null, null, null, null, null] }]],
  ['eth_getLogs', [{ fromBlock: '0x2', toBlock: '0x1' }]],
  ['eth_getLogs', [{ blockHash: `0x${'0'.repeat(64)}`, fromBlock: '0x1' }]],
  ['devchain_mine', [0]],
  ['devchain_mine', ['many']],
  ['devchain_reorg', [{ depth: 0 }]],
  ['devchain_reorg', [{ depth: 21 }]],
  ['devchain_reorg', [{ depth: 2, newHead: 997 }]],
  ['devchain_returnTo', [{ head: 5, segments: [] }]],
])('wrong parameters are refused and change nothing: %s %j', async (method, params) => {
  const { chain, server } = await serve();
  const before = chain.state();
  expect(await call(server, method, ...params)).toMatchObject({ error: { code: -32602 } });
  expect(chain.state()).toEqual(before);
});

test('another process can mine, reorg below finality by force, and go back to where it was', async () => {
  const { chain, server } = await serve();
  expect(await call(server, 'devchain_mine', 5)).toMatchObject({ result: 1005 });
  const { result: state } = await call(server, 'devchain_state');
  expect(state).toEqual(chain.state());
  const final = chain.block(chain.finalized)!.hash;
  expect(await call(server, 'devchain_reorg', { depth: 30, newHead: 1006, force: true })).toMatchObject({
    result: 975,
  });
  expect(chain.block(985)!.hash).not.toBe(final);
  const { head, segments } = state;
  expect(await call(server, 'devchain_returnTo', { head, segments })).toMatchObject({
    error: { code: -32602 },
  });
  expect(await call(server, 'devchain_returnTo', { head, segments, force: true })).toMatchObject({
    result: 975,
  });
  expect(chain.block(985)!.hash).toBe(final);
});

test('a subscriber gets every new head, and after a reorg the heads of the new branch, until it unsubscribes', async () => {
  const { chain, server } = await serve();
  const { answer, heads } = await connect(server);
  const hashesFrom = (from: number) =>
    Array.from({ length: chain.head - from + 1 }, (_, index) => chain.block(from + index)!.hash);
  const id = await answer('eth_subscribe', 'newHeads');
  chain.mine(3);
  const expected = hashesFrom(1001);
  await expect.poll(() => heads().map(({ hash }) => hash)).toEqual(expected);
  chain.reorg({ depth: 2, newHead: 1004 });
  expected.push(...hashesFrom(1002));
  await expect.poll(() => heads().map(({ hash }) => hash)).toEqual(expected);
  expect(heads().map(({ number }) => Number(number))).toEqual([1001, 1002, 1003, 1002, 1003, 1004]);
  expect(await answer('eth_unsubscribe', id)).toBe(true);
  chain.mine();
  expect(await answer('eth_blockNumber')).toBe('0x3ed');
  expect(heads()).toHaveLength(6);
});

test('subscriptions need a WebSocket, and only newHeads exist', async () => {
  const { server } = await serve();
  expect(await call(server, 'eth_subscribe', 'newHeads')).toMatchObject({ error: { code: -32601 } });
  const { answer } = await connect(server);
  expect(await answer('eth_subscribe', 'logs', {})).toBeUndefined();
  expect(await answer('eth_unsubscribe', '0x1')).toBe(false);
});

test('closing the server cuts open connections', async () => {
  const { server } = await serve();
  const { socket } = await connect(server);
  const cut = once(socket, 'close');
  await server.close();
  closers.splice(0, 1);
  await cut;
  await expect(fetch(server.url)).rejects.toThrow();
});
