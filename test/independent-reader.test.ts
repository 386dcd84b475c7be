import { id } from 'ethers';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { Database } from '#libs/database/database.js';
import { migrate } from '#libs/database/migrate.js';
import { compareTableWithChain, coverageOf, coversExactly } from './independent-reader.js';
import { type Anvil, startAnvil } from './services/anvil.js';
import { deployGateway, type Gateway } from './services/gateway.js';
import { createDatabase } from './services/postgres.js';

/** Another value of the same type for each column. */
const changes = {
  block_hash: "decode(repeat('ab', 32), 'hex')",
  block_timestamp: "block_timestamp + interval '1 second'",
  tx_index: 'tx_index + 1',
  amount: 'amount + 1',
  token: "decode(repeat('ab', 20), 'hex')",
  to_chain_id: 'to_chain_id + 1',
  bridge_name: "decode(repeat('ab', 32), 'hex')",
  bridge: "bridge || ' '",
  sender: "decode(repeat('ab', 20), 'hex')",
  receiver: "decode(repeat('ab', 20), 'hex')",
  metadata: "decode(repeat('ab', 32), 'hex')",
  topics: 'topics || topics',
  data: "data || '\\x00'",
  // these move the row to another key, contract or chain: one row is missing then
  block_number: 'block_number - 1',
  tx_hash: "decode(repeat('ab', 32), 'hex')",
  log_index: 'log_index + 100',
  address: "decode(repeat('ab', 20), 'hex')",
  chain_id: 'chain_id + 1',
  removed: 'true',
};

/** As long as SocketBridge's data, with more than 20 bytes where addresses must be. */
const notAddresses = `0x${'ff'.repeat(224)}`;

let anvil: Anvil;
let gateway: Gateway;
let database: Awaited<ReturnType<typeof createDatabase>>;
let client: Client;
let head: number;

beforeAll(async () => {
  anvil = await startAnvil();
  gateway = await deployGateway(anvil.url);
  await gateway.emitBridge(
    { amount: 2n ** 256n - 1n, toChainId: 2n ** 255n },
    { bridgeName: id('a bridge that nobody knows'), metadata: id('metadata') },
  );
  await gateway.emitOther();
  await gateway.emitRaw('0x1234');
  await gateway.emitRaw(notAddresses);
  await gateway.emitMany(3);
  head = await gateway.mine(2);
  database = await createDatabase(inject('postgresUrl'));
  const project = Database.open(database.url);
  await migrate(project);
  await project.close();
  client = new Client({ connectionString: database.url });
  await client.connect();
  for (const row of await rowsByHand()) await client.query(insertion(row), Object.values(row));
});

afterAll(async () => {
  gateway?.close();
  await client?.end();
  await database?.drop();
  await anvil?.stop();
});

beforeEach(async () => {
  await client.query('create table kept as select * from socket_bridge_event');
});

afterEach(async () => {
  await client.query('truncate socket_bridge_event');
  await client.query('insert into socket_bridge_event select * from kept');
  await client.query('drop table kept');
});

/** What the emitted events must become, from words of the data and without a decoder. */
async function rowsByHand(): Promise<Record<string, unknown>[]> {
  const logs = await gateway.provider.getLogs({ address: gateway.address, fromBlock: 0, toBlock: 'latest' });
  const events = logs.filter((log) => log.data.length === 2 + 2 * 224 && log.data !== notAddresses);
  return Promise.all(
    events.map(async (log) => {
      const words = log.data.slice(2).match(/.{64}/g)!;
      const address = (word: string) => Buffer.from(word.slice(24), 'hex');
      const block = await gateway.provider.getBlock(log.blockNumber);
      return {
        chain_id: gateway.chainId,
        block_number: log.blockNumber,
        block_hash: buffer(log.blockHash),
        block_timestamp: new Date(block!.timestamp * 1000),
        tx_hash: buffer(log.transactionHash),
        tx_index: log.transactionIndex,
        log_index: log.index,
        address: buffer(log.address),
        amount: BigInt(`0x${words[0]}`),
        token: address(words[1]!),
        to_chain_id: BigInt(`0x${words[2]}`),
        bridge_name: Buffer.from(words[3]!, 'hex'),
        bridge: `0x${words[3]}` === id('Hop') ? 'Hop' : `0x${words[3]}`,
        sender: address(words[4]!),
        receiver: address(words[5]!),
        metadata: Buffer.from(words[6]!, 'hex'),
        topics: log.topics.map(buffer),
        data: buffer(log.data),
        write_id: 1,
      };
    }),
  );
}

