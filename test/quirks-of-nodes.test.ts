import { afterEach, describe, expect, inject, test } from 'vitest';
import { SimulatedChain } from '#apps/devchain/chain.js';
import { type FaultKind, Faults } from '#apps/devchain/faults.js';
import { FollowedChain } from './services/followed-chain.js';
import { until } from './services/until.js';

/*
 * What nodes and the proxies before them answer (the table in docs/quirks.md): through the real fetcher and worker, with such a
 * node as the only one, in the history as well as in the news and in reorgs.
 */

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const HEAD = 250;
const FINALITY = 12;

/** How likely a fault is, and how often it must happen in the history and again in the news; what the fetcher learns from happens once. */
const usual = { rate: 0.15, times: 3 };
const dosage: Partial<Record<FaultKind, typeof usual>> = {
  range_limit: { rate: 1, times: 0 },
  result_limit: { rate: 1, times: 0 },
  // what follows the chain asks by hash
  clamped_range: { rate: 0.3, times: 0 },
};

/** Follows a chain over one node with a fault now and then, while the chain grows with reorgs, until it has happened often. */
async function expectSurvived(kind: FaultKind): Promise<void> {
  const { rate, times } = dosage[kind] ?? usual;
  const chain = SimulatedChain.create({
    seed: kind,
    chainId: 1337,
    head: HEAD,
    blockTimeMs: 1_000,
    eventsPerBlock: 1,
    finalityDepth: FINALITY,
  });
  const options = { lastingMs: 300, maxRange: 3, maxResults: 4, maxLag: 4 };
  const faults = new Faults(kind, { [kind]: rate }, options);
  const followed = await FollowedChain.start(inject('postgresUrl'), {
    chain,
    endpoints: [{ faults }],
    config: { batchSize: 5 },
  });
  // not by afterEach: others go on at the same time
  try {
    const happened = () => faults.counts.get(kind) ?? 0;
    // while nothing changes, logs are asked for by the history alone
    await until(`${kind} in the history`, async () => happened() > times || followed.isCovered());
    const before = happened();
    let round = 0;
    await until(`${times} times ${kind} in the news`, () => {
      change(chain, ++round);
      return happened() >= before + times;
    });
    faults.rates = {};
    expect(await followed.expectTableEqualsChain()).toBeGreaterThan(200);
  } finally {
    await followed.close();
  }
}

/** A new block, or a reorg of any shape. */
function change(chain: SimulatedChain, round: number): void {
  const depth = 1 + (round % 5);
  if (round % 4) chain.mine();
  else if (chain.head - depth >= chain.finalized)
    chain.reorg({ depth, newHead: chain.head + (round % 3) - 1 });
}

describe('with a single node the table ends equal to the chain, though the node now and then', () => {
  // a node that has failed rests for a while: several can rest at a time
  test.concurrent.each([
    ['answers null for a block that it has', 'null_block'],
    ['answers null for logs', 'null_logs'],
    ['refuses the finalized tag', 'no_finalized_tag'],
    ['has no block for the finalized tag', 'null_finalized_tag'],
    ['leaves out the logs of blocks that it lacks', 'clamped_range'],
    ['has no logs of blocks that it lacks', 'empty_beyond_head'],
    ['refuses logs of blocks that it lacks', 'error_beyond_head'],
    ['lets its log index lag behind its blocks', 'lagging_index'],
    ['answers logs of another branch than the headers', 'other_block_hash'],
    ['answers removed logs among the others', 'removed_logs'],
    ['is some blocks behind for one request', 'head_backwards'],
    ['is some blocks behind for a while', 'behind'],
    ['stays on a branch that was replaced', 'old_branch'],
    ['limits ranges', 'range_limit'],
    ['limits results', 'result_limit'],
    ['suggests ranges that are of no use', 'lying_suggestion'],
    ['asks for fewer requests with status 200', 'rate_limit_error'],
    ['answers a batch in another order', 'batch_out_of_order'],
    ['answers a batch with one object', 'batch_as_object'],
    ['forgets an answer of a batch', 'batch_partly'],
    ['cuts its JSON short', 'truncated_json'],
    ['answers a web page with status 200', 'html_200'],
    ['cuts the connection', 'reset'],
  ] as const)('%s', (_, kind) => expectSurvived(kind), 120_000);
});

test('a node whose name leads to another chain for a while gives no row of that chain', async () => {
  const chain = SimulatedChain.create({
    seed: 'of two',
    chainId: 1337,
    head: 2_000,
    blockTimeMs: 1_000,
    eventsPerBlock: 1,
  });
  const faults = new Faults('wrong chain', {}, { lastingMs: 60_000 });
  const followed = await FollowedChain.start(inject('postgresUrl'), {
    chain,
    endpoints: [{ faults }, { maxRange: 50 }],
    // it never fails, and the news come too seldom to find it out: nothing but its answers to the history tells
    config: { batchSize: 20, pollingIntervalMs: 4_000 },
  });
  closing.push(() => followed.close());
  await until('some history', async () => (await followed.rows()) > 100);
  faults.rates = { wrong_chain: 1 };
  expect(await followed.expectTableEqualsChain()).toBeGreaterThan(1_800);
  expect(faults.counts.get('wrong_chain')).toBe(1);
  expect(followed.log.some((line) => line.includes('is of chain 1338, not 1337'))).toBe(true);
}, 120_000);

test('a node that doesn’t show its finalized tag in one moment at the start is not taken for one without', async () => {
  const chain = SimulatedChain.create({ seed: 'tag', chainId: 1337, head: 100, blockTimeMs: 1_000 });
  const faults = new Faults('tag', { null_finalized_tag: 1 });
  const followed = await FollowedChain.start(inject('postgresUrl'), { chain, endpoints: [{ faults }] });
  closing.push(() => followed.close());
  await until('the first look', () => faults.counts.get('null_finalized_tag'));
  faults.rates = {};
  await followed.expectTableEqualsChain();
  expect(followed.log.some((line) => line.includes("final means the node's finalized tag"))).toBe(true);
}, 60_000);

test('a node that never shows a finalized tag is followed by depth', async () => {
  const chain = SimulatedChain.create({ seed: 'no tag', chainId: 1337, head: 100, blockTimeMs: 1_000 });
  const faults = new Faults('no tag', { no_finalized_tag: 1 });
  const followed = await FollowedChain.start(inject('postgresUrl'), {
    chain,
    endpoints: [{ faults }],
    config: { fallbackConfirmations: 30 },
  });
  closing.push(() => followed.close());
  await followed.untilFinalized(70);
  expect(await followed.expectTableEqualsChain()).toBeGreaterThan(10);
}, 60_000);
