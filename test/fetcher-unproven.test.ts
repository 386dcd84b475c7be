import { toQuantity } from 'ethers';
import { afterEach, expect, test } from 'vitest';
import { UnprovenBlocks, type WantedLogs } from '#apps/fetcher/unproven-blocks.js';
import type { AdvanceStatement } from '#libs/broker/messages.js';
import type { ChainClient } from '#libs/chain/chain-client.js';
import type { Leadership } from '#libs/database/ledger.js';
import { type NewsBench, newsBench, type Said } from './services/news-bench.js';
import { blockHash, FILTER, rawBlock, rawLog, timeOf } from './services/recorded-blocks.js';
import { byMethod } from './services/recorded-rpc.js';
import { until } from './services/until.js';

const open: NewsBench[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

const FULL_BLOOM = `0x${'ff'.repeat(256)}`;

/**
 * A chain with full blooms and wanted logs in some blocks; the node's log index ends at `indexed`: by hash and by range it
 * finds nothing above.
 */
class LaggingNode {
  head = 10;
  finalized = 10;
  indexed = Number.POSITIVE_INFINITY;
  /** Blocks that it finds nothing of when asked by hash. */
  blindByHash = new Set<number>();
  /** From this block on it has another branch, without wanted logs. */
  forkedFrom = Number.POSITIVE_INFINITY;

  constructor(private readonly wanted: readonly number[]) {}

  readonly answering = byMethod({
    eth_chainId: () => '0x7',
    eth_getBlockByNumber: (block: string) => {
      const number = block === 'latest' ? this.head : block === 'finalized' ? this.finalized : Number(block);
      if (number > this.head) return null;
      const [hash, parentHash] = [number, number - 1].map((n) => blockHash(n, this.branchOf(n)));
      return rawBlock(number, [], { logsBloom: FULL_BLOOM, hash, parentHash });
    },
    eth_getLogs: (query: { blockHash?: string; fromBlock?: string; toBlock?: string }) => {
      const found = this.wanted.filter((n) => n <= this.indexed && n <= this.head && n < this.forkedFrom);
      const logs = found.map((n) => rawLog(n, { blockTimestamp: toQuantity(timeOf(n)) }));
      return logs.filter(({ blockNumber, blockHash: hash }) =>
        query.blockHash
          ? hash === query.blockHash && !this.blindByHash.has(Number(blockNumber))
          : Number(blockNumber) >= Number(query.fromBlock) && Number(blockNumber) <= Number(query.toBlock),
      );
    },
  });

  private branchOf(number: number): string {
    return number < this.forkedFrom ? 'a' : 'b';
  }
}

/** A leader that follows nodes. */
async function followedBy(
  nodes: readonly LaggingNode[],
  taken: Partial<Leadership> = {},
): Promise<NewsBench> {
  const bench = await newsBench(
    nodes.map(({ answering }) => answering),
    taken,
  );
  open.push(bench);
  return bench;
}

/** Blocks whose last statement has logs. */
function blocksWithLogs(said: readonly Said[]): number[] {
  const last = new Map<number, number>();
  for (const one of said) {
    if (one.kind !== 'advance') continue;
    for (const height of last.keys()) if (height > one.above) last.delete(height);
    for (const { number, logs } of one.blocks) last.set(number, logs.length);
  }
  return [...last].filter(([, count]) => count).map(([number]) => number);
}

test('an event that a lagging log index hid is said before its block counts as final', async () => {
  const node = new LaggingNode([14, 16]);
  const { said, untilFinal } = await followedBy([node]);
  await untilFinal(10);
  node.head = 20;
  node.indexed = 12;
  await until('news', async () => {
    await untilFinal(10);
    return said.some((one) => one.kind === 'advance' && one.blocks.at(-1)!.number === 20);
  });
  expect(blocksWithLogs(said)).toEqual([]);
  node.indexed = 20;
  node.finalized = 15;
  await untilFinal(15);
  const finality = said.findIndex((one) => one.kind === 'finality' && one.number === 15);
  expect(blocksWithLogs(said.slice(0, finality))).toContain(14);
  node.finalized = 20;
  await untilFinal(20);
  expect(blocksWithLogs(said)).toEqual([14, 16]);
});

test('blocks that stay empty are asked for once more in one request, and not said again', async () => {
  const node = new LaggingNode([]);
  const { said, rpcs, untilFinal } = await followedBy([node]);
  node.head = 60;
  await untilFinal(10);
  node.finalized = 60;
  await untilFinal(60);
  const ranges = rpcs[0]!
    .calls('eth_getLogs')
    .filter(({ params: [query] }) => 'fromBlock' in (query as object));
  expect(ranges.map(({ params: [query] }) => query)).toMatchObject([
    { fromBlock: '0xa', toBlock: '0xa' },
    { fromBlock: '0xb', toBlock: '0x3c' },
  ]);
  expect(
    said.filter(({ kind }) => kind === 'advance').flatMap((one) => (one as AdvanceStatement).blocks),
  ).toHaveLength(51);
});

test('a first look whose final block is another one by its number is not said: two nodes have answered', async () => {
  const node = new LaggingNode([]);
  const { said, rpcs, step } = await followedBy([node]);
  const honest = rpcs[0]!.answering;
  rpcs[0]!.answering = (request) => {
    const answer = honest(request)!;
    const replies = [answer.body].flat() as { result?: { hash: string } }[];
    for (const [i, { params }] of [request].flat().entries())
      if (params[0] === 'finalized') replies[i]!.result!.hash = blockHash(10, 'b');
    return answer;
  };
  await expect(step()).rejects.toThrow('showed it as');
  expect(said).toEqual([]);
  rpcs[0]!.answering = honest;
  await until('the first news', async () => (await step().catch(() => null))?.outcome === 'said');
});

test('a node that finds a log by range and not by its block’s hash is given up for another', async () => {
  const [blind, well] = [new LaggingNode([14]), new LaggingNode([14])];
  blind.blindByHash.add(14);
  for (const node of [blind, well]) node.head = 20;
  const { said, untilFinal } = await followedBy([blind, well]);
  await untilFinal(10);
  for (const node of [blind, well]) node.finalized = 20;
  await untilFinal(20);
  expect(blocksWithLogs(said)).toEqual([14]);
});

test('a log of another branch, which the second look finds, is not waited for: the next answer is believed', async () => {
  const node = new LaggingNode([]);
  node.head = 20;
  const { said, rpcs, untilFinal } = await followedBy([node]);
  await untilFinal(10);
  let strays = 1;
  const honest = rpcs[0]!.answering;
  // one of the nodes behind the name still has a branch that was replaced
  const late = byMethod({
    eth_getLogs: () => [
      rawLog(14, { blockHash: blockHash(14, 'b'), blockTimestamp: toQuantity(timeOf(14)) }),
    ],
  });
  rpcs[0]!.answering = (request) => {
    const answer = honest(request)!;
    const calls = [request].flat();
    const i = calls.findIndex(
      ({ method, params: [query] }) => method === 'eth_getLogs' && 'fromBlock' in (query as object),
    );
    if (i < 0 || strays-- <= 0) return answer;
    const bodies = [answer.body].flat();
    bodies[i] = late(calls[i]!)!.body;
    return { body: Array.isArray(request) ? bodies : bodies[0] };
  };
  node.finalized = 20;
  await untilFinal(20);
  expect(strays).toBeLessThan(1);
  expect(blocksWithLogs(said)).toEqual([]);
});

test('an endpoint that is left on another branch is not believed that a block stays empty', async () => {
  const [late, well] = [new LaggingNode([14]), new LaggingNode([14])];
  for (const node of [late, well]) {
    node.head = 20;
    node.indexed = 12;
  }
  const { said, rpcs, untilFinal } = await followedBy([late, well]);
  await untilFinal(10);
  for (const node of [late, well]) {
    node.finalized = 20;
    node.indexed = 20;
  }
  // what is asked by range comes from a node behind the name that has a branch without the log
  const own = rpcs[0]!.answering;
  const astray = new LaggingNode([14]);
  Object.assign(astray, { head: 20, forkedFrom: 13 });
  rpcs[0]!.answering = (request) => {
    const isRange = [request].flat().some(({ params: [query] }) => Object(query).fromBlock);
    return (isRange ? astray.answering : own)(request);
  };
  await untilFinal(20);
  expect(blocksWithLogs(said)).toEqual([14]);
});

test('a log that no node gives by its block’s hash is not waited for once a reorg has dropped the block', async () => {
  const node = new LaggingNode([14]);
  node.head = 20;
  node.blindByHash.add(14);
  const { said, step, applyAll, untilFinal } = await followedBy([node]);
  await untilFinal(10);
  node.finalized = 15;
  await until('the log to be missed by its hash', async () => {
    const error = await step().catch((failure: Error) => failure);
    applyAll();
    return error instanceof Error && error.message.includes('though there are some by range');
  });
  node.forkedFrom = 13;
  await untilFinal(15);
  expect(blocksWithLogs(said)).toEqual([]);
});

test('without batches, finality goes as far as blocks can be believed to be empty', async () => {
  const node = new LaggingNode([]);
  Object.assign(node, { head: 105, finalized: 100 });
  const { said, rpcs, step, untilFinal, untilSaid } = await followedBy([node]);
  const single = node.answering;
  rpcs[0]!.answering = (request) =>
    Array.isArray(request) ? { body: { error: 'batch requests are disabled' } } : single(request);
  await untilSaid(105);
  // blocks are a second apart, and none is 60 s below the head
  for (let steps = 0; steps < 3; steps++) expect(await step()).toMatchObject({ outcome: 'idle' });
  node.head = 200;
  await untilSaid(200);
  node.finalized = 195;
  await untilFinal(140);
  node.head = 230;
  await untilFinal(170);
  const final = said.flatMap((one) => (one.kind === 'finality' ? [one] : []));
  expect(Math.max(...final.map(({ number }) => number))).toBe(170);
  expect(final.filter(({ number, hash }) => hash !== blockHash(number))).toEqual([]);
});

test('after a takeover, stored blocks without rows are asked for again, and those with rows are not said again', async () => {
  const node = new LaggingNode([12, 14]);
  node.head = 20;
  node.finalized = 20;
  const heights = Array.from({ length: 11 }, (_, i) => i + 10);
  const { said, untilFinal } = await followedBy([node], {
    segment: new Map(heights.map((n) => [n, blockHash(n)])),
    finalizedBlock: 10,
    // 12 is stored with its row, 14 was said to be empty
    emptyHeights: heights.filter((n) => n > 10 && n !== 12),
    sources: [
      { address: FILTER.addresses[0]!, event: 'Wanted', startBlock: 0, coverage: [[0, 21]] } as never,
    ],
  });
  await untilFinal(20);
  const advances = said.filter((one): one is AdvanceStatement => one.kind === 'advance');
  expect(advances.map(({ above, blocks }) => [above, blocks[0]!.number])).toEqual([[13, 14]]);
  expect(blocksWithLogs(said)).toEqual([14]);
});

test('after a takeover, a node that has no logs of a block that is stored with rows is given up for another', async () => {
  const [blind, well] = [new LaggingNode([12, 14]), new LaggingNode([12, 14])];
  blind.blindByHash.add(12);
  for (const node of [blind, well]) {
    node.head = 20;
    node.finalized = 10;
  }
  const heights = Array.from({ length: 11 }, (_, i) => i + 10);
  const { said, untilSaid } = await followedBy([blind, well], {
    segment: new Map(heights.map((n) => [n, blockHash(n)])),
    finalizedBlock: 10,
    emptyHeights: heights.filter((n) => n > 10 && n !== 12 && n !== 14),
    // a contract was added: the unfinalized blocks are said again
    sources: [
      { address: FILTER.addresses[0]!, event: 'Wanted', startBlock: 0, coverage: [[0, 11]] } as never,
    ],
  });
  await untilSaid(20);
  expect(blocksWithLogs(said)).toEqual([12, 14]);
});

/** Looks again for unproven blocks up to a height, at an endpoint that gives logs by range. */
function lookingAgain(blocks: UnprovenBlocks, endpoint: object, isWanted: WantedLogs['isWanted']) {
  const client = { use: async (work: (e: object) => unknown) => work(endpoint) } as unknown as ChainClient;
  return (number: number) =>
    blocks.lookAgain(
      client,
      { filter: FILTER, isWanted },
      { number, hash: blockHash(number) },
      { hashAt: blockHash },
    );
}

test('a block of which the node has only logs that are not followed is not said again', async () => {
  const logs = [12, 13].map((blockNumber) => ({
    blockNumber,
    blockHash: blockHash(blockNumber),
    topics: blockNumber === 13 ? ['wanted'] : ['other'],
  }));
  const endpoint = {
    logsFrom: async (from: number, to: number) => ({
      to,
      logs: logs.filter((l) => l.blockNumber >= from && l.blockNumber <= to),
    }),
  };
  const blocks = new UnprovenBlocks({ segment: new Map(), finalizedBlock: 10, emptyHeights: [12, 13] });
  const lookAgain = lookingAgain(blocks, endpoint, ({ topics }) => topics[0] === 'wanted');
  expect(await lookAgain(12)).toBeNull();
  expect(await lookAgain(13)).toBe(13);
});

test('what stays above blocks that are said again stays unproven, and is asked for before its finality', async () => {
  const asked: [number, number][] = [];
  const endpoint = {
    logsFrom: async (from: number, to: number) => {
      asked.push([from, to]);
      return { to, logs: [] };
    },
  };
  const blocks = new UnprovenBlocks({ segment: new Map(), finalizedBlock: 10, emptyHeights: [] });
  const lookAgain = lookingAgain(blocks, endpoint, () => true);
  blocks.said(10, Number.POSITIVE_INFINITY, [12, 14, 16]);
  blocks.said(10, 13, []);
  expect(await lookAgain(15)).toBeNull();
  blocks.said(13, 14, [14]);
  blocks.said(16, Number.POSITIVE_INFINITY, [17]);
  expect(await lookAgain(20)).toBeNull();
  blocks.said(15, Number.POSITIVE_INFINITY, []);
  expect(await lookAgain(20)).toBeNull();
  expect(asked).toEqual([
    [14, 14],
    [14, 17],
  ]);
});
