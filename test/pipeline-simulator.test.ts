import { afterEach, expect, inject, test } from 'vitest';
import { SimulatedChain } from '#apps/devchain/chain.js';
import { Miner } from '#apps/devchain/miner.js';
import { startDevchainServer } from '#apps/devchain/server.js';
import { compareTableWithChain } from './independent-reader.js';
import { query } from './services/query.js';
import { System } from './services/system.js';
import { until } from './services/until.js';

const CHAIN_ID = 1337;
const GATEWAY = '0x3a23F943181408EAC424116Af7b7790c94Cb97a5';
const closing: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A simulated chain with history, its server, a miner, and the system's processes beside it. */
async function start(options: {
  head: number;
  seed: string;
  server?: { maxRange?: number; logTimestamps?: boolean };
}) {
  const chain = SimulatedChain.create({
    seed: options.seed,
    chainId: CHAIN_ID,
    head: options.head,
    blockTimeMs: 200,
  });
  const server = await startDevchainServer({ chain, ...options.server });
  closing.push(() => server.close());
  const miner = new Miner(chain);
  miner.start();
  closing.push(() => miner.stop());
  const system = await System.create(inject('postgresUrl'), inject('rabbitmqUrl'), {
    CHAIN_ID: String(CHAIN_ID),
    RPC_URLS: server.url,
    CONTRACT_ADDRESSES: GATEWAY,
    START_BLOCK: '1',
    POLLING_INTERVAL_MS: '50',
  });
  closing.push(() => system.stop());
  return { chain, server, miner, system };
}

async function expectTableEqualsChain(
  system: System,
  chain: SimulatedChain,
  rpcUrl: string,
): Promise<number> {
  await system.untilCovered(CHAIN_ID, 1, () => chain.head);
  const result = await compareTableWithChain({
    databaseUrl: system.databaseUrl,
    rpcUrl,
    chainId: CHAIN_ID,
    address: GATEWAY,
    fromBlock: 1,
    toBlock: chain.head,
    blocksPerRequest: 300,
  });
  expect(result.differences).toEqual([]);
  return result.rows;
}

test('50,000 events of history, new blocks and ten reorgs: with two workers the table equals the chain', async () => {
  const { chain, server, miner, system } = await start({ head: 125_000, seed: 'fifty thousand' });
  await Promise.all([system.start('worker'), system.start('worker'), system.start('fetcher')]);
  for (let reorg = 1; reorg <= 10; reorg++) {
    await untilTipFollowed(system, chain);
    chain.reorg({ depth: 1 + (reorg % 5), newHead: chain.head + (reorg % 3) - 1 });
    await untilTipFollowed(system, chain);
  }
  miner.stop();
  const rows = await expectTableEqualsChain(system, chain, server.url);
  expect(rows).toBeGreaterThan(50_000);
  const [stored] = await query<{ last: string }>(
    system.databaseUrl,
    'select last_processed_block as last from chain',
  );
  expect(Number(stored!.last)).toBe(chain.head);
}, 240_000);

test('kill -9 of the fetcher and the worker in the middle of the history loses and doubles nothing', async () => {
  const { chain, server, miner, system } = await start({
    head: 30_000,
    seed: 'kill',
    // small ranges and no times in the logs: more requests, headers for the times
    server: { maxRange: 300, logTimestamps: false },
  });
  let fetcher = await system.start('fetcher');
  let worker = await system.start('worker');
  await rowsAbove(system, 500);
  await system.kill(worker);
  worker = await system.start('worker');
  await rowsAbove(system, 2_000);
  await system.kill(fetcher);
  chain.reorg({ depth: 3 });
  fetcher = await system.start('fetcher');
  await rowsAbove(system, 4_000);
  await Promise.all([system.kill(worker), system.kill(fetcher)]);
  chain.reorg({ depth: 4, newHead: chain.head - 2 });
  await Promise.all([system.start('fetcher'), system.start('worker')]);
  miner.stop();
  expect(await expectTableEqualsChain(system, chain, server.url)).toBeGreaterThan(10_000);
}, 240_000);

test('a fetcher that was away longer than finality jumps to the new blocks and fills the gap', async () => {
  const { chain, server, miner, system } = await start({ head: 500, seed: 'away' });
  await system.start('worker');
  const fetcher = await system.start('fetcher');
  await system.untilCovered(CHAIN_ID, 1, () => chain.head);
  await system.kill(fetcher);
  chain.mine(300);
  await system.start('fetcher');
  miner.stop();
  await expectTableEqualsChain(system, chain, server.url);
}, 240_000);

async function rowsAbove(system: System, count: number): Promise<void> {
  await until(`${count} rows`, async () => {
    const [row] = await query<{ n: string }>(
      system.databaseUrl,
      'select count(*) as n from socket_bridge_event',
    );
    return Number(row!.n) > count;
  });
}

/** Waits until the stored tip is the chain's. */
async function untilTipFollowed(system: System, chain: SimulatedChain): Promise<void> {
  await until("the chain's tip to be stored", async () => {
    const [row] = await query<{ hash: string }>(
      system.databaseUrl,
      `select '0x' || encode(hash, 'hex') as hash from block order by number desc limit 1`,
    );
    return row?.hash === chain.block(chain.head)?.hash;
  });
}
