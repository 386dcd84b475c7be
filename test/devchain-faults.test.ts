import { once } from 'node:events';
import { toQuantity } from 'ethers';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { SimulatedChain } from '#apps/devchain/chain.js';
import { type FaultKind, type FaultOptions, Faults, faultKinds } from '#apps/devchain/faults.js';
import { startDevchainServer } from '#apps/devchain/server.js';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const HEAD = 200;
const FINAL = 180;

// biome-ignore lint/suspicious/noExplicitAny: whatever JSON the server answers; the tests say what it must be
type Json = any;

/** An endpoint whose every request meets one kind of fault, and one without any, of the same chain. */
async function serve(kind: FaultKind, options: FaultOptions = {}) {
  const chain = SimulatedChain.create({
    seed: 'faults',
    chainId: 1337,
    head: HEAD,
    blockTimeMs: 1000,
    headTimestampMs: 1_800_000_000_000,
    eventsPerBlock: 3,
  });
  const faults = new Faults('test', { [kind]: 1 }, options);
  const [faulty, plain] = [
    await startDevchainServer({ chain, faults }),
    await startDevchainServer({ chain }),
  ];
  closers.push(
    () => faulty.close(),
    () => plain.close(),
  );
  const post = (url: string) => (calls: Json) =>
    fetch(url, { method: 'POST', body: JSON.stringify(calls), signal: AbortSignal.timeout(5_000) });
  const send = post(faulty.url);
  const ask = async (calls: Json) => (await send(calls)).json() as Promise<Json>;
  const truth = async (calls: Json) => (await post(plain.url)(calls)).json() as Promise<Json>;
  return { chain, faults, faulty, send, ask, truth };
}

let nextId = 1;
const call = (method: string, ...params: unknown[]) => ({ jsonrpc: '2.0', id: nextId++, method, params });
const blockCall = (block: number | string) =>
  call('eth_getBlockByNumber', typeof block === 'number' ? toQuantity(block) : block, false);
const logsCall = (from: number, to: number) =>
  call('eth_getLogs', { fromBlock: toQuantity(from), toBlock: toQuantity(to) });
const heightsOf = (logs: Json[]) => [...new Set(logs.map((log) => Number(log.blockNumber)))];

