import { pino } from 'pino';
import { afterEach, describe, expect, test } from 'vitest';
import type { HeldBlock } from '#apps/fetcher/segment.js';
import { wantedSources } from '#apps/fetcher/wanted-sources.js';
import { ChainClient, RpcUnavailable } from '#libs/chain/chain-client.js';
import { type NewsBench, newsBench } from './services/news-bench.js';
import { blockHash, rawBlock } from './services/recorded-blocks.js';
import { type Answering, byMethod, RecordedRpc } from './services/recorded-rpc.js';

const open: NewsBench[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

/** A chain without events; `block` may tell another block at a height. */
class Node {
  head = 10;
  finalized = 10;
  block: (number: number) => object = (number) => rawBlock(number);

  readonly answering = byMethod({
    eth_chainId: () => '0x7',
    eth_getBlockByNumber: (asked: string) => {
      const number = asked === 'latest' ? this.head : asked === 'finalized' ? this.finalized : Number(asked);
      return number <= this.head ? this.block(number) : null;
    },
    eth_getLogs: () => [],
  });
}

type Taken = Parameters<typeof newsBench>[1];

async function leading(node: Node, taken: Taken = {}): Promise<NewsBench> {
  const bench = await newsBench([node.answering], taken);
  open.push(bench);
  return bench;
}

test('a leader has at most 8 statements unapplied, and goes on when workers apply them', async () => {
  const node = new Node();
  const bench = await leading(node);
  for (let i = 0; i < 20; i++) {
    await bench.step();
    node.head++;
  }
  expect(bench.said).toHaveLength(8);
  expect(await bench.step()).toEqual({ outcome: 'full' });
  bench.applyAll();
  await bench.step();
  expect(bench.said).toHaveLength(9);
});

test('blocks that are no chain, since it changed while it was read, are not stated', async () => {
  const node = new Node();
  node.head = 14;
  const bench = await leading(node);
  node.block = (number) =>
    number === 13 ? rawBlock(13, [], { parentHash: blockHash(12, 'b') }) : rawBlock(number);
  await expect(bench.step()).rejects.toThrow(/block 13 is not a child/);
  expect(bench.said).toEqual([]);
});

test('another block at the height that is stored as final stops the leader: nothing is said', async () => {
  const node = new Node();
  node.head = 12;
  const stored = { segment: new Map([[10, blockHash(10, 'b')]]), finalizedBlock: 10 };
  const bench = await leading(node, stored);
  const error = await bench.step().catch((failure: unknown) => failure);
  expect(error).toBeInstanceOf(RpcUnavailable);
  expect((error as RpcUnavailable).failures).toMatchObject([{ kind: 'other_final_block' }]);
  expect(bench.said).toEqual([]);
});

/** Another chain, as high as ours. */
function otherChain(head: number): Answering {
  const hashes = (number: number) => ({
    hash: blockHash(number, 'other'),
    parentHash: blockHash(number - 1, 'other'),
  });
  return byMethod({
    eth_chainId: () => '0x8',
    eth_getBlockByNumber: (block: string) => {
      const number = block === 'latest' || block === 'finalized' ? head : Number(block);
      return number <= head ? rawBlock(number, [], hashes(number)) : null;
    },
    eth_getLogs: () => [],
  });
}

/** Whether this call's answer comes from the other chain. */
type Leading = (call: number) => boolean;

/** A name that leads to the other chain for some calls, counted from 0. @param most calls per batch. */
function nameOf(own: Answering, other: Answering, leads: Leading, most: number): Answering {
  let calls = 0;
  return (request) => {
    if ([request].flat().length > most) return { body: { error: 'batch too large' } };
    return (leads(calls++) ? other : own)(request);
  };
}

/** From which call on the name leads to the other chain, and until which. */
const windows = Array.from({ length: 11 }, (_, i) => i + 1).flatMap((from) =>
  Array.from({ length: 15 - from }, (_, i) => ({ from, until: from + i + 1 })),
);

/** What is said in two steps by a leader whose node's name leads to another chain meanwhile. */
async function saidMeanwhile(name: Answering, taken: Taken): Promise<HeldBlock[]> {
  const bench = await newsBench([name], taken);
  for (let steps = 0; steps < 2; steps++) await bench.step().catch(() => {});
  await bench.close();
  return bench.said.flatMap((one): HeldBlock[] => (one.kind === 'advance' ? one.blocks : [one]));
}

const held = (...heights: number[]) => new Map(heights.map((n) => [n, blockHash(n)]));
const situations: [string, Taken, number][] = [
  ['when nothing is stored', {}, 10],
  ['when nothing is final yet', { segment: held(8, 9, 10) }, 10],
  ['when finality has moved past all that is stored', { segment: held(8), finalizedBlock: 8 }, 40],
];

describe.each([50, 1])('while a name leads to another chain for a moment, in batches of %i', (most) => {
  test.each(situations)('%s, no block of it is said', async (_, taken, head) => {
    const said: HeldBlock[] = [];
    for (const { from, until } of windows) {
      const node = new Node();
      Object.assign(node, { head, finalized: head });
      const leads = (call: number) => from <= call && call < until;
      said.push(...(await saidMeanwhile(nameOf(node.answering, otherChain(head), leads, most), taken)));
    }
    expect(said.length).toBeGreaterThan(0);
    expect(said.filter(({ number, hash }) => hash !== blockHash(number))).toEqual([]);
  });
});

test.each([
  ['the finalized tag', { kind: 'tag' }, 30],
  ['depth', { kind: 'depth', confirmations: 5 }, 35],
] as const)(
  'START_BLOCK=latest by %s is never a block of another chain that a name leads to for a while',
  async (_, rule, latest) => {
    for (const most of [50, 1]) {
      for (const { from, until } of windows) {
        const node = new Node();
        Object.assign(node, { head: 40, finalized: 30 });
        const leads = (call: number) => from <= call && call < until;
        const rpc = await RecordedRpc.start(nameOf(node.answering, otherChain(20), leads, most));
        const client = new ChainClient({
          chainId: 7,
          urls: [rpc.url],
          batchSize: 10,
          logger: pino({ level: 'silent' }),
        });
        const source = { address: `0x${'aa'.repeat(20)}`, event: 'Wanted' };
        const wanted = await wantedSources([source], 'latest', client, rule).catch((error: unknown) => error);
        if (wanted instanceof Error) expect(wanted).toBeInstanceOf(RpcUnavailable);
        else expect(wanted).toEqual([{ ...source, startBlock: latest, keepsStart: true }]);
        client.close();
        await rpc.stop();
      }
    }
  },
);
