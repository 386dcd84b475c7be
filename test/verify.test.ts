import { afterEach, expect, test } from 'vitest';
import { type Outcome, runBuilt } from './services/command.js';
import { ask } from './services/graphql.js';
import { query } from './services/query.js';
import { byMethod, RecordedRpc } from './services/recorded-rpc.js';
import { startSimulatedRpc } from './services/simulated-rpc.js';
import { CHAIN_ID, GATEWAY, Simulation } from './services/simulation.js';
import { Subscriber } from './services/subscriber.js';
import { until } from './services/until.js';

const closing: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A stored chain that grows no more, with its fetcher and worker running. @param env which events of it are followed. */
async function storedChain(seed: string, env: Record<string, string> = {}): Promise<Simulation> {
  const simulation = await Simulation.start({ seed, head: 1_500, env });
  closing.push(() => simulation.stop());
  await Promise.all([simulation.system.start('worker'), simulation.system.start('fetcher')]);
  await simulation.expectTableEqualsChain();
  await until(
    'finality to be recorded',
    async () => (await finalized(simulation)) === simulation.chain.finalized,
  );
  return simulation;
}

async function finalized(simulation: Simulation): Promise<number> {
  return Number((await simulation.one<{ n: string }>('select finalized_block as n from chain')).n);
}

async function verifiedBlock(simulation: Simulation): Promise<number | null> {
  const { n } = await simulation.one<{ n: string | null }>('select verified_block as n from source');
  return n === null ? null : Number(n);
}

function verify(simulation: Simulation, ...args: string[]): Promise<Outcome> {
  return runBuilt('verify', ['--chain', String(CHAIN_ID), ...args], {
    DATABASE_URL: simulation.system.databaseUrl,
    RPC_URLS: simulation.rpc.url,
    BATCH_SIZE: '200',
  });
}

const sql = (simulation: Simulation, statement: string) => query(simulation.system.databaseUrl, statement);

/** Final rows, the lowest first: `$1`-th of them, as the condition of an update. */
const rowAt = (n: number) =>
  `(tx_hash, log_index) = (select tx_hash, log_index from socket_bridge_event where not removed
     order by block_number, tx_index, log_index offset ${n} limit 1)`;

test('a stored chain is found equal, and is verified through its final block for GraphQL', async () => {
  const simulation = await storedChain('equal');
  const { url } = await simulation.system.startApi();
  const verified = async () => {
    const { data } = await ask<{ chain: { verifiedBlock: number; sources: { verifiedBlock: number }[] } }>(
      url,
      `{ chain(id: ${CHAIN_ID}) { verifiedBlock sources { verifiedBlock } } }`,
    );
    return data.chain;
  };
  expect(await verified()).toEqual({ verifiedBlock: null, sources: [{ verifiedBlock: null }] });
  const part = await verify(simulation, '--from', '100', '--to', '300');
  expect(part).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('not verified from its start block on'),
  });
  const begun = await verify(simulation, '--to', '99');
  expect(begun.stdout).toContain('verified through block 99');
  const { code, stdout, stderr } = await verify(simulation);
  const final = await finalized(simulation);
  const { n } = await simulation.one<{ n: string }>(
    `select count(*) as n from socket_bridge_event where block_number <= ${final}`,
  );
  expect({ code, stderr: stderr.replace(/^block .*\n/gm, '') }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain(`${n} rows compared: 0 missing, 0 extra, 0 different`);
  expect(await verified()).toEqual({ verifiedBlock: final, sources: [{ verifiedBlock: final }] });
  expect(await (await fetch(`${url}/status`)).text()).toContain('verifiedBlock');
}, 120_000);

