import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import { ChainClient, RpcUnavailable, WrongChain } from '#libs/chain/chain-client.js';
import { Endpoint } from '#libs/chain/endpoint.js';
import { EndpointHealth } from '#libs/chain/endpoint-health.js';
import { RpcError } from '#libs/chain/rpc-error.js';
import { startAnvil } from './services/anvil.js';
import { blocksUpTo } from './services/recorded-blocks.js';
import { byMethod, RecordedRpc } from './services/recorded-rpc.js';
import { until } from './services/until.js';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

const nodeOf = (chainId: number, head = 10) =>
  byMethod({
    eth_chainId: () => `0x${chainId.toString(16)}`,
    eth_getBlockByNumber: blocksUpTo(head),
    eth_subscribe: () => '0x1',
  });

async function node(chainId = 7, head = 10): Promise<RecordedRpc> {
  const rpc = await RecordedRpc.start(nodeOf(chainId, head));
  open.push({ close: () => rpc.stop() });
  return rpc;
}

function clientOf(urls: string[], now?: () => number): ChainClient {
  const logger = pino({ level: 'silent' });
  const client = new ChainClient({ chainId: 7, urls, batchSize: 100, logger, now });
  open.push(client);
  return client;
}

const hostOf = (url: string) => new URL(url).host;
/** The host that does work which asks for a block. */
const hostFor = (client: ChainClient, block = 5) =>
  client.use(async (endpoint) => {
    await endpoint.headers(block, block);
    return endpoint.host;
  });

test('the first endpoint does the work, and again as soon as it has recovered', async () => {
  const [first, second] = [await node(), await node()];
  const client = clientOf([first.url, second.url]);
  expect(await hostFor(client)).toBe(hostOf(first.url));
  first.answering = () => ({ status: 502, body: 'Bad Gateway' });
  expect(await hostFor(client)).toBe(hostOf(second.url));
  const well = { healthy: true, reason: null, rangeSize: 100, servesHistory: true };
  expect(client.status()).toEqual([
    { ...well, host: hostOf(first.url), healthy: false, reason: expect.stringContaining('HTTP 502') },
    { ...well, host: hostOf(second.url) },
  ]);
  first.answering = nodeOf(7);
  await until('the first endpoint', async () => (await hostFor(client)) === hostOf(first.url));
  expect(client.status()[0]).toEqual({ ...well, host: hostOf(first.url) });
});

test('requests that fail together are one failure: the endpoint is back as soon as after one', async () => {
  let clock = 0;
  const [first, second] = [await node(), await node()];
  const client = clientOf([first.url, second.url], () => clock);
  await hostFor(client);
  first.answering = () => ({ status: 502, body: 'Bad Gateway' });
  await Promise.all(Array.from({ length: 8 }, () => hostFor(client)));
  first.answering = nodeOf(7);
  clock += 626;
  expect(await hostFor(client)).toBe(hostOf(first.url));
});

test.each([
  [120, 119_999, 120_001],
  [86_400, 299_999, 300_001],
])('a Retry-After of %d s is kept, but for no longer than 5 minutes', async (seconds, before, after) => {
  let clock = 0;
  const [first, second] = [await node(), await node()];
  const client = clientOf([first.url, second.url], () => clock);
  await hostFor(client);
  first.answering = () => ({ status: 503, headers: { 'retry-after': String(seconds) }, body: 'later' });
  await hostFor(client);
  first.answering = nodeOf(7);
  clock = before;
  expect(await hostFor(client)).toBe(hostOf(second.url));
  clock = after;
  expect(await hostFor(client)).toBe(hostOf(first.url));
});

test('an endpoint that fails again and again rests ever longer', async () => {
  let clock = 0;
  const only = await node();
  const client = clientOf([only.url], () => clock);
  await hostFor(client);
  only.answering = () => ({ status: 503, body: '' });
  const asked = only.requests.length;
  for (let second = 0; second < 60; second++) {
    await expect(hostFor(client)).rejects.toThrow(RpcUnavailable);
    clock += 1_000;
  }
  expect(only.requests.length - asked).toBeLessThan(10);
});

