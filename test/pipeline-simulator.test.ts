import { afterEach, expect, test } from 'vitest';
import { CHAIN_ID, Simulation, type SimulationOptions } from './services/simulation.js';

const closing: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function start(options: SimulationOptions): Promise<Simulation> {
  const simulation = await Simulation.start(options);
  closing.push(() => simulation.stop());
  return simulation;
}

test('50,000 events of history, new blocks and ten reorgs: with two workers the table equals the chain', async () => {
  const simulation = await start({ head: 125_000, seed: 'fifty thousand' });
  const { chain, system } = simulation;
  await Promise.all([system.start('worker'), system.start('worker'), system.start('fetcher')]);
  for (let reorg = 1; reorg <= 10; reorg++) {
    await simulation.untilTipFollowed();
    chain.reorg({ depth: 1 + (reorg % 5), newHead: chain.head + (reorg % 3) - 1 });
    await simulation.untilTipFollowed();
  }
  const rows = await simulation.expectTableEqualsChain();
  expect(rows).toBeGreaterThan(50_000);
  const stored = await simulation.one<{ last: string }>('select last_processed_block as last from chain');
  expect(Number(stored.last)).toBe(chain.head);
}, 240_000);

test('new blocks are stored while most of the history is still missing', async () => {
  const simulation = await start({ head: 400_000, seed: 'live first', provider: { maxRange: 100 } });
  const { chain, system } = simulation;
  await Promise.all([system.start('worker'), system.start('fetcher')]);
  await simulation.untilRows(300);
  simulation.miner.stop();
  chain.reorg({ depth: 3 });
  await simulation.untilTipFollowed();
  const { last } = await simulation.one<{ last: string | null }>(
    'select last_processed_block as last from chain',
  );
  expect(Number(last)).toBeLessThan(chain.head / 2);
}, 120_000);

test('kill -9 of the fetcher and the worker in the middle of the history loses and doubles nothing', async () => {
  const simulation = await start({
    head: 30_000,
    seed: 'kill',
    // small ranges and no times in the logs: more requests, headers for the times
    provider: { maxRange: 300, logTimestamps: false },
  });
  const { chain, system } = simulation;
  let fetcher = await system.start('fetcher');
  let worker = await system.start('worker');
  await simulation.untilRows(500);
  await system.kill(worker);
  worker = await system.start('worker');
  await simulation.untilRows(2_000);
  await system.kill(fetcher);
  chain.reorg({ depth: 3 });
  fetcher = await system.start('fetcher');
  await simulation.untilRows(4_000);
  await Promise.all([system.kill(worker), system.kill(fetcher)]);
  chain.reorg({ depth: 4, newHead: chain.head - 2 });
  await Promise.all([system.start('fetcher'), system.start('worker')]);
  expect(await simulation.expectTableEqualsChain()).toBeGreaterThan(10_000);
}, 240_000);

test('a fetcher that was away longer than finality jumps to the new blocks and fills the gap', async () => {
  const simulation = await start({ head: 500, seed: 'away' });
  const { chain, system } = simulation;
  await system.start('worker');
  const fetcher = await system.start('fetcher');
  await system.untilCovered(CHAIN_ID, 1, () => chain.head);
  await system.kill(fetcher);
  chain.mine(300);
  await system.start('fetcher');
  await simulation.expectTableEqualsChain();
}, 240_000);
