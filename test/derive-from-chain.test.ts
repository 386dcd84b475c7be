import { pino } from 'pino';
import { afterEach, beforeEach, expect, inject, test, vi } from 'vitest';
import { requestOf } from '#apps/derive/arguments.js';
import { derive } from '#apps/derive/derive.js';
import { SimulatedChain } from '#apps/devchain/chain.js';
import { ChainClient } from '#libs/chain/chain-client.js';
import { Database } from '#libs/database/database.js';
import { decodeLogs } from '#libs/database/decode-logs.js';
import { migrate } from '#libs/database/migrate.js';
import { storeHistory } from '#libs/database/store-history.js';
import { defineEvent } from '#libs/events/event.js';
import type { ChainLog } from '#libs/events/log.js';
import { events } from '#libs/events/registry.js';
import { createDatabase } from './services/postgres.js';
import { query } from './services/query.js';
import type { RecordedRpc } from './services/recorded-rpc.js';
import { startSimulatedRpc } from './services/simulated-rpc.js';
import { GATEWAY } from './services/simulation.js';

vi.mock('#libs/events/registry.js', async () => {
  const { defineEvent } = await import('#libs/events/event.js');
  const bridged = defineEvent({
    name: 'Bridged',
    signature:
      'event SocketBridge(uint256 amount, address token, uint256 toChainId, bytes32 bridgeName, address sender, address receiver, bytes32 metadata)',
    description: 'A test: what the log says, and what it does not.',
    columns: {
      amount: { kind: 'uint256', description: 'From the log.' },
      digits: {
        kind: 'safeInt',
        nullable: true,
        description: 'From the log.',
        from: (a) => String(a.amount).length,
      },
      origin: { kind: 'address', description: 'Who sent it.', fromChain: 'transactionSender' },
      target: { kind: 'address', description: 'Whom it was sent to.', fromChain: 'transactionRecipient' },
      coins: { kind: 'uint256', description: 'What was sent along.', fromChain: 'transactionValue' },
      gas: { kind: 'safeInt', description: 'What it took.', fromChain: 'gasUsed' },
      gasPrice: { kind: 'uint256', description: 'What it cost.', fromChain: 'effectiveGasPrice' },
    },
  });
  return { events: [bridged], eventByName: (name: string) => (name === 'Bridged' ? bridged : undefined) };
});

const CHAIN_ID = 1337;
const HEAD = 300;
const event = events[0]!;
const source = { address: GATEWAY.toLowerCase(), event: event.name };

let chain: SimulatedChain;
let rpc: RecordedRpc;
let database: Database;
let url: string;
let logs: ChainLog[];
const closing: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  chain = SimulatedChain.create({
    seed: 'derive',
    chainId: CHAIN_ID,
    head: HEAD,
    blockTimeMs: 1_000,
    headTimestampMs: 1_800_000_000_000,
    eventsPerBlock: 2,
  });
  rpc = await startSimulatedRpc(chain);
  closing.push(() => rpc.stop());
  const made = await createDatabase(inject('postgresUrl'));
  url = made.url;
  database = Database.open(url);
  closing.push(() => database.close().then(made.drop));
  await migrate(database);
  await database.mikroOrm.schema.update();
  await query(url, `insert into chain (chain_id, name) values (${CHAIN_ID}, 'Simulated')`);
  const filter = { addresses: [source.address], topics: [event.topic0] };
  logs = (await clientOf(rpc).use((endpoint) => endpoint.logsFrom(1, HEAD, filter))).logs;
  await store();
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

function clientOf(...endpoints: RecordedRpc[]): ChainClient {
  const options = { chainId: CHAIN_ID, batchSize: 1_000, logger: pino({ level: 'silent' }) };
  const client = new ChainClient({ ...options, urls: endpoints.map((one) => one.url) });
  closing.push(async () => client.close());
  return client;
}

const store = (of = logs) => {
  const statement = { chainId: CHAIN_ID, sources: [source], from: 1, to: HEAD };
  return storeHistory(database, [{ statement, ...decodeLogs(database.events, CHAIN_ID, [source], of) }]);
};

