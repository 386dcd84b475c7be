import { afterEach, expect, inject, test } from 'vitest';
import { startAnvil } from './services/anvil.js';
import { query } from './services/query.js';
import { blocksUpTo } from './services/recorded-blocks.js';
import { byMethod, RecordedRpc } from './services/recorded-rpc.js';
import { System } from './services/system.js';
import { until } from './services/until.js';

const closing: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function system(env: Record<string, string>): Promise<System> {
  const made = await System.create(inject('postgresUrl'), inject('rabbitmqUrl'), env);
  closing.push(() => made.stop());
  return made;
}

interface StateRow {
  readonly state: string;
  readonly reason: string | null;
}
const stateOf = async ({ databaseUrl }: System) =>
  (await query<StateRow>(databaseUrl, 'select state, state_reason as reason from chain'))[0];

test('a fetcher refuses an endpoint of another chain, and says both ids, also in the chain’s state', async () => {
  const anvil = await startAnvil();
  closing.push(() => anvil.stop());
  const running = await system({ CHAIN_ID: '1', RPC_URLS: anvil.url });
  const fetcher = await running.start('fetcher');
  await fetcher.exited;
  const words = 'of chain 31337, not 1';
  expect(fetcher.output()).toContain(words);
  expect(await stateOf(running)).toEqual({ state: 'halted', reason: expect.stringContaining(words) });
}, 60_000);

test('when another chain appears behind the only endpoint, the chain halts and its state says both ids', async () => {
  const anvil = await startAnvil();
  const running = await system({
    CHAIN_ID: '31337',
    CONTRACT_ADDRESS: `0x${'aa'.repeat(20)}`,
    START_BLOCK: '0',
    RPC_URLS: anvil.url,
  });
  const fetcher = await running.start('fetcher');
  await running.start('worker');
  await until('the chain to be followed', async () => (await stateOf(running))?.state === 'following');
  await anvil.stop();
  const other = await startAnvil({ port: Number(new URL(anvil.url).port), args: ['--chain-id', '31338'] });
  closing.push(() => other.stop());
  const reason = await until('the state', async () => {
    const row = await stateOf(running);
    // a chain that is there again at once shows another final block before it is asked for its id
    return row?.state === 'halted' && row.reason?.includes('is of chain') && row.reason;
  });
  expect(reason).toContain('is of chain 31338, not 31337');
  expect(fetcher.output()).toContain('is of chain 31338');
}, 120_000);

test('a chain whose only RPC refuses old blocks is followed, and its state says why the history waits', async () => {
  const rpc = await RecordedRpc.start(
    byMethod({
      eth_chainId: () => '0x7',
      eth_getBlockByNumber: blocksUpTo(1_000, 990),
      eth_getLogs: ({ fromBlock }: { fromBlock?: string }) =>
        fromBlock && Number(fromBlock) < 980 ? new Error('pruned history unavailable') : [],
    }),
  );
  closing.push(() => rpc.stop());
  const running = await system({
    CHAIN_ID: '7',
    CONTRACT_ADDRESS: `0x${'aa'.repeat(20)}`,
    START_BLOCK: '0',
    RPC_URLS: rpc.url,
  });
  const fetcher = await running.start('fetcher');
  await running.start('worker');
  const reason = await until('the state', async () => {
    const row = await stateOf(running);
    return row?.state === 'following' && row.reason;
  });
  expect(reason).toMatch(/the history waits: 127\.0\.0\.1:\d+ eth_getLogs: pruned history unavailable/);
  // the plan tries again and again; the endpoint isn't asked and the log says it once
  const asked = rpc.calls('eth_chainId').length;
  await until('the next looks at the head', () => rpc.calls('eth_getBlockByNumber').length > asked + 20);
  expect(fetcher.output().match(/the history waits/g)).toHaveLength(1);
  expect(fetcher.output()).not.toContain('unreachable');
}, 120_000);

test('a chain whose RPC is down says so in its state, without the key in the URL, and is followed once it is up', async () => {
  const anvil = await startAnvil();
  await anvil.stop();
  const env = {
    CHAIN_ID: '31337',
    CONTRACT_ADDRESS: `0x${'aa'.repeat(20)}`,
    START_BLOCK: '0',
    CONFIRMATIONS: '0',
  };
  const running = await system({ ...env, RPC_URLS: `${anvil.url}/?apikey=secret-key` });
  const fetcher = await running.start('fetcher');
  await running.start('worker');
  const reason = await until('the state', async () => {
    const chain = await stateOf(running);
    return chain?.state === 'unreachable' && chain.reason;
  });
  expect(reason).toContain('127.0.0.1');
  expect(`${reason}${fetcher.output()}`).not.toContain('secret-key');
  const port = Number(new URL(anvil.url).port);
  const again = await startAnvil({ port });
  closing.push(() => again.stop());
  await running.untilCovered(31337, 0, () => 0);
}, 120_000);
