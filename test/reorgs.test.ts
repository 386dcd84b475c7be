import { afterEach, describe, expect, inject, test } from 'vitest';
import { type Branch, BuiltChain, buildChain, extend, forkAt } from './services/built-chain.js';
import { FollowedChain, type FollowOptions } from './services/followed-chain.js';
import { until } from './services/until.js';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const CHAIN_ID = 77;
const FINALITY = 20;
const HEAD = 60;

/** Blocks 0 to 60, final up to 40; an event in every block from 41 on, and some in the history. */
const main = buildChain(HEAD, {
  5: [{ tx: 'old' }, { tx: 'old', amount: 2n }],
  40: [{ tx: 'final' }],
  ...Object.fromEntries(Array.from({ length: 20 }, (_, i) => [41 + i, [{ tx: `t${41 + i}` }]])),
});

async function follow(branch: Branch, options: Omit<FollowOptions, 'chain'> = {}) {
  const chain = new BuiltChain(branch, CHAIN_ID, FINALITY);
  const followed = await FollowedChain.start(inject('postgresUrl'), { chain, ...options });
  closing.push(() => followed.close());
  await followed.untilTipFollowed();
  return { chain, followed };
}

/** A reorg of the newest `depth` blocks whose branch ends at `head`, with one event of its own. */
function reorgOf(branch: Branch, depth: number, head: number): Branch {
  const fork = branch.blocks.length - 1 - depth;
  return extend(forkAt(branch, fork), head - fork, { [fork + 1]: [{ tx: `new at ${fork + 1}` }] });
}

describe('after a reorg the table equals the chain', () => {
  test.each([
    ['of one block, to one of the same height', 1, HEAD],
    ['of one block, to a longer branch', 1, HEAD + 3],
    ['of five blocks, to one of the same height', 5, HEAD],
    ['of five blocks, to a branch that is one longer', 5, HEAD + 1],
    ['of five blocks, to a shorter branch', 5, HEAD - 2],
    ['of all blocks above finality, to one of the same height', FINALITY, HEAD],
    ['of all blocks above finality, to a branch of a single block', FINALITY, HEAD - FINALITY + 1],
  ])(
    '%s',
    async (_, depth, head) => {
      const { chain, followed } = await follow(main);
      expect(await followed.expectTableEqualsChain()).toBe(23);
      chain.become(reorgOf(main, depth, head));
      expect(await followed.expectTableEqualsChain()).toBe(23 - depth + 1);
      expect(await followed.removedRows()).toBe(depth);
    },
    60_000,
  );

  test('and back to the old branch: its rows are there again, the other branch’s are not', async () => {
    const { chain, followed } = await follow(main);
    const other = reorgOf(main, 6, HEAD + 2);
    chain.become(other);
    await followed.untilTipFollowed();
    // the old branch has to grow to win again
    const again = extend(main, 4, { 62: [{ tx: 'after the return' }] });
    chain.become(again);
    expect(await followed.expectTableEqualsChain()).toBe(24);
    expect(await followed.removedRows()).toBe(1);
  }, 60_000);

  test('and back to the old branch as it was, shorter than the other', async () => {
    const { chain, followed } = await follow(main);
    chain.become(reorgOf(main, 6, HEAD + 2));
    await followed.untilTipFollowed();
    chain.become(main);
    expect(await followed.expectTableEqualsChain()).toBe(23);
    expect(await followed.removedRows()).toBe(1);
  }, 60_000);

  test('that is followed by others faster than anybody looks', async () => {
    const { chain, followed } = await follow(main, { config: { pollingIntervalMs: 300 } });
    let branch = main;
    for (let round = 0; round < 40; round++) {
      const depth = 1 + ((round * 7) % 12);
      const head = branch.blocks.length - 1;
      branch = reorgOf(branch, depth, Math.max(head - depth + 1, HEAD - 5 + (round % 9)));
      chain.become(branch);
      // some are seen in the middle of being read, most are never seen
      const { reads } = chain;
      if (round % 5 === 0) await until('a look at the chain', () => chain.reads > reads);
    }
    await followed.expectTableEqualsChain();
  }, 60_000);
});

