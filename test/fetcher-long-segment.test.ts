import { afterEach, expect, test } from 'vitest';
import { query } from './services/query.js';
import { CHAIN_ID, Simulation } from './services/simulation.js';

/** Finality lags this many blocks. */
const UNFINALIZED = 20_000;
const closing: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

test('a new leader of 20,000 unfinalized blocks asks for a few headers and for nothing that is still true', async () => {
  const simulation = await Simulation.start({
    seed: 'long segment',
    head: UNFINALIZED + 2_000,
    chain: { finalityDepth: UNFINALIZED },
  });
  closing.push(() => simulation.stop());
  const { chain, rpc, miner, system } = simulation;
  miner.stop();
  await system.start('worker');
  const first = await system.start('fetcher');
  await system.untilCovered(CHAIN_ID, 1, () => chain.head);
  await system.kill(first);
  const fork = chain.reorg({ depth: 7, newHead: chain.head + 3 });
  await query(system.databaseUrl, "update chain_lane set expires_at = '-infinity'");

  rpc.requests.length = 0;
  const second = await system.start('fetcher');
  await second.untilOutput(/leading/, 60_000);
  await simulation.untilTipFollowed();
  const headers = new Set(headerHeights(simulation).filter((height) => height <= fork));
  // what has just become final is looked at a second time where nothing else proves it empty
  const logs = logHeights(simulation).filter((height) => height > chain.finalized && height <= fork);
  expect(logs).toEqual([]);
  expect(headers.size).toBeLessThan(40);
  await simulation.expectTableEqualsChain();
}, 240_000);

/** Heights whose headers the fetcher asked for. */
function headerHeights({ rpc }: Simulation): number[] {
  return rpc
    .calls('eth_getBlockByNumber')
    .map(({ params }) => Number(params[0]))
    .filter((height) => !Number.isNaN(height));
}

/** Heights whose logs the fetcher asked for, by hash or as the beginning of a range. */
function logHeights({ rpc, chain }: Simulation): number[] {
  return rpc.calls('eth_getLogs').map(({ params }) => {
    const { blockHash, fromBlock } = params[0] as { blockHash?: string; fromBlock?: string };
    return blockHash ? chain.blockByHash(blockHash)!.number : Number(fromBlock);
  });
}
