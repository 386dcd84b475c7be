import { afterEach, expect, test } from 'vitest';
import { BUNGEE_GATEWAY, NFT } from '#apps/devchain/further-contracts.js';
import { knownEvents, withoutTable } from './independent-events.js';
import { runBuilt } from './services/command.js';
import { query } from './services/query.js';
import { CHAIN_ID, GATEWAY, Simulation } from './services/simulation.js';

const USDC = '0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48';
const USDT = '0xdac17f958d2ee523a2206206994597c13d831ec7';
const ERC20 = 'event Transfer(address indexed from, address indexed to, uint256 value)';
const ERC721 = 'event Transfer(address indexed from, address indexed to, uint256 indexed tokenId)';

const closing: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Which events of which contracts are followed, as the independent reader knows them. */
const followed = [
  ...Object.entries(knownEvents).map(([name, event]) => {
    return { name, event, address: name === 'RequestExtracted' ? BUNGEE_GATEWAY : GATEWAY };
  }),
  ...[USDC, USDT].map((address) => ({ name: 'Transfer', event: withoutTable('Transfer', ERC20), address })),
  { name: 'NameTransfer', event: withoutTable('NameTransfer', ERC721), address: NFT },
];

test('all events of several contracts together, with and without a folder, through kill -9 and reorgs: each table equals the chain', async () => {
  const simulation = await Simulation.start({
    seed: 'all events',
    head: 2_500,
    chain: { eventsPerBlock: 3 },
    provider: { maxRange: 500 },
    env: {
      EVENTS: [...Object.keys(knownEvents), ERC20, `NameTransfer = ${ERC721}`].join('; '),
      CONTRACT_ADDRESSES: `${GATEWAY}, RequestExtracted@${BUNGEE_GATEWAY}, Transfer@${USDC}, Transfer@${USDT}, NameTransfer@${NFT}`,
    },
  });
  closing.push(() => simulation.stop());
  const { chain, system } = simulation;
  await system.start('worker');
  const worker = await system.start('worker');
  const fetcher = await system.start('fetcher');
  await simulation.untilRows(1_000);
  await system.kill(worker);
  await system.kill(fetcher);
  chain.reorg({ depth: 4 });
  await Promise.all([system.start('worker'), system.start('fetcher')]);
  for (const depth of [1, 3, 6, 9, 12]) {
    await simulation.untilTipFollowed();
    chain.reorg({ depth, newHead: chain.head + (depth % 2) });
  }
  await simulation.untilTipFollowed();

  const rows: Record<string, number> = {};
  for (const { name, event, address } of followed)
    rows[`${name} ${address}`] = await simulation.expectTableEqualsChain(1, address, event);
  expect(Object.keys(rows)).toHaveLength(11);
  for (const [what, count] of Object.entries(rows)) expect(count, what).toBeGreaterThan(3);
  // nothing else is in the tables, nor was anything of these events unreadable
  const tables = new Set(followed.map(({ event }) => event.table));
  const counts = [...tables].map((table) => `select count(*)::int as n from ${table} where not removed`);
  const stored = await query<{ n: number }>(system.databaseUrl, counts.join(' union all '));
  const total = (numbers: readonly number[]) => numbers.reduce((sum, n) => sum + n, 0);
  expect(total(stored.map(({ n }) => n))).toBe(total(Object.values(rows)));
  const removed = [...tables].map((table) => `select count(*)::int as n from ${table} where removed`);
  expect(
    total((await query<{ n: number }>(system.databaseUrl, removed.join(' union all '))).map(({ n }) => n)),
  ).toBeGreaterThan(0);
  expect(await query(system.databaseUrl, 'select * from undecodable_log')).toEqual([]);
  const env = { DATABASE_URL: system.databaseUrl, RPC_URLS: simulation.rpc.url };
  expect(await runBuilt('verify', ['--chain', String(CHAIN_ID)], env)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(' 0 missing, 0 extra, 0 different'),
  });
}, 400_000);
