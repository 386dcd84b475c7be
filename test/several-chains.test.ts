import { afterEach, expect, inject, test } from 'vitest';
import { SimulatedChain } from '#apps/devchain/chain.js';
import { Miner } from '#apps/devchain/miner.js';
import { type DevchainServer, startDevchainServer } from '#apps/devchain/server.js';
import { compareTableWithChain } from './independent-reader.js';
import { query } from './services/query.js';
import { GATEWAY } from './services/simulation.js';
import { System, type SystemProcess } from './services/system.js';
import { until } from './services/until.js';

const IDS = [1337, 1338, 1339, 1340];

const closing: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A chain that is being mined, and its RPC. */
interface MinedChain {
  readonly chain: SimulatedChain;
  readonly server: DevchainServer;
  readonly miner: Miner;
}

async function mine(chainId: number): Promise<MinedChain> {
  const chain = SimulatedChain.create({
    chainId,
    seed: `chain ${chainId}`,
    head: 400,
    blockTimeMs: 500,
    eventsPerBlock: 1,
  });
  const server = await startDevchainServer({ chain });
  closing.push(() => server.close());
  const miner = new Miner(chain, { reorgEvery: 10 });
  miner.start();
  closing.push(() => miner.stop());
  return { chain, server, miner };
}

/** The system with a worker; its fetchers follow all these chains. */
async function startSystem(chains: readonly MinedChain[], env: Record<string, string> = {}): Promise<System> {
  const rpcs = chains.map(({ chain, server }) => [`RPC_URLS_${chain.chainId}`, server.url]);
  const system = await System.create(inject('postgresUrl'), inject('rabbitmqUrl'), {
    CHAINS: chains.map(({ chain }) => chain.chainId).join(),
    CONTRACT_ADDRESSES: GATEWAY,
    POLLING_INTERVAL_MS: '100',
    HEALTH_PORT: '0',
    ...Object.fromEntries([...rpcs, ...chains.map(({ chain }) => [`START_BLOCK_${chain.chainId}`, '1'])]),
    ...env,
  });
  closing.push(() => system.stop());
  await system.start('worker');
  return system;
}

/** Chains that a process leads now, by its own metrics and by its leases. */
async function ledBy(system: System, fetcher: SystemProcess): Promise<number[]> {
  const rows = await query<{ id: string }>(
    system.databaseUrl,
    'select chain_id as id from chain_lane where expires_at > clock_timestamp() and holder like $1 order by chain_id',
    [`%:${fetcher.pid}:%`],
  );
  return rows.map(({ id }) => Number(id));
}

async function untilShared(system: System, counts: ReadonlyMap<SystemProcess, number>): Promise<void> {
  const words = `the chains to be shared ${[...counts.values()].join(' and ')}`;
  await until(words, async () => {
    const led = await Promise.all(
      [...counts].map(async ([fetcher, n]) => (await ledBy(system, fetcher)).length === n),
    );
    return led.every(Boolean);
  }).catch((error: Error) => {
    const said = [...counts.keys()].map((fetcher) => fetcher.output().slice(-2_000));
    throw new Error(`${error.message}\n${said.join('\n')}`);
  });
}

/** Waits until each chain's tip, as it is now or a later one, is stored. */
async function untilFollowed(system: System, chains: readonly MinedChain[]): Promise<void> {
  for (const { chain } of chains) {
    const { head } = chain;
    await until(`block ${head} of chain ${chain.chainId}`, async () => {
      const [row] = await query<{ top: string | null }>(
        system.databaseUrl,
        'select max(number) as top from block where chain_id = $1',
        [chain.chainId],
      );
      return Number(row!.top) >= head;
    });
  }
}

async function termsOf(system: System): Promise<number[]> {
  const rows = await query<{ term: string }>(
    system.databaseUrl,
    'select term from chain_lane order by chain_id',
  );
  return rows.map(({ term }) => Number(term));
}

/** Mines no more, and compares each chain's rows with the chain. */
async function expectTablesEqualChains(system: System, chains: readonly MinedChain[]): Promise<void> {
  for (const { miner } of chains) miner.stop();
  for (const { chain, server } of chains) {
    await system.untilCovered(chain.chainId, 1, () => chain.head);
    const result = await compareTableWithChain({
      databaseUrl: system.databaseUrl,
      rpcUrl: server.url,
      chainId: chain.chainId,
      address: GATEWAY,
      fromBlock: 1,
      toBlock: chain.head,
    });
    expect(result.differences).toEqual([]);
    expect(result.rows).toBeGreaterThan(200);
  }
}