describe('a transaction that a reorg includes again is one row, in its new place', () => {
  const event = (amount: bigint, logIndex: number) => ({ tx: 'moved', amount, logIndex });
  const before = extend(forkAt(main, 50), 10, { 55: [event(7n, 0), event(8n, 1)] });

  test.each([
    ['in a block of the same height', 55, 0],
    ['in a higher block', 58, 0],
    ['in a lower block', 52, 0],
    ['with other log indexes', 55, 3],
    ['in a higher block with indexes that overlap the old ones', 57, 1],
  ])(
    '%s',
    async (_, height, index) => {
      const { chain, followed } = await follow(before);
      expect(await followed.expectTableEqualsChain()).toBe(15);
      const after = extend(forkAt(before, 51), 10, { [height]: [event(7n, index), event(8n, index + 1)] });
      chain.become(after);
      expect(await followed.expectTableEqualsChain()).toBe(15);
    },
    60_000,
  );

  test('and dropped by one reorg, included again by the next', async () => {
    const { chain, followed } = await follow(before);
    const without = extend(forkAt(before, 54), 7);
    chain.become(without);
    expect(await followed.expectTableEqualsChain()).toBe(13);
    chain.become(extend(forkAt(without, 56), 6, { 59: [event(7n, 0), event(8n, 1)] }));
    expect(await followed.expectTableEqualsChain()).toBe(15);
  }, 60_000);
});

describe('a reorg that happens while', () => {
  const replaced = () => reorgOf(main, 9, HEAD + 1);

  test('the fetcher is down is found by the next one', async () => {
    const { chain, followed } = await follow(main);
    await followed.stopFetcher();
    chain.become(replaced());
    followed.startFetcher();
    expect(await followed.expectTableEqualsChain()).toBe(15);
  }, 60_000);

  test('the worker is down is applied once it is back, with all that was said meanwhile', async () => {
    const { chain, followed } = await follow(main);
    await followed.stopWorker();
    chain.become(replaced());
    await followed.untilWaiting();
    chain.become(extend(forkAt(replaced(), 55), 8, { 60: [{ tx: 'second' }] }));
    await followed.startWorker();
    await followed.expectTableEqualsChain();
  }, 60_000);

  test('both are down, and the chain has moved on past finality, ends with table = chain', async () => {
    const { chain, followed } = await follow(main);
    await followed.stopFetcher();
    await followed.stopWorker();
    const moved = extend(replaced(), 50, { 70: [{ tx: 'in the gap' }], 105: [{ tx: 'new' }] });
    chain.become(moved);
    await followed.startWorker();
    followed.startFetcher();
    expect(await followed.expectTableEqualsChain()).toBe(17);
  }, 60_000);
});

describe('finality', () => {
  test('by depth: the same reorgs end with table = chain, and what is recorded as final lies that far below the head', async () => {
    const { chain, followed } = await follow(main, { config: { confirmations: 12 } });
    await followed.untilFinalized(HEAD - 12);
    chain.become(reorgOf(main, 12, HEAD));
    await followed.untilTipFollowed();
    chain.become(extend(reorgOf(main, 12, HEAD), 3));
    await followed.untilFinalized(HEAD + 3 - 12);
    expect(await followed.expectTableEqualsChain()).toBe(12);
  }, 60_000);

  test('by tag: it is recorded as the node moves it, and survives a reorg above it', async () => {
    const { chain, followed } = await follow(main);
    await followed.untilFinalized(40);
    const grown = extend(main, 5);
    chain.become(grown);
    await followed.untilFinalized(45);
    chain.become(reorgOf(grown, 20, 64));
    await followed.expectTableEqualsChain();
    expect(await followed.state()).toMatchObject({ finalized_block: '45' });
  }, 60_000);
});