/** Runs the command. @returns its exit code and what it said. */
async function run(
  endpoints: RecordedRpc[] = [rpc],
  ...args: string[]
): Promise<{ code: number; said: string }> {
  const words = ['--event', 'Bridged', '--chain', String(CHAIN_ID), '--share', '1', ...args];
  const spy = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  try {
    const request = requestOf(words, {}, events);
    const code = await derive(
      request,
      { database, client: clientOf(...endpoints) },
      new AbortController().signal,
    );
    return { code, said: spy.mock.calls.map(([text]) => String(text)).join('') };
  } finally {
    spy.mockRestore();
  }
}

interface Told {
  tx: string;
  amount: string;
  digits: string | null;
  origin: string | null;
  target: string | null;
  coins: string | null;
  gas: string | null;
  gas_price: string | null;
}

const told = () =>
  query<Told & Record<string, unknown>>(
    url,
    `select '0x' || encode(tx_hash, 'hex') as tx, amount, digits, '0x' || encode(origin, 'hex') as origin,
       '0x' || encode(target, 'hex') as target, coins, gas, gas_price from bridged_event order by tx_hash, log_index`,
  );

/** A row as the chain itself has its transaction. */
function asInChain({ tx, amount }: Told): Told {
  const { from, to, value, gasUsed, gasPrice } = chain.transaction(tx)!.placed.transaction;
  const digits = String(amount.length);
  return {
    tx,
    amount,
    digits,
    origin: from.toLowerCase(),
    target: to.toLowerCase(),
    coins: String(value),
    gas: String(gasUsed),
    gas_price: String(gasPrice),
  };
}

test('what only the chain can say is null at first, and is then filled as the chain says, in batches', async () => {
  const before = await told();
  expect(before.length).toBeGreaterThan(300);
  for (const { digits, origin, target, coins, gas, gas_price } of before)
    expect([digits, origin, target, coins, gas, gas_price]).toEqual([
      expect.any(String),
      null,
      null,
      null,
      null,
      null,
    ]);
  await query(url, 'update bridged_event set digits = null');
  const feed =
    'select position, (select max(write_id) from bridged_event) as write_id, (select sum(revision) from bridged_event) from feed_counter';
  const positions = await query(url, feed);
  rpc.requests.length = 0;
  const { code, said } = await run();
  expect(said).toContain(`${before.length} rows: ${before.length} filled, 0 unreadable`);
  expect(code).toBe(0);
  const after = await told();
  expect(after).toEqual(before.map(asInChain));
  expect(await query(url, feed)).toEqual(positions);
  const transactions = new Set(before.map(({ tx }) => tx)).size;
  expect(rpc.calls('eth_getTransactionReceipt')).toHaveLength(transactions);
  expect(rpc.calls('eth_getTransactionByHash')).toHaveLength(transactions);
  expect(rpc.requests.length).toBeLessThan(transactions / 10);
});

test('only what is asked for is asked of the chain', async () => {
  rpc.requests.length = 0;
  await run([rpc], '--columns', 'gas');
  expect(rpc.calls('eth_getTransactionReceipt').length).toBeGreaterThan(100);
  expect(rpc.calls('eth_getTransactionByHash')).toHaveLength(0);
  const row = (await told())[0]!;
  expect(row).toEqual({ ...asInChain(row), origin: null, target: null, coins: null, gas_price: null });
  rpc.requests.length = 0;
  const { said } = await run([rpc], '--columns', 'gas');
  expect(said).toContain('0 filled');
  expect(rpc.requests).toHaveLength(0);
});

test('a row that is stated again keeps what the chain said, and is not touched', async () => {
  await run();
  const before = await told();
  expect((await store()).touched).toEqual([]);
  expect(await told()).toEqual(before);
});

test('a row that moves to another block loses what was said of the old one, and is filled anew', async () => {
  await run();
  const { txHash } = logs[50]!;
  // what was stored was of a block that is no more
  await query(url, `update bridged_event set block_hash = sha256('dead') where tx_hash = $1`, [
    Buffer.from(txHash.slice(2), 'hex'),
  ]);
  await store();
  const moved = () => told().then((rows) => rows.filter(({ tx }) => tx === txHash));
  for (const row of await moved())
    expect(row).toEqual({
      ...asInChain(row),
      origin: null,
      target: null,
      coins: null,
      gas: null,
      gas_price: null,
    });
  await run();
  for (const row of await moved()) expect(row).toEqual(asInChain(row));
});

