import { describe, expect, test } from 'vitest';
import { demoChain } from '#apps/local/demo-chain.js';
import { chainCommandConfig, fetcherConfig, localConfig } from '#libs/config/config.js';
import { eventSyntax } from '#libs/events/event-syntax.js';

const services = { DATABASE_URL: 'postgresql://u:p@localhost/db', RABBITMQ_URL: 'amqp://localhost' };
const A = `0x${'aa'.repeat(20)}`;
const B = `0x${'bb'.repeat(20)}`;

const chainsOf = (env: Record<string, string>) => fetcherConfig({ ...services, ...env }, eventSyntax).chains;

/** The lines that a refusal consists of, `NAME: what is wrong` each. */
function refusal(env: Record<string, string>): string[] {
  try {
    chainsOf(env);
  } catch (error) {
    const [, ...lines] = (error as Error).message.split('\n');
    return lines.map((line) => line.trim());
  }
  return [];
}

describe('several chains in one process', () => {
  test('need nothing but their ids where the chain list knows them; a repeated id counts once', () => {
    expect(chainsOf({ CHAINS: '1, 10,137,10' })).toMatchObject([
      { chainId: 1, chainName: 'Ethereum', startBlock: 16_848_303 },
      { chainId: 10, chainName: 'OP Mainnet' },
      { chainId: 137, chainName: 'Polygon' },
    ]);
  });

  test("a setting with a chain's id is that chain's; without one it holds for all the others", () => {
    const chains = chainsOf({
      CHAINS: '1,10,31337',
      BATCH_SIZE: '500',
      BATCH_SIZE_10: '50',
      CONTRACT_ADDRESSES: A,
      CONTRACT_ADDRESSES_10: B,
      START_BLOCK: 'latest',
      START_BLOCK_1: '20000000',
      POLLING_INTERVAL_MS: '',
      RPC_URLS_31337: 'http://127.0.0.1:8545',
      RPC_MAX_RPS_31337: '5',
      CONFIRMATIONS_31337: '3',
      CHAIN_NAME_31337: 'Mine',
      STALLED_AFTER_SECONDS_31337: '7',
    });
    expect(chains).toMatchObject([
      { chainId: 1, batchSize: 500, sources: [{ address: A }], startBlock: 20_000_000, rpcMaxRps: null },
      { chainId: 10, batchSize: 50, sources: [{ address: B }], startBlock: 'latest', confirmations: null },
      {
        chainId: 31_337,
        chainName: 'Mine',
        rpcUrls: ['http://127.0.0.1:8545'],
        batchSize: 500,
        sources: [{ address: A }],
        startBlock: 'latest',
        rpcMaxRps: 5,
        confirmations: 3,
        stalledAfterMs: 7_000,
      },
    ]);
  });

  test("a chain's own contract wins over all, by whichever name it is given", () => {
    const chains = chainsOf({ CHAINS: '1,10', CONTRACT_ADDRESSES: A, CONTRACT_ADDRESS_10: B });
    expect(chains.map(({ sources }) => sources.map(({ address }) => address))).toEqual([[A], [B]]);
  });

  test.each([
    ['RPC_URLS', 'http://127.0.0.1:8545'],
    ['CHAIN_NAME', 'Mine'],
    ['START_BLOCK', '17000000'],
  ])('cannot share %s=%s, which can be of one chain only', (name, value) => {
    expect(refusal({ CHAINS: '1,10', [name]: value })).toEqual([
      `${name}: fits one chain only: with several in CHAINS, set ${name}_<chain id>`,
    ]);
    expect(refusal({ CHAINS: '1', [name]: value })).toEqual([]);
  });

  test('all bad settings are told at once, each by the name that it was set under', () => {
    const lines = refusal({
      CHAINS: '1,10,31337',
      RPC_URLS_10: 'ftp://host/secret-key',
      BATCH_SIZE: '-5',
      CONFIRMATIONS_1: 'many',
      START_BLOCK_137: '5',
      EVENTS_0137: 'SocketBridge',
      CONTRACT_ADDRESS_56: A,
    });
    expect(lines.map((line) => line.split(':')[0]).toSorted()).toEqual([
      'BATCH_SIZE',
      'CONFIRMATIONS_1',
      'CONTRACT_ADDRESSES_31337',
      'CONTRACT_ADDRESS_56',
      'EVENTS_0137',
      'RPC_URLS_10',
      'RPC_URLS_31337',
      'START_BLOCK_137',
      'START_BLOCK_31337',
    ]);
    expect(lines).toContain('START_BLOCK_137: chain 137 is not in CHAINS (1, 10, 31337)');
    expect(lines).toContain('START_BLOCK_31337: is required: a block number, or latest');
    expect(lines.join()).not.toContain('secret-key');
  });

  test.each(['1;10', '1,x', '0', '-1', '1.5', ','])('CHAINS=%s is refused', (value) => {
    expect(refusal({ CHAINS: value })).toEqual([
      `CHAINS: must be chain ids, separated by commas; ${JSON.stringify(value)} is not`,
    ]);
  });
});

describe('CHAIN_ID', () => {
  test('may say what CHAINS says, and nothing else', () => {
    expect(chainsOf({ CHAINS: '10', CHAIN_ID: '10' })).toMatchObject([{ chainId: 10 }]);
    for (const CHAINS of ['1', '10,1'])
      expect(refusal({ CHAINS, CHAIN_ID: '10' })).toEqual([
        `CHAIN_ID: is 10, and CHAINS says ${CHAINS}: set one of them`,
      ]);
  });

  test('missing, with CHAINS missing too, is the only thing that is told to be missing', () => {
    expect(refusal({})).toEqual([
      expect.stringMatching(/^CHAIN_ID: is required: .* or CHAINS, for several$/),
    ]);
  });

  test("reads the chain's own settings too; those of other chains are other processes'", () => {
    const env = { CHAIN_ID: '10', BATCH_SIZE_10: '7', BATCH_SIZE_1: '9', RPC_URLS_1: 'nonsense' };
    expect(chainsOf(env)).toMatchObject([{ chainId: 10, batchSize: 7 }]);
  });
});

test('everything in one process follows several chains, too', () => {
  const chains = localConfig({ CHAINS: '1,10', BATCH_SIZE_10: '7' }, eventSyntax, demoChain).chains;
  expect(chains.map(({ chainId, batchSize }) => [chainId, batchSize])).toEqual([
    [1, 2_000],
    [10, 7],
  ]);
});

test('a command about a chain asks the endpoints that are set for that chain', () => {
  const env = { ...services, CHAINS: '1,10', RPC_URLS_10: 'http://ten', RPC_URLS_1: 'http://one' };
  expect(chainCommandConfig(env, { chainId: 10 }).rpcUrls).toEqual(['http://ten']);
});
