import { readFileSync } from 'node:fs';
import { afterEach, expect, inject, test } from 'vitest';
import { SimulatedChain } from '#apps/devchain/chain.js';
import { startDevchainServer } from '#apps/devchain/server.js';
import type { ChainLog } from '#libs/events/log.js';
import { ask } from './services/graphql.js';
import { System } from './services/system.js';

interface RealLog {
  readonly chainId: number;
  readonly log: Omit<ChainLog, 'blockTimestamp'>;
  readonly node: Readonly<Record<string, string>>;
}

const realLogs = JSON.parse(
  readFileSync(new URL('./fixtures/real-socket-bridge-logs.json', import.meta.url), 'utf8'),
) as RealLog[];
const closing: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

test('real SocketBridge logs of Ethereum, Base and Arbitrum pass through the whole pipeline to the right GraphQL answer', async () => {
  const system = await System.create(inject('postgresUrl'), inject('rabbitmqUrl'), {});
  closing.push(() => system.stop());
  await system.start('worker');
  for (const { chainId, log } of realLogs) {
    const { blockNumber, blockHash, ...place } = log;
    const chain = SimulatedChain.create({
      seed: 'real',
      chainId,
      head: blockNumber + 50,
      blockTimeMs: 2_000,
      eventsPerBlock: 0,
      pins: [{ number: blockNumber, hash: blockHash, logs: [{ ...place, topics: [...place.topics] }] }],
    });
    const server = await startDevchainServer({ chain });
    closing.push(() => server.close());
    await system.start('fetcher', {
      CHAIN_ID: String(chainId),
      RPC_URLS: server.url,
      START_BLOCK: String(blockNumber - 50),
    });
    await system.untilCovered(chainId, blockNumber - 50, () => chain.head);
  }
  const { url } = await system.startApi();
  const fields = 'id amount token toChainId bridgeName bridge sender receiver metadata';
  const { data } = await ask<{ socketBridgeEvents: { nodes: Record<string, string>[] } }>(
    url,
    `{ socketBridgeEvents(orderBy: [{field: chainId}]) { nodes { ${fields} } } }`,
  );
  const byChain = [...realLogs].sort((a, b) => a.chainId - b.chainId);
  expect(data.socketBridgeEvents.nodes).toEqual(byChain.map(({ node }) => node));
  const chains = await ask<{ chains: { id: number; name: string }[] }>(url, '{ chains { id name } }');
  expect(chains.data.chains).toEqual([
    { id: 1, name: 'Ethereum' },
    { id: 8453, name: 'Base' },
    { id: 42161, name: 'Arbitrum One' },
  ]);
}, 120_000);