test('a wrong value in any column is found and named; nothing is changed without --repair', async () => {
  const simulation = await storedChain('columns');
  await verify(simulation);
  const columns = await query<{ name: string; type: string }>(
    simulation.system.databaseUrl,
    `select column_name as name, data_type as type from information_schema.columns
     where table_name = 'socket_bridge_event' and table_schema = current_schema()`,
  );
  const keys = ['chain_id', 'tx_hash', 'log_index'];
  const bookkeeping = ['removed', 'revision', 'write_id'];
  const compared = columns.filter(({ name }) => ![...keys, ...bookkeeping].includes(name));
  expect(compared.length).toBeGreaterThan(12);
  for (const [i, { name, type }] of compared.entries()) {
    const changed: Record<string, string> = {
      bytea: `${name} || '\\x00'`,
      ARRAY: `${name} || array['\\x00'::bytea]`,
      text: `${name} || '!'`,
      'timestamp with time zone': `${name} + interval '1 second'`,
    };
    await sql(
      simulation,
      `update socket_bridge_event set ${name} = ${changed[type] ?? `${name} + 1`} where ${rowAt(10 + 5 * i)}`,
    );
  }
  const before = await sql(simulation, 'select * from socket_bridge_event order by tx_hash, log_index');
  const { code, stdout } = await verify(simulation);
  expect(code).toBe(1);
  expect(stdout).toContain(`0 missing, 0 extra, ${compared.length} different`);
  for (const { name } of compared)
    expect(stdout).toMatch(new RegExp(`^different .*: ${name} is .*, the chain says `, 'm'));
  expect(await sql(simulation, 'select * from socket_bridge_event order by tx_hash, log_index')).toEqual(
    before,
  );
  const [first] = await query<{ n: string }>(
    simulation.system.databaseUrl,
    `select min(block_number) - 1 as n from (select block_number from socket_bridge_event order by block_number, tx_index, log_index offset 10) r`,
  );
  expect(await verifiedBlock(simulation)).toBeLessThanOrEqual(Number(first!.n) + 1);
  expect(await verifiedBlock(simulation)).toBeGreaterThan(0);
}, 120_000);

test('--repair beside running processes makes missing, extra and different rows equal to the chain, for subscribers too', async () => {
  const simulation = await storedChain('repair');
  const { system } = simulation;
  // an extra row that subscribers are told of as they are of every other
  await sql(
    simulation,
    `insert into socket_bridge_event select (jsonb_populate_record(e, jsonb_build_object('tx_hash', '\\x' || repeat('ab', 32)))).*
     from socket_bridge_event e where ${rowAt(40)}`,
  );
  const { url } = await system.startApi();
  const [all, final] = [new Subscriber(), new Subscriber({ finality: 'FINALIZED' })];
  closing.push(() => Promise.all([all.disconnect(), final.disconnect()]));
  await Promise.all([all.connect(url), final.connect(url)]);
  await until('the subscribers to know the extra row', () =>
    [all, final].every(({ events }) => [...events.keys()].some((id) => id.includes('abababab'))),
  );
  await sql(simulation, `update socket_bridge_event set amount = amount + 1 where ${rowAt(3)}`);
  await sql(simulation, `update socket_bridge_event set block_number = block_number + 400 where ${rowAt(5)}`);
  await sql(simulation, `update socket_bridge_event set removed = true where ${rowAt(7)}`);
  await sql(simulation, `delete from socket_bridge_event where ${rowAt(9)}`);
  const { code, stdout, stderr } = await verify(simulation, '--repair');
  expect(stdout, stderr).toContain('stored again, and equal to the chain');
  // the moved row is seen where it should be, and where it is, unless it was moved back before that was looked at
  expect(stdout).toMatch(/ 2 missing, [12] extra, 2 different/);
  expect(code).toBe(0);
  expect(await verifiedBlock(simulation)).toBe(await finalized(simulation));
  await simulation.expectTableEqualsChain();
  const stored = async (condition: string) => {
    const rows = await query<{ id: string; hash: string }>(
      system.databaseUrl,
      `select chain_id || ':0x' || encode(tx_hash, 'hex') || ':' || log_index as id, '0x' || encode(block_hash, 'hex') as hash
       from socket_bridge_event where not removed ${condition}`,
    );
    return Object.fromEntries(rows.map(({ id, hash }) => [id, hash]).sort());
  };
  const heard = ({ events }: Subscriber) => Object.fromEntries([...events].sort());
  await until('the streams to equal the table', async () => {
    const [table, finalPart] = [
      await stored(''),
      await stored('and block_number <= (select finalized_block from chain)'),
    ];
    return (
      JSON.stringify(heard(all)) === JSON.stringify(table) &&
      JSON.stringify(heard(final)) === JSON.stringify(finalPart)
    );
  });
  expect((await verify(simulation)).code).toBe(0);
}, 180_000);

