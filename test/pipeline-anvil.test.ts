import { afterEach, expect, inject, test } from 'vitest';
import { compareTableWithChain } from './independent-reader.js';
import { startAnvil } from './services/anvil.js';
import { deployGateway } from './services/gateway.js';
import { query } from './services/query.js';
import { System } from './services/system.js';
import { until } from './services/until.js';

const closing: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function start() {
  const anvil = await startAnvil();
  closing.push(() => anvil.stop());
  const gateway = await deployGateway(anvil.url);
  closing.push(() => gateway.close());
  const system = await System.create(inject('postgresUrl'), inject('rabbitmqUrl'), {
    CHAIN_ID: String(gateway.chainId),
    RPC_URLS: `${anvil.url},${anvil.wsUrl}`,
    CONTRACT_ADDRESS: gateway.address,
    START_BLOCK: '0',
    CONFIRMATIONS: '5',
    POLLING_INTERVAL_MS: '50',
  });
  closing.push(() => system.stop());
  /** Waits until the table equals the chain: a reorg to the same height leaves coverage as it was. @returns the chain's events */
  const untilTableEqualsChain = () =>
    until('the table to equal the chain', async () => {
      await system.untilCovered(gateway.chainId, 0, () => gateway.head());
      const place = {
        chainId: gateway.chainId,
        address: gateway.address,
        fromBlock: 0,
        toBlock: await gateway.head(),
      };
      const result = await compareTableWithChain({
        databaseUrl: system.databaseUrl,
        rpcUrl: anvil.url,
        ...place,
      });
      if (result.differences.length) throw new Error(result.differences.slice(0, 3).join('; '));
      return result;
    });
  return { gateway, system, untilTableEqualsChain };
}

test('a real EVM node: history, new blocks, a thousand events in one transaction and reorgs end with table = chain', async () => {
  const { gateway, system, untilTableEqualsChain } = await start();
  await gateway.emitBridge({}, { toChainId: 2n ** 256n - 1n, amount: 0n });
  await gateway.emitOther();
  await gateway.mine(30);
  await gateway.emitBridge({ amount: 2n ** 256n - 1n, bridgeName: `0x${'ff'.repeat(32)}` });
  await system.start('fetcher');
  await system.start('worker');
  expect((await untilTableEqualsChain()).rows).toBe(3);
  await gateway.emitMany(1_000);
  expect((await untilTableEqualsChain()).rows).toBe(1_003);
  await gateway.reorg(2, [{ block: 1, bridges: [{ amount: 5n }] }]);
  expect((await untilTableEqualsChain()).rows).toBe(3);
  const [removed] = await query<{ n: string }>(
    system.databaseUrl,
    'select count(*) as n from socket_bridge_event where removed',
  );
  expect(Number(removed!.n)).toBeGreaterThanOrEqual(1_000);
}, 120_000);

test('a broken log with the topic of SocketBridge is kept as undecodable with the reason, and the rest of its block is stored', async () => {
  const { gateway, system } = await start();
  await gateway.emitBridge();
  await gateway.emitRaw('0x1234');
  await gateway.mine(10);
  await gateway.emitRaw(`0x${'ff'.repeat(224)}`);
  await gateway.emitBridge();
  await system.start('fetcher');
  await system.start('worker');
  await until('two undecodable logs', async () => {
    const rows = await query<{ reason: string }>(system.databaseUrl, 'select reason from undecodable_log');
    return rows.length === 2;
  });
  const rows = await query<{ reason: string }>(
    system.databaseUrl,
    'select reason from undecodable_log order by block_number',
  );
  expect(rows[0]!.reason).toContain('224 bytes of data, this log has 2');
  await system.untilCovered(gateway.chainId, 0, () => gateway.head());
  const stored = await query<{ n: string }>(
    system.databaseUrl,
    'select count(*) as n from socket_bridge_event',
  );
  expect(Number(stored[0]!.n)).toBe(2);
}, 120_000);
