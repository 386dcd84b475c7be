import { describe, expect, test } from 'vitest';
import { demoChain } from '#apps/local/demo-chain.js';
import { chains } from '#libs/config/chains.js';
import { apiConfig, fetcherConfig, localConfig } from '#libs/config/config.js';
import { eventSyntax } from '#libs/events/event-syntax.js';

const services = { DATABASE_URL: 'postgresql://u:p@localhost/db', RABBITMQ_URL: 'amqp://localhost' };
/** The only chain of a fetcher with these settings. */
const fetcher = (env: Record<string, string>) => {
  const { chains } = fetcherConfig({ ...services, ...env }, eventSyntax);
  expect(chains).toHaveLength(1);
  return chains[0]!;
};

test('a chain of the list needs nothing but its id', () => {
  expect(fetcher({ CHAIN_ID: '1' })).toMatchObject({
    chainName: 'Ethereum',
    sources: [{ address: '0x3a23f943181408eac424116af7b7790c94cb97a5', event: { name: 'SocketBridge' } }],
    startBlock: 16_848_303,
    confirmations: null,
    fallbackConfirmations: 65,
  });
});

test('an unknown chain works when its env is complete', () => {
  const env = {
    CHAIN_ID: '999999',
    RPC_URLS: 'http://a, wss://b',
    CONTRACT_ADDRESS: `0x${'AB'.repeat(20)}`,
    START_BLOCK: 'latest',
  };
  expect(fetcher(env)).toMatchObject({
    chainName: 'Chain 999999',
    rpcUrls: ['http://a', 'wss://b'],
    sources: [{ address: `0x${'ab'.repeat(20)}` }],
    startBlock: 'latest',
  });
});

test('every bad variable is named at once, with its rule', () => {
  const bad = {
    DATABASE_URL: 'mysql://x',
    CHAIN_ID: '999999',
    RPC_URLS: 'nonsense',
    CONTRACT_ADDRESSES: '0x1234',
    BATCH_SIZE: '-5',
    EVENTS: 'Nope',
    POLLING_INTERVAL_MS: '1e3',
    LOG_LEVEL: 'loud',
  };
  const names = [
    'DATABASE_URL',
    'RPC_URLS',
    'CONTRACT_ADDRESSES',
    'BATCH_SIZE',
    'EVENTS',
    'POLLING_INTERVAL_MS',
    'LOG_LEVEL',
    'START_BLOCK',
  ];
  let message = '';
  try {
    fetcher(bad);
  } catch (error) {
    message = (error as Error).message;
  }
  for (const name of names) expect(message).toMatch(new RegExp(`^  ${name}: (must be|is required)`, 'm'));
  expect(message).toContain('a whole number from 1 to 1000000; "-5" is not');
});

test('RPC_MAX_RPS takes numbers from 1 on, also decimal ones; unset there is no cap', () => {
  const rps = (value?: string) => fetcher({ CHAIN_ID: '1', ...(value && { RPC_MAX_RPS: value }) }).rpcMaxRps;
  expect([rps(), rps('25'), rps('1.6')]).toEqual([null, 25, 1.6]);
  for (const bad of ['0', '0.9', '-1', '1e3', 'many', '100001'])
    expect(() => rps(bad)).toThrow(/RPC_MAX_RPS/);
});

test('a bad URL is refused without showing it, since it may hold a key', () => {
  expect(() => fetcher({ CHAIN_ID: '1', RPC_URLS: 'ftp://host/secret-key' })).toThrow(/RPC_URLS: must be/);
  expect(() => fetcher({ CHAIN_ID: '1', RPC_URLS: 'ftp://host/secret-key' })).not.toThrow(/secret-key/);
});

describe('defaults', () => {
  test('the API listens on this machine only, port 4000, for pages of this machine', () => {
    expect(apiConfig(services)).toMatchObject({ host: '127.0.0.1', port: 4000, corsOrigins: 'localhost' });
  });

  test('everything in one process needs no setting, and follows the simulated chain', () => {
    expect(localConfig({}, eventSyntax, demoChain)).toMatchObject({
      databaseUrl: null,
      rabbitmqUrl: null,
      chains: [],
      ownChain: {
        chainId: 1337,
        startBlock: 1,
        batchSize: 2_000,
        pollingIntervalMs: 500,
        confirmations: null,
      },
    });
  });

  test('the simulated chain is followed as its settings say, and bad ones are refused', () => {
    const env = { BATCH_SIZE: '7', START_BLOCK_1337: 'latest', CONFIRMATIONS: '3', RPC_MAX_RPS: '9' };
    expect(localConfig(env, eventSyntax, demoChain).ownChain).toMatchObject({
      batchSize: 7,
      startBlock: 'latest',
      confirmations: 3,
      rpcMaxRps: 9,
    });
    expect(() => localConfig({ BATCH_SIZE: '0' }, eventSyntax, demoChain)).toThrow(
      /BATCH_SIZE: must be a whole number from 1/,
    );
  });
});

test('the chain list is complete: unique ids, addresses of 20 bytes, at least one RPC each', () => {
  expect(chains).toHaveLength(23);
  expect(new Set(chains.map((c) => c.id)).size).toBe(23);
  for (const chain of chains) {
    expect(chain.contract, chain.name).toMatch(/^0x[0-9a-f]{40}$/);
    expect(chain.rpcUrls.length, chain.name).toBeGreaterThan(0);
    expect(chain.startBlock, chain.name).toBeGreaterThan(0);
  }
});