test('events without a folder are compared in their arguments, and repaired', async () => {
  const usdc = '0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48';
  const simulation = await storedChain('no folder', {
    EVENTS:
      'SocketBridge; event Transfer(address indexed from, address indexed to, uint256 value); event Never(string[] a)',
    CONTRACT_ADDRESSES: `${GATEWAY}, Transfer@${usdc}, Never@${usdc}`,
  });
  expect(await verify(simulation)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(' 0 missing, 0 extra, 0 different'),
  });
  const before = await sql(simulation, 'select * from contract_event order by tx_hash, log_index');
  expect(before.length).toBeGreaterThan(100);
  await sql(
    simulation,
    `update contract_event set args = args || '{"value": "1"}' where (tx_hash, log_index) =
       (select tx_hash, log_index from contract_event order by block_number, log_index offset 7 limit 1)`,
  );
  const found = await verify(simulation);
  expect(found.code).toBe(1);
  expect(found.stdout).toMatch(/ 0 missing, 0 extra, 1 different/);
  expect(found.stdout).toMatch(
    /^different .* Transfer of 0xa0b8\w+: args\.value is "1", the chain says "\d+"$/m,
  );
  expect(await verify(simulation, '--repair')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('stored again, and equal to the chain'),
  });
  const after = await sql(simulation, 'select * from contract_event order by tx_hash, log_index');
  const told = (rows: Record<string, unknown>[]) => rows.map(({ write_id, revision, ...row }) => row);
  expect(told(after)).toEqual(told(before));
}, 120_000);

/** An RPC of the chain that conceals a log, by range and by block hash; another log of its block explains the bloom. */
async function lyingRpc({ chain, system }: Simulation): Promise<RecordedRpc> {
  const [hidden] = await query<{ tx: string; index: string }>(
    system.databaseUrl,
    `select '0x' || encode(tx_hash, 'hex') as tx, max(log_index) as index from socket_bridge_event
     where block_number < 1000 group by tx_hash having count(*) > 1 limit 1`,
  );
  const conceals = (log: { transactionHash: string; logIndex: string }) =>
    log.transactionHash === hidden!.tx && Number(log.logIndex) === Number(hidden!.index);
  const honest = await startSimulatedRpc(chain);
  const { answering } = honest;
  honest.answering = (request) => {
    const answer = answering(request)!;
    const replies = [answer.body].flat() as { result?: unknown }[];
    for (const reply of replies)
      if (Array.isArray(reply.result)) reply.result = reply.result.filter((log) => !conceals(log));
    return answer;
  };
  closing.push(() => honest.stop());
  return honest;
}

test('an RPC that conceals logs takes no row away where a second endpoint shows it', async () => {
  const simulation = await storedChain('liar and witness');
  const liar = await lyingRpc(simulation);
  await verify(simulation);
  const before = await sql(simulation, 'select * from socket_bridge_event order by tx_hash, log_index');
  const { code, stdout } = await verify(simulation, '--repair', '--rpc', `${liar.url},${simulation.rpc.url}`);
  expect(code).toBe(1);
  expect(stdout).toMatch(
    /rows stay, for it is not sure that they are extra: 127\.0\.0\.1:\d+ shows 1 of them/,
  );
  // what is left as it is isn't verified, nor is what lies above it
  const [, block] = stdout.match(/^extra +block (\d+) /m)!;
  expect(await verifiedBlock(simulation)).toBe(Number(block) - 1);
  expect(await sql(simulation, 'select * from socket_bridge_event order by tx_hash, log_index')).toEqual(
    before,
  );
}, 120_000);