test('of all who wait for an endpoint that was away, it is asked one question at a time', async () => {
  let clock = 0;
  const only = await node();
  const client = clientOf([only.url], () => clock);
  await hostFor(client);
  only.answering = () => ({ status: 503, body: '' });
  await expect(hostFor(client)).rejects.toThrow(RpcUnavailable);
  const asked = only.requests.length;
  clock += 1_000;
  await Promise.allSettled(Array.from({ length: 8 }, () => hostFor(client)));
  expect(only.requests.length - asked).toBe(1);
});

test('when no endpoint is left, each one says why', async () => {
  const [first, second] = [await node(), await node()];
  const client = clientOf([first.url, second.url]);
  await hostFor(client);
  first.answering = () => ({ status: 503, body: 'down' });
  second.answering = () => ({
    body: { id: null, error: { message: 'Unauthorized: You must authenticate' } },
  });
  const error = await hostFor(client).catch((failure: unknown) => failure);
  expect(error).toBeInstanceOf(RpcUnavailable);
  const { message, failures } = error as RpcUnavailable;
  expect(failures.map(({ kind }) => kind)).toEqual(['transient', 'auth']);
  for (const words of [hostOf(first.url), 'HTTP 503', hostOf(second.url), 'must authenticate']) {
    expect(message).toContain(words);
  }
});

test('an endpoint that asks for rest gets it', async () => {
  const [first, second] = [await node(), await node()];
  const client = clientOf([first.url, second.url]);
  await hostFor(client);
  first.answering = () => ({ status: 429, headers: { 'retry-after': '120' }, body: 'slow down' });
  await hostFor(client);
  first.answering = nodeOf(7);
  const asked = first.requests.length;
  second.answering = () => ({ status: 500, body: '' });
  // the second's rest is over within seconds, the first's isn't
  await expect(hostFor(client)).rejects.toThrow(RpcUnavailable);
  second.answering = nodeOf(7);
  await until('the second endpoint', () => hostFor(client));
  expect(first.requests).toHaveLength(asked);
});

/** Lets work begin on the endpoint that is asked first, and end when told to. */
async function workUnderWay(client: ChainClient): Promise<() => Promise<void>> {
  const [begun, end] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const done = client.use(() => {
    begun.resolve();
    return end.promise;
  });
  await begun.promise;
  return () => {
    end.resolve();
    return done;
  };
}

test('work that was under way when an endpoint asked for rest doesn’t end the rest by its success', async () => {
  let clock = 0;
  const [first, second] = [await node(), await node()];
  const client = clientOf([first.url, second.url], () => clock);
  await hostFor(client);
  const endOlder = await workUnderWay(client);
  first.answering = () => ({ status: 429, headers: { 'retry-after': '120' }, body: 'slow down' });
  expect(await hostFor(client)).toBe(hostOf(second.url));
  first.answering = nodeOf(7);
  await endOlder();
  const asked = first.requests.length;
  expect(await hostFor(client)).toBe(hostOf(second.url));
  expect(first.requests).toHaveLength(asked);
  expect(client.status()[0]).toMatchObject({ healthy: false, reason: expect.stringContaining('429') });
  clock = 120_001;
  expect(await hostFor(client)).toBe(hostOf(first.url));
  expect(client.status()[0]).toMatchObject({ healthy: true, reason: null });
});

test('rests grow though work that began before each failure goes well', async () => {
  let clock = 0;
  const only = await node();
  const client = clientOf([only.url], () => clock);
  await hostFor(client);
  const asked = only.requests.length;
  const ends = await Promise.all(Array.from({ length: 60 }, () => workUnderWay(client)));
  only.answering = () => ({ status: 503, body: '' });
  for (const endOlder of ends) {
    await expect(hostFor(client)).rejects.toThrow(RpcUnavailable);
    await endOlder();
    clock += 1_000;
  }
  expect(only.requests.length - asked).toBeLessThan(10);
});

