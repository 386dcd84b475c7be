import { afterEach, expect, test } from 'vitest';
import { STAGING_GATEWAY } from '#apps/devchain/socket-gateway.js';
import { ProcessedWatch } from './services/processed-watch.js';
import { GATEWAY, Simulation } from './services/simulation.js';
import type { SystemProcess } from './services/system.js';

const WORKERS = 5;

const closing: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** How many messages of history a worker has stored. */
async function historyStored(worker: SystemProcess): Promise<number> {
  const [, url] = await worker.untilOutput(/metrics: (http:\/\/127\.0\.0\.1:\d+)/, 60_000);
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/statements_total\{lane="history",outcome="applied"\} (\d+)/.exec(text)?.[1] ?? 0);
}

test('five workers in parallel: at every moment all rows through lastProcessedBlock are the chain’s, and it goes back by reorgs only, to the blocks that stay', async () => {
  const simulation = await Simulation.start({
    seed: 'parallel',
    head: 20_000,
    chain: { finalityDepth: 40 },
    provider: { maxRange: 300 },
    env: { CONTRACT_ADDRESSES: `${GATEWAY},${STAGING_GATEWAY}`, BATCH_SIZE: '300' },
  });
  closing.push(() => simulation.stop());
  const { chain, system } = simulation;
  const watch = new ProcessedWatch(chain, system.databaseUrl, [GATEWAY.toLowerCase(), STAGING_GATEWAY]);
  watch.start();
  closing.push(() => watch.stop());

  const workers = await Promise.all(Array.from({ length: WORKERS }, () => system.start('worker')));
  await system.start('fetcher');
  await simulation.untilRows(1_000);
  chain.reorg({ depth: 4 });
  await system.kill(workers.shift()!);
  workers.push(await system.start('worker'));
  await system.untilCovered(chain.chainId, 1, () => chain.head, 180_000);
  const shares = await Promise.all(workers.map(historyStored));
  expect(shares.filter((share) => share > 0).length).toBeGreaterThanOrEqual(WORKERS - 1);
  for (const depth of [3, 10, 1, 25, 6]) {
    // a lower head at first: the new branch takes the value back until it has grown
    chain.reorg({ depth, newHead: chain.head - Math.floor(depth / 2) });
    await simulation.untilTipFollowed();
  }
  await simulation.expectTableEqualsChain();
  await simulation.expectTableEqualsChain(1, STAGING_GATEWAY);
  await watch.stop();
  expect(watch.wrong).toEqual([]);
  expect(watch.wentBack).toBeGreaterThan(0);
  expect(watch.seen.size).toBeGreaterThan(10);
}, 400_000);