describe('a request may meet', () => {
  test.each([
    ['http_429', 429],
    ['http_429_retry_after', 429],
    ['http_500', 500],
    ['http_502', 502],
    ['http_503', 503],
    ['html_200', 200],
  ] as const)('%s: that status, and no answer to the call', async (kind, status) => {
    const { send, faults } = await serve(kind);
    const response = await send(call('eth_blockNumber'));
    expect(response.status).toBe(status);
    expect(response.headers.get('retry-after')).toBe(kind === 'http_429_retry_after' ? '1' : null);
    expect(await response.text()).not.toContain('"result"');
    expect([...faults.counts]).toEqual([[kind, 1]]);
  });

  test('reset: the connection is cut', async () => {
    const { send } = await serve('reset');
    await expect(send(call('eth_blockNumber'))).rejects.toThrow('fetch failed');
  });

  test('timeout: silence until the client gives up', async () => {
    const { faulty, faults } = await serve('timeout');
    const giveUp = new AbortController();
    const body = JSON.stringify(call('eth_blockNumber'));
    const asked = fetch(faulty.url, { method: 'POST', body, signal: giveUp.signal });
    await expect.poll(() => faults.counts.get('timeout')).toBe(1);
    // another request is answered meanwhile
    faults.rates = {};
    const other = fetch(faulty.url, { method: 'POST', body });
    expect((await Promise.race([asked, other])) === (await other)).toBe(true);
    giveUp.abort();
    await expect(asked).rejects.toThrow('aborted');
  });

  test('truncated_json: a part of the answer', async () => {
    const { send, truth } = await serve('truncated_json');
    const asked = logsCall(100, 110);
    const text = await (await send(asked)).text();
    const whole = JSON.stringify(await truth(asked));
    expect(whole.startsWith(text)).toBe(true);
    expect(text.length).toBeLessThan(whole.length);
  });

  test('rate_limit_error: status 200 and an error to each call', async () => {
    const { ask } = await serve('rate_limit_error');
    for (const { error } of await ask([blockCall(1), blockCall(2)]))
      expect(error.message).toMatch(/limit|throughput|exceeded/);
  });

  test('batch_out_of_order, batch_partly, batch_as_object: a batch that comes back in another shape', async () => {
    const asked = [blockCall(1), blockCall(2), blockCall(3)];
    const shapes = new Map<string, Json>();
    for (const kind of ['batch_out_of_order', 'batch_partly', 'batch_as_object'] as const)
      shapes.set(kind, await (await serve(kind)).ask(asked));
    const ids = asked.map(({ id }) => id);
    expect(shapes.get('batch_out_of_order').map(({ id }: Json) => id)).toEqual(ids.toReversed());
    expect(shapes.get('batch_partly')).toHaveLength(2);
    expect(shapes.get('batch_as_object').error.code).toBe(-32600);
  });

  test('null_block, null_logs: null in the place of what is there', async () => {
    expect((await (await serve('null_block')).ask(blockCall(10))).result).toBeNull();
    expect((await (await serve('null_logs')).ask(logsCall(10, 20))).result).toBeNull();
  });

  test('no_finalized_tag, null_finalized_tag: a node that does not know the tag', async () => {
    const [latest, refused] = await (await serve('no_finalized_tag')).ask([
      blockCall('latest'),
      blockCall('finalized'),
    ]);
    expect(Number(latest.result.number)).toBe(HEAD);
    expect(refused.error.message).toContain('ParseUint');
    expect((await (await serve('null_finalized_tag')).ask(blockCall('finalized'))).result).toBeNull();
  });

  test('range_limit: a refusal that ends with a shorter range', async () => {
    const { ask } = await serve('range_limit', { maxRange: 40 });
    expect((await ask(logsCall(100, 140))).error.message).toMatch(/range|blocks|params/);
    expect((await ask(logsCall(100, 139))).result.length).toBeGreaterThan(0);
  });

  test('result_limit: a refusal that ends with fewer results', async () => {
    const { ask } = await serve('result_limit', { maxResults: 10 });
    expect((await ask(logsCall(100, 140))).error.message).toMatch(/results|logs|large|limit/);
    expect((await ask(logsCall(100, 100))).result).toBeDefined();
  });

  test('lying_suggestion: a refusal with a range that is of no use', async () => {
    const { ask } = await serve('lying_suggestion');
    const { error } = await ask(logsCall(100, 140));
    const [from, to] = /(0x[0-9a-f]+|\d+)[^0-9a-fx]+(0x[0-9a-f]+|\d+)\]?\.?$/i
      .exec(error.message)!
      .slice(1)
      .map(Number);
    expect(from === 100 && to! < 140 && to! >= 100).toBe(false);
  });

  test('head_backwards: a head some blocks lower, and no block above it', async () => {
    const { ask } = await serve('head_backwards', { maxLag: 3 });
    const [latest, newest] = await ask([blockCall('latest'), blockCall(HEAD)]);
    expect(Number(latest.result.number)).toBeGreaterThanOrEqual(HEAD - 3);
    expect(newest.result).toBeNull();
  });

  test('clamped_range, empty_beyond_head, error_beyond_head: a node that lacks some of the blocks, and shows it', async () => {
    const asked = [logsCall(150, 190), blockCall(190)];
    const whole = heightsOf((await (await serve('clamped_range')).truth(asked))[0].result);
    const [clamped, lacking] = await (await serve('clamped_range')).ask(asked);
    expect(whole.slice(0, heightsOf(clamped.result).length)).toEqual(heightsOf(clamped.result));
    expect(heightsOf(clamped.result).length).toBeLessThan(whole.length);
    expect(lacking.result).toBeNull();
    const [empty, alsoLacking] = await (await serve('empty_beyond_head')).ask(asked);
    expect([empty.result, alsoLacking.result]).toEqual([[], null]);
    const [refused] = await (await serve('error_beyond_head')).ask(asked);
    expect(refused.error.message).toMatch(/head|after last accepted|not yet available|requested block yet/);
  });

  test('empty_beyond_head by hash: no logs of a block that has some, and no such block', async () => {
    const { chain, ask, truth } = await serve('empty_beyond_head');
    const { hash } = chain.block(195)!;
    const asked = [call('eth_getLogs', { blockHash: hash }), call('eth_getBlockByHash', hash, false)];
    expect((await truth(asked))[0].result.length).toBeGreaterThan(0);
    expect((await ask(asked)).map(({ result }: Json) => result)).toEqual([[], null]);
  });

  test('lagging_index: blocks whose logs are missing, though none that is final', async () => {
    const { ask, truth } = await serve('lagging_index', { maxLag: 50 });
    const asked = [logsCall(100, HEAD), blockCall(HEAD)];
    const [partial, newest] = await ask(asked);
    const whole = heightsOf((await truth(asked))[0].result);
    expect(Number(newest.result.number)).toBe(HEAD);
    expect(heightsOf(partial.result).length).toBeLessThan(whole.length);
    expect(whole.filter((height) => height <= FINAL)).toEqual(
      heightsOf(partial.result).filter((height) => height <= FINAL),
    );
  });

  test('other_block_hash: logs of another branch, never of final blocks', async () => {
    const { chain, ask, truth } = await serve('other_block_hash');
    const asked = call('eth_getLogs', { blockHash: chain.block(195)!.hash });
    const hashes = (await ask(asked)).result.map((log: Json) => log.blockHash);
    expect(hashes).not.toEqual((await truth(asked)).result.map((log: Json) => log.blockHash));
    const final = logsCall(100, FINAL);
    expect((await ask(final)).result).toEqual((await truth(final)).result);
  });

  test('removed_logs: logs that are marked so among the others', async () => {
    const { ask } = await serve('removed_logs');
    const marks = new Set((await ask(logsCall(190, HEAD))).result.map((log: Json) => log.removed));
    expect(marks).toEqual(new Set([true, false]));
  });
});

