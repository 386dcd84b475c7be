import { afterEach, expect, inject, test } from 'vitest';
import { SimulatedChain } from '#apps/devchain/chain.js';
import { Miner } from '#apps/devchain/miner.js';
import { startDevchainServer } from '#apps/devchain/server.js';
import { query } from './services/query.js';
import { Subscriber } from './services/subscriber.js';
import { System } from './services/system.js';
import { until } from './services/until.js';

const CHAIN_ID = 1337;
const closing: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

test('kill -9 of every process: a subscriber that resumes with its cursor, on another API too, misses and repeats nothing', async () => {
  const chain = SimulatedChain.create({
    seed: 'subscriber',
    chainId: CHAIN_ID,
    head: 10_000,
    blockTimeMs: 200,
  });
  const server = await startDevchainServer({ chain });
  closing.push(() => server.close());
  const miner = new Miner(chain, { reorgEvery: 8 });
  miner.start();
  closing.push(() => miner.stop());
  const system = await System.create(inject('postgresUrl'), inject('rabbitmqUrl'), {
    CHAIN_ID: String(CHAIN_ID),
    RPC_URLS: server.url,
    CONTRACT_ADDRESSES: '0x3a23F943181408EAC424116Af7b7790c94Cb97a5',
    START_BLOCK: '1',
    BATCH_SIZE: '250',
    POLLING_INTERVAL_MS: '50',
  });
  closing.push(() => system.stop());

  const [fetcher, worker, api, other] = await Promise.all([
    system.start('fetcher'),
    system.start('worker'),
    system.startApi(),
    system.startApi(),
  ]);
  const [all, final] = [new Subscriber(), new Subscriber({ finality: 'FINALIZED' })];
  closing.push(() => Promise.all([all.disconnect(), final.disconnect()]));
  await Promise.all([all.connect(api.url), final.connect(other.url)]);

  await until('the subscriber to hear of events', () => all.events.size > 300);
  await system.kill(worker);
  await system.start('worker');
  await until('more events', () => all.events.size > 1_000);
  await system.kill(api.process);
  await system.kill(fetcher);
  await Promise.all([system.start('fetcher'), all.connect(other.url)]);
  await until('more events', () => all.events.size > 2_000);
  await all.connect((await system.startApi()).url);
  miner.stop();

  await system.untilCovered(CHAIN_ID, 1, () => chain.head);
  await until('the stream to equal the table', async () => same(all.events, await stored(system, '')));
  await until('the finalized stream to equal the final part of the table', async () =>
    same(final.events, await stored(system, 'and block_number <= (select finalized_block from chain)')),
  );
  expect(all.repeats).toEqual([]);
  expect(final.repeats).toEqual([]);
}, 240_000);

async function stored(system: System, condition: string): Promise<Map<string, string>> {
  const rows = await query<{ id: string; hash: string }>(
    system.databaseUrl,
    `select chain_id || ':0x' || encode(tx_hash, 'hex') || ':' || log_index as id, '0x' || encode(block_hash, 'hex') as hash
     from socket_bridge_event where not removed ${condition}`,
  );
  return new Map(rows.map((row) => [row.id, row.hash]));
}

function same(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([id, hash]) => b.get(id) === hash);
}
