import { afterEach, expect, test } from 'vitest';
import { RpcUnavailable } from '#libs/chain/chain-client.js';
import { type NewsBench, newsBench } from './services/news-bench.js';
import { blockHash, rawBlock } from './services/recorded-blocks.js';
import { byMethod } from './services/recorded-rpc.js';

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

async function leading(node: Node, taken: Parameters<typeof newsBench>[1] = {}): Promise<NewsBench> {
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