describe('for a while', () => {
  const forEver = { lastingMs: 1_000_000 };

  test('behind: head, finality, blocks and logs are those of some blocks ago, in every request', async () => {
    const { chain, faults, ask } = await serve('behind', forEver);
    const head = Number((await ask(call('eth_blockNumber'))).result);
    expect(head).toBeLessThan(HEAD);
    expect(Number((await ask(blockCall('finalized'))).result.number)).toBe(FINAL - (HEAD - head));
    expect(heightsOf((await ask(logsCall(150, HEAD))).result).at(-1)).toBeLessThanOrEqual(head);
    expect((await ask(call('eth_getLogs', { blockHash: chain.block(HEAD)!.hash }))).result).toEqual([]);
    chain.mine(3);
    expect(Number((await ask(call('eth_blockNumber'))).result)).toBe(head + 3);
    expect(faults.counts.get('behind')).toBe(1);
  });

  test('old_branch: the node keeps to what the last reorg replaced, until finality passes the fork', async () => {
    const { chain, faults, ask } = await serve('old_branch', forEver);
    const before = chain.block(HEAD)!.hash;
    expect((await ask(blockCall('latest'))).result.hash).toBe(before);
    chain.reorg({ depth: 4, newHead: HEAD + 2 });
    expect((await ask(blockCall('latest'))).result.hash).toBe(before);
    expect(faults.counts.get('old_branch')).toBe(1);
    chain.mine(30);
    expect((await ask(blockCall('latest'))).result.hash).toBe(chain.block(chain.head)!.hash);
  });

  test('wrong_chain: another chain with logs of the same contract', async () => {
    const { chain, faults, ask } = await serve('wrong_chain', forEver);
    expect(Number((await ask(call('eth_chainId'))).result)).not.toBe(chain.chainId);
    const logs = (await ask(logsCall(100, 120))).result;
    expect(logs.some((log: Json) => log.address === chain.address)).toBe(true);
    expect(chain.blockByHash(logs[0].blockHash)).toBeUndefined();
    faults.rates = {};
    expect(Number((await ask(call('eth_chainId'))).result)).toBe(chain.chainId);
  });
});

test('faults befall about as many requests as their rates say, the same ones for the same seed, and are counted', async () => {
  const kinds = ['http_500', 'null_block', 'batch_partly'] as const;
  const told = await Promise.all(
    ['one', 'one', 'other'].map(async (seed) => {
      const faults = new Faults(seed, { http_500: 0.1, null_block: 0.2, batch_partly: 0.3 });
      return Array.from({ length: 1_000 }, () => faults.pick(kinds));
    }),
  );
  expect(told[1]).toEqual(told[0]);
  expect(told[2]).not.toEqual(told[0]);
  const count = (kind: string) => told[0]!.filter((one) => one === kind).length;
  expect(count('http_500')).toBeGreaterThan(60);
  expect(count('http_500')).toBeLessThan(140);
  expect(count('batch_partly')).toBeGreaterThan(240);
  expect(told[0]!.filter((one) => one === undefined).length).toBeGreaterThan(330);
});

test('every kind changes what some client sees, and with no rates nothing happens any more', async () => {
  for (const kind of faultKinds.filter((one) => one !== 'timeout')) {
    const { chain, faults, send, ask } = await serve(kind, { maxRange: 10, maxResults: 5 });
    const asked = [logsCall(150, HEAD - 2), blockCall(HEAD - 2), blockCall('finalized')];
    await send(asked).catch(() => {});
    chain.reorg({ depth: 3 });
    await send(asked).catch(() => {});
    expect(faults.counts.get(kind), kind).toBeGreaterThan(0);
    faults.rates = {};
    const before = faults.counts.get(kind);
    expect(await ask(call('eth_blockNumber'))).toMatchObject({ result: toQuantity(HEAD) });
    expect(faults.counts.get(kind)).toBe(before);
  }
});

test('calls that steer the chain meet no faults', async () => {
  const { ask } = await serve('http_500');
  expect((await ask(call('devchain_mine', 2))).result).toBe(HEAD + 2);
});

test('over a WebSocket answers are cut short, withheld, or the connection is cut', async () => {
  const { faults, faulty } = await serve('truncated_json');
  const socket = new WebSocket(faulty.wsUrl);
  closers.push(() => socket.terminate());
  await once(socket, 'open');
  const heard: string[] = [];
  socket.on('message', (data) => heard.push(data.toString()));
  socket.send(JSON.stringify(blockCall(1)));
  await expect.poll(() => heard.length).toBe(1);
  expect(() => JSON.parse(heard[0]!)).toThrow();
  faults.rates = { timeout: 1 };
  socket.send(JSON.stringify(blockCall(2)));
  await expect.poll(() => faults.counts.get('timeout')).toBe(1);
  faults.rates = { reset: 1 };
  socket.send(JSON.stringify(blockCall(3)));
  await once(socket, 'close');
  expect(heard).toHaveLength(1);
});
