import { toQuantity } from 'ethers';
import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import { ChainClient, RpcUnavailable } from '#libs/chain/chain-client.js';
import { blockHash, blocksUpTo, FILTER, rawBlock, rawLog } from './services/recorded-blocks.js';
import { type Answering, type ArrivedCall, byMethod, RecordedRpc } from './services/recorded-rpc.js';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

interface Behaviour {
  /** Oldest block whose logs it has. */
  readonly since?: number;
  /** Blocks per request at most. */
  readonly widest?: number;
}

interface LogQuery {
  readonly fromBlock: string;
  readonly toBlock: string;
}

/** A node of 2,000 blocks. */
function nodeOf({ since = 0, widest = 10_000 }: Behaviour = {}): Answering {
  return byMethod({
    eth_chainId: () => '0x7',
    eth_getBlockByNumber: blocksUpTo(2_000),
    eth_getLogs: ({ fromBlock, toBlock }: LogQuery) => {
      if (Number(fromBlock) < since) return new Error('pruned history unavailable');
      if (Number(toBlock) - Number(fromBlock) >= widest) return new Error(`block range exceeds ${widest}`);
      return [];
    },
  });
}

async function node(behaviour?: Behaviour): Promise<RecordedRpc> {
  const rpc = await RecordedRpc.start(nodeOf(behaviour));
  open.push({ close: () => rpc.stop() });
  return rpc;
}

function clientOf(rpcs: RecordedRpc[], now: () => number = () => 0): ChainClient {
  const urls = rpcs.map(({ url }) => url);
  const client = new ChainClient({
    chainId: 7,
    urls,
    batchSize: 100,
    logger: pino({ level: 'silent' }),
    now,
  });
  open.push(client);
  return client;
}

/** Reads history from a block on. @returns the last block that was read. */
async function read(client: ChainClient, from: number, last = from + 99): Promise<number> {
  return (await client.use((endpoint) => endpoint.logsFrom(from, last, FILTER), { from })).to;
}
const asked = (rpc: RecordedRpc) =>
  rpc.calls('eth_getLogs').map(({ params: [query] }) => Number((query as LogQuery).fromBlock));

test('a backfill costs an endpoint without history a refusal now and then, not one per range', async () => {
  let clock = 0;
  const [pruned, archive] = [await node({ since: 1_200 }), await node()];
  const client = clientOf([pruned, archive], () => clock);
  for (let from = 0; from < 1_000; from += 100) expect(await read(client, from)).toBe(from + 99);
  expect(asked(pruned)).toEqual([0]);
  expect(asked(archive)).toHaveLength(10);
  // the second refusal makes the wait twice as long
  clock += 37_501;
  await read(client, 1_000);
  clock += 44_999;
  await read(client, 1_100);
  expect(asked(pruned)).toEqual([0, 1_000]);
  // the backfill has come to what it has: it does the work again, also for a range that is planned anew
  clock += 30_002;
  for (const from of [1_200, 1_300, 1_250]) await read(client, from);
  expect(asked(pruned)).toEqual([0, 1_000, 1_200, 1_300, 1_250]);
  expect(asked(archive)).toHaveLength(12);
  // what is older than anything it has served is refused again, and what it has served stays its own
  for (const from of [1_100, 1_000, 1_300]) await read(client, from);
  expect(asked(pruned).slice(5)).toEqual([1_100, 1_300]);
  expect(asked(archive)).toHaveLength(14);
});

test('an endpoint whose history got shorter is left out of what it once served', async () => {
  const [shrinking, archive] = [await node({ since: 500 }), await node()];
  const client = clientOf([shrinking, archive]);
  await read(client, 500);
  shrinking.answering = nodeOf({ since: 900 });
  for (const from of [600, 700, 800]) await read(client, from);
  expect(asked(shrinking)).toEqual([500, 600]);
});

test('where nobody has history, the error says who refused what, and news go on', async () => {
  const [one, other] = [await node({ since: 2_001 }), await node({ since: 2_001 })];
  const client = clientOf([one, other]);
  for (const from of [0, 0, 100]) {
    const error = await read(client, from).catch((failure: unknown) => failure);
    expect(error).toBeInstanceOf(RpcUnavailable);
    expect((error as RpcUnavailable).failures.map(({ kind }) => kind)).toEqual(['archive', 'archive']);
  }
  expect([asked(one), asked(other)]).toEqual([[0], [0]]);
  const headers = await client.use((endpoint) => endpoint.headers(1_999, 2_000));
  expect(headers.map(({ number }) => number)).toEqual([1_999, 2_000]);
});