test('what an RPC conceals with nobody to contradict comes back by the fetcher’s own RPC', async () => {
  const simulation = await storedChain('liar alone');
  const liar = await lyingRpc(simulation);
  const { code, stdout } = await verify(simulation, '--repair', '--rpc', liar.url);
  expect(stdout).toMatch(/, 1 rows marked removed/);
  expect(stdout).toContain("the fetcher's RPC says otherwise than this one");
  expect(code).toBe(1);
  await simulation.expectTableEqualsChain();
  expect((await verify(simulation)).code).toBe(0);
}, 120_000);

test('an RPC of a fork or without the final block is refused before anything is compared', async () => {
  const simulation = await storedChain('fork');
  const before = await sql(simulation, 'select * from socket_bridge_event order by tx_hash, log_index');
  const fork = await startSimulatedRpc(simulation.chain);
  closing.push(() => fork.stop());
  const { answering } = fork;
  fork.answering = (request) => {
    const body = JSON.stringify(answering(request)!.body);
    const hash = simulation.chain.block(simulation.chain.finalized)!.hash;
    return { body: body.replaceAll(hash, `0x${'cd'.repeat(32)}`) };
  };
  const { code, stdout, stderr } = await verify(simulation, '--repair', '--rpc', fork.url);
  expect(code).toBe(4);
  expect(stderr).toMatch(/shows block \d+ as 0xcdcd\w+, stored as final is 0x/);
  expect(stdout).toContain(`npm run repair -- --chain ${CHAIN_ID}`);
  expect(await sql(simulation, 'select * from socket_bridge_event order by tx_hash, log_index')).toEqual(
    before,
  );
  const empty = await RecordedRpc.start(
    byMethod({
      eth_chainId: () => `0x${CHAIN_ID.toString(16)}`,
      eth_getBlockByNumber: () => null,
      eth_getLogs: () => [],
    }),
  );
  closing.push(() => empty.stop());
  const other = await RecordedRpc.start(byMethod({ eth_chainId: () => '0x1' }));
  closing.push(() => other.stop());
  expect(await verify(simulation, '--rpc', other.url)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('is of chain 1'),
  });
}, 120_000);

test.each([
  [[], '--chain is required'],
  [['--chain', 'one'], '--chain must be a whole number, "one" is not'],
  [['--chain', '1', '--from', '-5'], 'argument is ambiguous'],
  [['--chain', '1', '--from', '9', '--to', '8'], '--from 9 is above --to 8'],
  [['--chain', '1', '--rpc', 'secret'], '--rpc must be one or more URLs'],
  [['--chain', '1', '--all'], "Unknown option '--all'"],
  [['--chain', '1', 'now'], "Unexpected argument 'now'"],
])('verify refuses %j and says how it is called', async (args, words) => {
  const { code, stdout, stderr } = await runBuilt('verify', args, {
    DATABASE_URL: 'postgresql://x@127.0.0.1:1/x',
  });
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain(words);
  expect(stderr).toContain('npm run verify -- --chain <id>');
  expect(stderr).not.toMatch(/secret/);
});

test('a database that is away is told, with exit code 4', async () => {
  const env = { DATABASE_URL: 'postgresql://someone:hidden@127.0.0.1:1/x', RPC_URLS: 'http://127.0.0.1:1' };
  const { code, stderr } = await runBuilt('verify', ['--chain', '1'], env);
  expect(code).toBe(4);
  expect(stderr).toMatch(/^Postgres does not answer/);
  expect(stderr).not.toMatch(/hidden/);
});