test("an answer about another block than the row's is not taken: the row is counted and filled later", async () => {
  const { txHash } = logs[50]!;
  const key = [Buffer.from(txHash.slice(2), 'hex')];
  const [stored] = await query<{ n: string }>(
    url,
    'select count(*) as n from bridged_event where tx_hash = $1',
    key,
  );
  await query(url, `update bridged_event set block_hash = sha256('dead') where tx_hash = $1`, key);
  const first = await run();
  expect(first.code).toBe(1);
  expect(first.said).toContain(`${stored!.n} of which the chain told nothing (yet)`);
  const open = (await told()).filter(({ origin }) => origin === null);
  expect(open.map(({ tx }) => tx)).toEqual(open.map(() => txHash));
  expect(open).toHaveLength(Number(stored!.n));
  await store();
  expect((await run()).code).toBe(0);
  expect(await told()).toEqual((await told()).map(asInChain));
});

test('removed rows are not asked for', async () => {
  await query(url, 'update bridged_event set removed = true');
  rpc.requests.length = 0;
  const { code } = await run();
  expect([code, rpc.requests.length]).toEqual([0, 0]);
});

test('what the first endpoint has pruned is asked of the next one', async () => {
  const pruned = await startSimulatedRpc(chain);
  closing.push(() => pruned.stop());
  const whole = pruned.answering;
  type Reply = { result?: unknown };
  const pruneReply = (reply: Reply): Reply =>
    typeof reply.result === 'object' && reply.result && 'from' in reply.result
      ? { ...reply, result: null }
      : reply;
  pruned.answering = (request) => {
    const answer = whole(request);
    const body = answer?.body as Reply | Reply[];
    return answer && { ...answer, body: Array.isArray(body) ? body.map(pruneReply) : pruneReply(body) };
  };
  const { code } = await run([pruned, rpc]);
  expect(code).toBe(0);
  expect(pruned.calls('eth_getTransactionReceipt').length).toBeGreaterThan(100);
  expect(await told()).toEqual((await told()).map(asInChain));
});

test('an endpoint that gives values of no sense is passed over', async () => {
  const broken = await startSimulatedRpc(chain);
  closing.push(() => broken.stop());
  const sound = broken.answering;
  broken.answering = (request) => {
    const answer = sound(request);
    return (
      answer && {
        ...answer,
        body: JSON.parse(
          JSON.stringify(answer.body).replaceAll(/"gasUsed":"0x[0-9a-f]+"/g, '"gasUsed":"lots"'),
        ),
      }
    );
  };
  expect((await run([broken, rpc])).code).toBe(0);
  expect(await told()).toEqual((await told()).map(asInChain));
});

test('columns from the chain need one chain, and name it or are left out', () => {
  const ask = (words: string[], env = {}) => requestOf(['--event', 'Bridged', ...words], env, events);
  expect(() => ask([])).toThrow(
    'origin, target, coins, gas, gasPrice: the chain is asked for it, so say which by --chain',
  );
  expect(ask([], { CHAIN_ID: '1337' }).chainId).toBe(1337);
  expect(ask(['--columns', 'digits'])).toMatchObject({ chainId: null, columns: [{ property: 'digits' }] });
  expect(ask(['--columns', 'digits,gas_price', '--chain', '10'])).toMatchObject({
    chainId: 10,
    columns: [{ property: 'digits' }, { property: 'gasPrice' }],
  });
});

test.each([
  ['code of its own besides', { kind: 'address', from: () => null }, 'has both "from" and "fromChain"'],
  ['another kind', { kind: 'text' }, 'holds transactionSender: its kind must be address'],
  [
    'no place for "not yet"',
    { kind: 'address', nullable: false },
    'is null until the chain was asked: it must be nullable',
  ],
  [
    'what no node tells',
    { kind: 'address', fromChain: 'weather' },
    'asks the chain for weather; there is transactionSender,',
  ],
] as const)('a column from the chain with %s is refused', (_title, options, says) => {
  const column = { description: 'A test.', fromChain: 'transactionSender', ...options } as never;
  const declaration = { name: 'Ping', signature: 'event Ping(uint256 value)', description: 'A test.' };
  expect(() => defineEvent({ ...declaration, columns: { who: column } })).toThrow(`Ping: column who ${says}`);
});