test('a chain id that was asked for before a failure doesn’t show the chain of the node after it', () => {
  const endpoint = new Endpoint('http://127.0.0.1', 100);
  open.push(endpoint);
  const health = new EndpointHealth(endpoint, pino({ level: 'silent' }), () => 0);
  const since = health.failuresSoFar;
  const failure = { kind: 'transient', host: endpoint.host, method: 'eth_getLogs', message: 'gone' } as const;
  health.failed(new RpcError(failure));
  health.verified(since);
  expect(health.isVerified).toBe(false);
  health.verified(health.failuresSoFar);
  expect(health.isVerified).toBe(true);
});

test('an endpoint that is behind is asked last and is not ill', async () => {
  const [behind, ahead] = [await node(7, 3), await node(7, 10)];
  const client = clientOf([behind.url, ahead.url]);
  expect(await hostFor(client, 5)).toBe(hostOf(ahead.url));
  expect(client.status()[0]).toMatchObject({ healthy: true });
  const asked = behind.requests.length;
  expect(await hostFor(client, 5)).toBe(hostOf(ahead.url));
  expect(behind.requests).toHaveLength(asked);
});

test('a request for something old or too much leaves the endpoint free for the newest blocks', async () => {
  const only = await node();
  const client = clientOf([only.url]);
  for (const message of ['missing trie node ab', 'block range is too wide', 'query exceeds max results']) {
    only.answering = byMethod({ eth_chainId: () => '0x7', eth_getBlockByNumber: () => new Error(message) });
    await expect(hostFor(client)).rejects.toThrow(RpcUnavailable);
    only.answering = nodeOf(7);
    expect(await hostFor(client)).toBe(hostOf(only.url));
  }
});

test('an error of the work itself is nobody’s failure', async () => {
  const client = clientOf([(await node()).url]);
  const bug = new RangeError('of the caller');
  await expect(client.use(() => Promise.reject(bug))).rejects.toBe(bug);
  expect(client.status()[0]).toMatchObject({ healthy: true });
});

test('an endpoint of another chain is refused before anything is read from it, though it is only the spare', async () => {
  const anvil = await startAnvil({ args: ['--chain-id', '31338'] });
  open.push({ close: () => anvil.stop() });
  const client = clientOf([(await node()).url, anvil.url]);
  const error = await hostFor(client).catch((failure: unknown) => failure);
  expect(error).toBeInstanceOf(WrongChain);
  expect((error as Error).message).toContain(`${hostOf(anvil.url)} is of chain 31338, not 7`);
});

test('a wrong chain behind the only endpoint is found although it came up late, and waited out', async () => {
  let clock = 0;
  const late = await node();
  const { port, url } = late;
  await late.stop();
  open.pop();
  const client = clientOf([url], () => clock);
  await expect(hostFor(client)).rejects.toThrow(RpcUnavailable);
  const wrong = await RecordedRpc.start(nodeOf(8), port);
  open.push({ close: () => wrong.stop() });
  clock += 1_000;
  const error = await hostFor(client).catch((failure: unknown) => failure);
  expect(error).toBeInstanceOf(RpcUnavailable);
  expect((error as RpcUnavailable).failures).toMatchObject([{ kind: 'wrong_chain' }]);
  expect((error as Error).message).toContain('is of chain 8, not 7');
  expect(wrong.calls('eth_getBlockByNumber')).toEqual([]);
  wrong.answering = nodeOf(7);
  clock += 37_501;
  expect(await hostFor(client)).toBe(hostOf(url));
});

test('an endpoint that never failed shows its chain again every ten minutes', async () => {
  let clock = 0;
  const [first, second] = [await node(), await node()];
  const client = clientOf([first.url, second.url], () => clock);
  await hostFor(client);
  first.answering = nodeOf(8);
  clock += 599_999;
  expect(await hostFor(client)).toBe(hostOf(first.url));
  clock += 2;
  expect(await hostFor(client)).toBe(hostOf(second.url));
  expect(client.status()[0]!.reason).toContain('is of chain 8, not 7');
});