test('each endpoint keeps the range that it taught, through failover and return', async () => {
  let clock = 0;
  const [first, second] = [await node({ widest: 30 }), await node({ widest: 70 })];
  const client = clientOf([first, second], () => clock);
  expect(await read(client, 0)).toBe(29);
  const healthyFirst = first.answering;
  first.answering = () => ({ status: 502, body: 'Bad Gateway' });
  expect(await read(client, 100)).toBe(169);
  expect(client.status().map(({ rangeSize }) => rangeSize)).toEqual([30, 70]);
  first.answering = healthyFirst;
  clock += 30_000;
  first.requests.length = 0;
  expect(await read(client, 200)).toBe(229);
  expect(asked(first)).toEqual([200]);
  expect(client.status().map(({ rangeSize }) => rangeSize)).toEqual([30, 70]);
});

/** A balancer before two nodes that takes no batches: logs come from one that ends at `logsUpTo`, blocks from one at `head`. */
function balancer({ logsUpTo, head }: { logsUpTo: number; head: number }): Answering {
  const single = byMethod({
    eth_chainId: () => '0x7',
    eth_getBlockByNumber: (block: string) => {
      const number = block === 'latest' ? head : Number(block);
      return number <= head ? rawBlock(number) : null;
    },
    eth_getLogs: ({ fromBlock, toBlock }: LogQuery) =>
      [150, 250]
        .filter((n) => n >= Number(fromBlock) && n <= Math.min(logsUpTo, Number(toBlock)))
        .map((n) => rawLog(n, { blockTimestamp: toQuantity(n) })),
  });
  return (request: ArrivedCall | ArrivedCall[]) =>
    Array.isArray(request) ? { body: { error: 'batch requests are disabled' } } : single(request);
}

test('without batches, logs near the head are not believed, for another node may have answered them', async () => {
  const rpc = await RecordedRpc.start(balancer({ logsUpTo: 200, head: 290 }));
  open.push({ close: () => rpc.stop() });
  const client = clientOf([rpc]);
  // blocks are a second apart: 240 is 50 s below the head, 230 is 60
  await expect(read(client, 141, 240)).rejects.toThrow(
    /takes no batches, so block 240 must be 60 s below its head/,
  );
  expect(await read(client, 141, 230)).toBe(230);
  rpc.answering = balancer({ logsUpTo: 400, head: 400 });
  const logs = await client.use((endpoint) => endpoint.rangeLogs(241, 340, FILTER));
  expect(logs.map(({ blockNumber }) => blockNumber)).toEqual([250]);
});

test('without batches, the head is asked for only when what was seen of it is not far enough', async () => {
  const rpc = await RecordedRpc.start(balancer({ logsUpTo: 1_000, head: 1_000 }));
  open.push({ close: () => rpc.stop() });
  const client = clientOf([rpc]);
  for (let from = 0; from < 900; from += 100) await read(client, from);
  const heads = rpc.calls('eth_getBlockByNumber').filter(({ params: [block] }) => block === 'latest');
  expect(heads).toHaveLength(1);
});

test.each([1, 2])(
  'logs of another chain, which a name leads to for a moment, are never believed, also in batches of %i',
  async (most) => {
    const own = balancer({ logsUpTo: 1_000, head: 1_000 });
    const other = byMethod({ eth_getLogs: () => [] });
    let strays = 1;
    const rpc = await RecordedRpc.start((request) => {
      const calls = [request].flat();
      if (calls.length > most) return own([]);
      // only the logs come from the other chain: its id is asked for when the name leads to ours again
      const answers = calls.map(
        (call) => (call.method === 'eth_getLogs' && strays-- > 0 ? other : own)(call)!.body,
      );
      return { body: Array.isArray(request) ? answers : answers[0] };
    });
    open.push({ close: () => rpc.stop() });
    let clock = 0;
    const client = clientOf([rpc], () => clock);
    await expect(read(client, 141, 230)).rejects.toThrow(/gives other logs each time it is asked/);
    clock += 60_000;
    const logs = await client.use((endpoint) => endpoint.rangeLogs(141, 230, FILTER));
    expect(logs.map(({ blockNumber }) => blockNumber)).toEqual([150]);
  },
);

