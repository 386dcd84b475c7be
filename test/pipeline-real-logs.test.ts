import { readFileSync } from 'node:fs';
import { EventFragment } from 'ethers';
import { afterEach, expect, inject, test } from 'vitest';
import { SimulatedChain } from '#apps/devchain/chain.js';
import { startDevchainServer } from '#apps/devchain/server.js';
import { snakeCase } from '#libs/events/column.js';
import type { ChainLog } from '#libs/events/log.js';
import { events } from '#libs/events/registry.js';
import { ask } from './services/graphql.js';
import { query } from './services/query.js';
import { asTold, identityOf, type RealLog, realLogs, registered } from './services/real-logs.js';
import { get } from './services/rest.js';
import { System } from './services/system.js';

interface BridgeLog {
  readonly chainId: number;
  readonly log: Omit<ChainLog, 'blockTimestamp'>;
  readonly node: Readonly<Record<string, string>>;
}

const bridgeLogs = JSON.parse(
  readFileSync(new URL('./fixtures/real-socket-bridge-logs.json', import.meta.url), 'utf8'),
) as BridgeLog[];
const closing: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

test('real SocketBridge logs of Ethereum, Base and Arbitrum pass through the whole pipeline to the right GraphQL answer', async () => {
  const system = await System.create(inject('postgresUrl'), inject('rabbitmqUrl'), {});
  closing.push(() => system.stop());
  await system.start('worker');
  for (const { chainId, log } of bridgeLogs) {
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
  const byChain = [...bridgeLogs].sort((a, b) => a.chainId - b.chainId);
  expect(data.socketBridgeEvents.nodes).toEqual(byChain.map(({ node }) => node));
  const chains = await ask<{ chains: { id: number; name: string }[] }>(url, '{ chains { id name } }');
  expect(chains.data.chains).toEqual([
    { id: 1, name: 'Ethereum' },
    { id: 8453, name: 'Base' },
    { id: 42161, name: 'Arbitrum One' },
  ]);
}, 120_000);

/** Where the first log stands, far enough up that some blocks are final; each block has its own height, the real ones lie tens of millions apart. */
const FIRST = 30;
/** The last blocks come as news, the others as history. */
const ABOVE = 5;

/** The name that a log's event is followed by: the folder's, or one of its own. */
function nameOf(abi: string): string {
  const folder = registered(abi);
  if (folder) return folder.name;
  const place = abis.findIndex((one) => identityOf(one) === identityOf(abi));
  return `${EventFragment.from(abi).name.replaceAll('_', '')}No${place}`;
}

const abis = [...new Set(realLogs.flatMap(({ abi }) => abi ?? []))];
const erc20 = abis.find((abi) => identityOf(abi) === 'Transfer(address indexed,address indexed,uint256)')!;

/** A chain with all of its real logs, and the environment that a fetcher follows them with. */
function chainWith(chainId: number, own: readonly RealLog[]) {
  const blocks = [...Map.groupBy(own, ({ log }) => log.blockHash).values()];
  const pins = blocks.map((logs, i) => ({
    number: FIRST + i,
    hash: logs[0]!.log.blockHash,
    logs: logs
      .map(({ log }) => ({ ...log, topics: [...log.topics] }))
      .sort((a, b) => a.logIndex - b.logIndex),
  }));
  const head = FIRST + pins.length + ABOVE;
  const chain = SimulatedChain.create({
    seed: 'all',
    chainId,
    head,
    blockTimeMs: 2_000,
    eventsPerBlock: 0,
    pins,
  });
  const followed = [...new Set([erc20, ...own.flatMap(({ abi }) => abi ?? [])])];
  // what nobody can name comes from a contract that is asked for something else
  const contracts = own.map(({ abi, log }) => `${nameOf(abi ?? erc20)}@${log.address}`);
  return {
    chain,
    env: {
      [`EVENTS_${chainId}`]: followed
        .map((abi) => (registered(abi) ? nameOf(abi) : `${nameOf(abi)} = ${abi}`))
        .join('; '),
      [`CONTRACT_ADDRESSES_${chainId}`]: [
        ...new Set(contracts),
        `${nameOf(erc20)}@0x${'20'.repeat(20)}`,
      ].join(),
      [`START_BLOCK_${chainId}`]: '1',
    },
  };
}

interface StoredLog {
  readonly event: string;
  readonly args: unknown;
  readonly topics: string[];
  readonly data: string;
  readonly address: string;
  readonly blockHash: string;
  readonly place: number[];
}

const STORED = `'0x' || encode(address, 'hex') as address, '0x' || encode(block_hash, 'hex') as "blockHash",
  array[tx_index, log_index]::int[] as place, '0x' || encode(data, 'hex') as data,
  array(select '0x' || encode(t, 'hex') from unnest(topics) with ordinality as u(t, n) order by n) as topics`;

test('real logs of nine chains and all kinds (negative, nested, tens of kB, of one topic with other indexing, without topics) are stored exactly under their event, or left where they are of none', async () => {
  const chains = [...Map.groupBy(realLogs, ({ chainId }) => chainId)].map(([id, own]) => chainWith(id, own));
  const env: Record<string, string> = {};
  for (const { chain, env: own } of chains) {
    const server = await startDevchainServer({ chain });
    closing.push(() => server.close());
    Object.assign(env, own, { [`RPC_URLS_${chain.chainId}`]: server.url });
  }
  const ids = chains.map(({ chain }) => chain.chainId);
  const system = await System.create(inject('postgresUrl'), inject('rabbitmqUrl'), {
    CHAINS: ids.join(),
    POLLING_INTERVAL_MS: '100',
    ...env,
  });
  closing.push(() => system.stop());
  await Promise.all([system.start('worker'), system.start('fetcher')]);
  for (const { chain } of chains) await system.untilCovered(chain.chainId, 1, () => chain.head, 120_000);

  const stored = new Map<string, StoredLog>();
  const read = async (table: string, event: string, args: string) => {
    const rows = await query<StoredLog & { key: string }>(
      system.databaseUrl,
      `select chain_id || ' 0x' || encode(tx_hash, 'hex') || ' ' || log_index as key, ${event} as event, ${args} as args, ${STORED}
       from ${table}`,
    );
    for (const { key, ...row } of rows) stored.set(`${key} ${row.event}`, row);
  };
  await read('contract_event', 'event', 'args');
  for (const { name, table } of events)
    if (abis.some((abi) => registered(abi)?.name === name)) await read(table, `'${name}'`, 'null');
  const wanted = realLogs.flatMap(({ abi, chainId, values, log }) => {
    if (!abi) return [];
    const { address, topics, data, blockHash, txIndex, logIndex } = log;
    const event = nameOf(abi);
    const args = registered(abi) ? null : asTold(values!);
    const row = { event, args, address, blockHash, place: [txIndex, logIndex], data, topics: [...topics] };
    return [[`${chainId} ${log.txHash} ${logIndex} ${event}`, row] as const];
  });
  expect(wanted.length).toBeGreaterThan(90);
  expect(Object.fromEntries(stored)).toEqual(Object.fromEntries(wanted));
  for (const table of ['undecodable_log', 'conflicting_log'])
    expect(await query(system.databaseUrl, `select event, reason from ${table}`)).toEqual([]);

  // and each is served under its name
  const { url } = await system.startApi({ REQUESTS_PER_SECOND: '1000' });
  for (const event of new Set(wanted.map(([, row]) => row.event))) {
    const path = `/${snakeCase(event).replaceAll('_', '-')}-events`;
    const { status, body } = await get(url, path, { first: '100' });
    expect([path, status, body]).toEqual([path, 200, expect.anything()]);
    const own = wanted
      .filter(([, row]) => row.event === event)
      .map(([, { data, topics }]) => ({ data, topics }));
    const nodes = body.nodes.map(({ data, topics }: { data: string; topics: string[] }) => ({
      data,
      topics,
    }));
    expect(nodes, path).toHaveLength(own.length);
    expect(nodes, path).toEqual(expect.arrayContaining(own));
  }
}, 300_000);