function buffer(hex: string): Buffer {
  return Buffer.from(hex.slice(2), 'hex');
}

function insertion(row: Record<string, unknown>): string {
  const names = Object.keys(row);
  return `insert into socket_bridge_event (${names.join(', ')}) values (${names.map((_, i) => `$${i + 1}`).join(', ')})`;
}

function compare(blocksPerRequest?: number) {
  const { chainId, address } = gateway;
  return compareTableWithChain({
    databaseUrl: database.url,
    rpcUrl: anvil.url,
    chainId,
    address,
    fromBlock: 0,
    toBlock: head,
    blocksPerRequest,
  });
}

describe('the independent reader', () => {
  test('finds no difference where there is none, whatever the size of its requests', async () => {
    expect(await compare()).toEqual({ rows: 5, differences: [] });
    expect(await compare(1)).toEqual({ rows: 5, differences: [] });
  });

  test('notices one missing row', async () => {
    await client.query('delete from socket_bridge_event where amount = 2');
    expect((await compare()).differences).toEqual([expect.stringContaining('1 missing')]);
  });

  test('notices one row too many', async () => {
    await client.query('create temp table extra as select * from socket_bridge_event where amount = 2');
    await client.query('update extra set log_index = 7777');
    await client.query('insert into socket_bridge_event select * from extra');
    await client.query('drop table extra');
    expect((await compare()).differences).toEqual([expect.stringContaining('1 too many')]);
  });

  test.each(Object.entries(changes))('notices a changed %s of one row', async (column, value) => {
    await client.query(`update socket_bridge_event set ${column} = ${value} where amount = 2`);
    const { differences } = await compare();
    expect(differences.join('\n')).toMatch(new RegExp(`${column} is|missing`));
  });

  test('knows whether it compares every column of the table', async () => {
    await client.query('alter table socket_bridge_event add column novelty int');
    await expect(compare()).rejects.toThrow('novelty');
    await client.query('alter table socket_bridge_event drop column novelty');
    const { rows } = await client.query<{ column_name: string }>(
      `select column_name from information_schema.columns where table_name = 'socket_bridge_event' and column_name not in ('revision', 'write_id')`,
    );
    expect(Object.keys(changes).sort()).toEqual(rows.map((row) => row.column_name).sort());
  });

  test('refuses an RPC of another chain', async () => {
    const comparison = {
      databaseUrl: database.url,
      rpcUrl: anvil.url,
      address: gateway.address,
      fromBlock: 0,
      toBlock: 1,
    };
    await expect(compareTableWithChain({ ...comparison, chainId: 1 })).rejects.toThrow('not 1');
  });

  test('tells coverage without a hole from one with', async () => {
    await client.query(
      `insert into source (chain_id, address, event, start_block, coverage)
       values (5, '\\x01', 'SocketBridge', 3, '{[3,10)}'), (5, '\\x02', 'SocketBridge', 3, '{[3,5),[6,10)}'), (5, '\\x03', 'SocketBridge', 3, '{}')`,
    );
    const [whole, holed, empty] = await coverageOf({ databaseUrl: database.url, chainId: 5 });
    expect(whole).toEqual({ address: '0x01', event: 'SocketBridge', startBlock: 3, ranges: [[3, 9]] });
    expect(coversExactly(whole!, 3, 9)).toBe(true);
    for (const [from, to] of [
      [3, 10],
      [2, 9],
      [4, 9],
    ] as const)
      expect(coversExactly(whole!, from, to)).toBe(false);
    for (const source of [holed!, empty!]) expect(coversExactly(source, 3, 9)).toBe(false);
  });
});