test('logs whose chain’s id came in another request are not believed, however large batches have become until then', async () => {
  const own = balancer({ logsUpTo: 1_000, head: 1_000 });
  const other = byMethod({ eth_getLogs: () => [] });
  let most = 2;
  let strays = 1;
  let otherReads: Promise<unknown> | null = null;
  const answering = async (request: ArrivedCall | ArrivedCall[]) => {
    const calls = [request].flat();
    if (calls.length > most) return own([]);
    if (most === 2 && calls.some(({ method }) => method === 'eth_chainId') && strays === 0) {
      most = 100;
      // what else is asked for meanwhile finds that batches are taken
      otherReads ??= client.use(async (endpoint) => {
        for (let i = 0; i < 20; i++) await endpoint.headersAt([1, 2, 3, 4]);
      });
      await otherReads;
    }
    const answers = calls.map(
      (call) => (call.method === 'eth_getLogs' && strays-- > 0 ? other : own)(call)!.body,
    );
    return { body: Array.isArray(request) ? answers : answers[0] };
  };
  // it is waited for
  const rpc = await RecordedRpc.start(answering as unknown as Answering);
  open.push({ close: () => rpc.stop() });
  const client = clientOf([rpc]);
  await expect(read(client, 141, 230)).rejects.toThrow(/gives other logs each time it is asked/);
  expect(otherReads).not.toBe(null);
});

const anchor = { number: 1_500, hash: blockHash(1_500), otherwise: 'other_final_block' } as const;

test.each([
  ['another block', rawBlock(1_500, [], { hash: blockHash(1_500, 'b') }), 'other_final_block'],
  ['no block', null, 'head_behind'],
])(
  'where an endpoint has %s in the place of the final one, the next one is asked',
  async (_, shown, kind) => {
    const [astray, well] = [await node(), await node()];
    astray.answering = byMethod({
      eth_chainId: () => '0x7',
      eth_getBlockByNumber: (block: string) => (Number(block) === 1_500 ? shown : rawBlock(Number(block))),
      eth_getLogs: () => [],
    });
    const kinds: string[] = [];
    const client = clientOf([astray, well]);
    const { to } = await client.use(async (endpoint) => {
      const reading = endpoint.logsFrom(0, 99, FILTER, anchor);
      await reading.catch((error: { kind: string }) => kinds.push(error.kind));
      return reading;
    });
    expect([to, kinds]).toEqual([99, [kind]]);
    expect(asked(well)).toEqual([0]);
    const alone = clientOf([astray]);
    const last = alone.use((endpoint) => endpoint.rangeLogs(1_401, 1_500, FILTER, anchor));
    await expect(last).rejects.toMatchObject({ failures: [{ kind }] });
  },
);

test('the final block comes in the batch of the logs, and costs nothing where the range ends with it', async () => {
  const rpc = await node();
  const client = clientOf([rpc]);
  await client.use((endpoint) => endpoint.rangeLogs(1_401, 1_499, FILTER, anchor));
  await client.use((endpoint) => endpoint.rangeLogs(1_401, 1_500, FILTER, anchor));
  const methods = rpc.requests.map((request) => [request].flat().map(({ method }) => method));
  const [logs, block, chain] = ['eth_getLogs', 'eth_getBlockByNumber', 'eth_chainId'];
  expect(methods.slice(1)).toEqual([
    [logs, block, chain, block],
    [logs, block, chain],
  ]);
});

test('where the final block doesn’t fit into the batch of the logs, they are read again after it', async () => {
  const single = nodeOf();
  const refusal = { body: { error: 'batch too large' } };
  const rpc = await RecordedRpc.start((request) => ([request].flat().length > 3 ? refusal : single(request)));
  open.push({ close: () => rpc.stop() });
  const client = clientOf([rpc]);
  await client.use((endpoint) => endpoint.rangeLogs(0, 99, FILTER, anchor));
  expect(rpc.requests.at(-1)).toMatchObject({ method: 'eth_getLogs' });
  expect(asked(rpc)).toHaveLength(3);
});