test.each([
  ['HTTP', 'url'],
  ['WebSocket', 'wsUrl'],
] as const)('a node that comes back as another chain is left out (%s)', async (_, url) => {
  const [first, second] = [await node(), await node()];
  const client = clientOf([first[url], second.url]);
  expect(await hostFor(client)).toBe(hostOf(first.url));
  first.answering = () => ({ status: 502, body: '{}' });
  first.cut();
  await hostFor(client);
  first.answering = nodeOf(8);
  await until('a look at the chain behind it', async () => {
    expect(await hostFor(client)).toBe(hostOf(second.url));
    return client.status()[0]!.reason?.includes('is of chain 8');
  });
  expect(first.requests.flat().filter(({ method }) => method !== 'eth_chainId').length).toBeLessThanOrEqual(
    2,
  );
});

test('a WebSocket that broke while idle shows its chain again before it is used', async () => {
  const [first, second] = [await node(), await node()];
  const client = clientOf([first.wsUrl, second.url]);
  await hostFor(client);
  first.answering = nodeOf(8);
  first.cut();
  const asked = first.calls('eth_getBlockByNumber').length;
  await until('a look at the chain behind it', async () => {
    await hostFor(client);
    return client.status()[0]!.reason?.includes('is of chain 8');
  });
  expect(first.calls('eth_getBlockByNumber')).toHaveLength(asked);
});

test('new heads are told by the endpoints that can; without one the caller must poll', async () => {
  const rpc = await node();
  expect(clientOf([rpc.url]).onNewHead(() => {})).toBeNull();
  let heard = 0;
  const stop = clientOf([rpc.url, rpc.wsUrl]).onNewHead(() => heard++);
  await until('a subscription', () => rpc.calls('eth_subscribe').length === 1);
  rpc.tell({ method: 'eth_subscription', params: { subscription: '0x1', result: {} } });
  await until('a head', () => heard === 1);
  stop?.();
});

test('finality is asked by tag only of nodes that know it, and a busy node is not taken for one without it', async () => {
  const rpc = await node();
  const knows = () => clientOf([rpc.url]).use((endpoint) => endpoint.knowsFinalizedTag());
  expect(await knows()).toBe(true);
  const tagAnswers = (answer: unknown) =>
    byMethod({
      eth_chainId: () => '0x7',
      eth_getBlockByNumber: (block: string) => (block === 'finalized' ? answer : blocksUpTo(10)(block)),
    });
  for (const answer of [null, new Error('strconv.ParseUint: parsing "finalized": invalid syntax')]) {
    rpc.answering = tagAnswers(answer);
    expect(await knows()).toBe(false);
  }
  rpc.answering = tagAnswers(new Error('rate limit exceeded'));
  await expect(knows()).rejects.toThrow(/rate limit/);
});

test('one look shows head, finality and heights, with null for what the node lacks', async () => {
  const rpc = await node(7, 20);
  rpc.answering = byMethod({ eth_chainId: () => '0x7', eth_getBlockByNumber: blocksUpTo(20, 12) });
  const client = clientOf([rpc.url]);
  const byTag = await client.use((endpoint) => endpoint.observe([5, 21], { kind: 'tag' }));
  expect([byTag.head.number, byTag.finalized.number, byTag.finalized.header?.number]).toEqual([20, 12, 12]);
  expect([byTag.at.get(5)?.number, byTag.at.get(21)]).toEqual([5, null]);
  const looked = rpc.requests.length;
  const depths = [15, 0, 100].map((confirmations) =>
    client.use((endpoint) => endpoint.observe([], { kind: 'depth', confirmations })),
  );
  const numbers = (await Promise.all(depths)).map(({ finalized }) => [
    finalized.number,
    finalized.header?.number,
  ]);
  expect(numbers).toEqual([
    [5, 5],
    [20, 20],
    [0, 0],
  ]);
  expect(looked).toBe(2);
});

test('a header of another height than asked is refused', async () => {
  const rpc = await node();
  const client = clientOf([rpc.url]);
  await hostFor(client);
  rpc.answering = byMethod({ eth_getBlockByNumber: () => blocksUpTo(10)('0x4') });
  await expect(hostFor(client, 5)).rejects.toThrow(/answered block 4 for block 5/);
});