test('two processes share four chains two and two; when one is killed the other leads all, and when it is back they share them again: every row is there once', async () => {
  const chains = await Promise.all(IDS.map(mine));
  const system = await startSystem(chains);
  const first = await system.start('fetcher');
  await untilShared(system, new Map([[first, 4]]));
  const second = await system.start('fetcher');
  await untilShared(
    system,
    new Map([
      [first, 2],
      [second, 2],
    ]),
  );
  await untilFollowed(system, chains);

  await system.kill(second);
  await untilShared(system, new Map([[first, 4]]));
  await untilFollowed(system, chains);

  const third = await system.start('fetcher');
  await untilShared(
    system,
    new Map([
      [first, 2],
      [third, 2],
    ]),
  );
  const terms = await termsOf(system);
  await untilFollowed(system, chains);
  // no one takes back what was handed over, and hands it over again
  await third.end('SIGTERM');
  await untilShared(system, new Map([[first, 4]]));
  const raised = (await termsOf(system)).reduce((sum, term, i) => sum + term - terms[i]!, 0);
  expect(raised).toBe(2);
  expect(first.output()).toMatch(/handing over to .*:\d+:/);
  await expectTablesEqualChains(system, chains);
}, 300_000);

test("a chain whose RPC is another chain's, and one whose RPC is away, leave the others of their process alone; readiness says why", async () => {
  const chains = await Promise.all(IDS.slice(0, 3).map(mine));
  const [wrong, away, well] = chains as [MinedChain, MinedChain, MinedChain];
  const system = await startSystem(chains, {
    [`RPC_URLS_${wrong.chain.chainId}`]: well.server.url,
    [`RPC_URLS_${away.chain.chainId}`]: 'http://127.0.0.1:9',
  });
  const fetcher = await system.start('fetcher');
  const [, health] = await fetcher.untilOutput(/metrics: (http:\/\/127\.0\.0\.1:\d+)/, 60_000);
  await untilFollowed(system, [well]);
  const { chainId } = well.chain;
  const words = await until('both chains to say what is wrong', async () => {
    const text = await (await fetch(`${health}/readyz`)).text();
    return /chain 1337/.test(text) && /chain 1338: unreachable/.test(text) && text;
  });
  expect(words).toMatch(/^chain 1337: halted: 127\.0\.0\.1:\d+ is of chain 1339, not 1337/m);
  expect(words).not.toMatch(new RegExp(`^chain ${chainId}`, 'm'));
  await until('each state to be told', async () => {
    const rows = await query<{ state: string }>(
      system.databaseUrl,
      'select state from chain order by chain_id',
    );
    return rows.map(({ state }) => state).join() === 'halted,unreachable,following';
  });

  // one that can reach them takes them, and is not asked to share with one that can't
  const able = await system.start('fetcher', {
    [`RPC_URLS_${wrong.chain.chainId}`]: wrong.server.url,
    [`RPC_URLS_${away.chain.chainId}`]: away.server.url,
  });
  await untilFollowed(system, chains);
  await until('it to lead both', async () => (await ledBy(system, able)).join() === '1337,1338');
  await expectTablesEqualChains(system, chains);
}, 240_000);

test('a process that stands by and does not reach the chain is no candidate for it, until it reaches it again', async () => {
  const mined = await mine(IDS[0]!);
  const { chain } = mined;
  const system = await startSystem([mined]);
  const leader = await system.start('fetcher');
  await untilShared(system, new Map([[leader, 1]]));
  let own = await startDevchainServer({ chain });
  closing.push(() => own.close());
  const standby = await system.start('fetcher', { [`RPC_URLS_${chain.chainId}`]: own.url });
  await standby.untilOutput(/standing by/, 60_000);
  const standsReady = async () => {
    const rows = await query(
      system.databaseUrl,
      'select 1 from chain_candidate where expires_at > clock_timestamp() and process like $1',
      [`%:${standby.pid}:%`],
    );
    return rows.length > 0;
  };
  await until('it to stand ready', standsReady);
  const port = Number(new URL(own.url).port);
  await own.close();
  await until('it to stand ready no more', async () => !(await standsReady()));
  own = await startDevchainServer({ chain, port });
  await until('it to stand ready again', standsReady);
}, 180_000);
