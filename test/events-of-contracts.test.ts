import { AbiCoder, Interface, id, zeroPadValue } from 'ethers';
import { afterEach, expect, inject, test } from 'vitest';
import { SOCKET_GATEWAY } from '#apps/devchain/socket-gateway.js';
import { fetcherConfig } from '#libs/config/config.js';
import { eventSyntax } from '#libs/events/event-syntax.js';
import { BuiltChain, buildChain, extend } from './services/built-chain.js';
import { FollowedChain } from './services/followed-chain.js';
import { query } from './services/query.js';
import type { RecordedRpc } from './services/recorded-rpc.js';
import { startSimulatedRpc } from './services/simulated-rpc.js';
import { System } from './services/system.js';
import { until } from './services/until.js';

const TOKEN = `0x${'11'.repeat(20)}`;
const OTHER = `0x${'22'.repeat(20)}`;
const [ALICE, BOB] = [`0x${'a1'.repeat(20)}`, `0x${'b0'.repeat(20)}`];
const ERC20 = 'event Transfer(address indexed from, address indexed to, uint256 value)';
const ERC721 = 'event Transfer(address indexed from, address indexed to, uint256 indexed tokenId)';
const PING = 'event Ping(uint256 value)';

const closing: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A log of an event as its contract emits it. */
function emitted(fragment: string, address: string, values: readonly unknown[]) {
  const abi = new Interface([fragment]);
  const { topics, data } = abi.encodeEventLog(
    abi.fragments[0]!.format('full').replace(/^event (\w+).*/, '$1'),
    values,
  );
  return { address, topics: topics.map(String), data };
}
const erc20 = (address: string, value: number) => emitted(ERC20, address, [ALICE, BOB, value]);
const erc721 = (address: string, token: number) => emitted(ERC721, address, [ALICE, BOB, token]);
const ping = (address: string, value: number) => emitted(PING, address, [value]);
/** A log with the topic of both transfers that is of neither: one indexed argument. */
const neither = {
  address: TOKEN,
  topics: [id('Transfer(address,address,uint256)'), zeroPadValue(ALICE, 32)],
  data: AbiCoder.defaultAbiCoder().encode(['address', 'uint256'], [BOB, 1]),
};

/** Everything that the contracts emit in four blocks, wanted or not. */
const contents = (height: number, n: number) => ({
  [height]: [
    { tx: `bridge ${n}`, amount: BigInt(n) },
    { tx: `all ${n}`, log: erc20(TOKEN, n) },
    { tx: `all ${n}`, log: erc721(TOKEN, n) },
    { tx: `all ${n}`, log: ping(OTHER, n) },
    { tx: `unwanted ${n}`, log: neither },
    { tx: `unwanted ${n}`, log: ping(TOKEN, n) },
    { tx: `unwanted ${n}`, log: erc20(OTHER, n) },
    { tx: `unwanted ${n}`, log: erc20(SOCKET_GATEWAY, n) },
  ],
  [height + 1]: [{ tx: `only unwanted ${n}`, log: erc721(OTHER, n) }],
});

/** What of it is followed, as rows. */
const followed = (height: number, n: number) => [
  { event: 'Erc721', block: height, address: TOKEN, args: { from: ALICE, to: BOB, tokenId: String(n) } },
  { event: 'MyPing', block: height, address: OTHER, args: { value: String(n) } },
  { event: 'Transfer', block: height, address: TOKEN, args: { from: ALICE, to: BOB, value: String(n) } },
];

const ENV = {
  DATABASE_URL: 'postgresql://u:p@localhost/db',
  RABBITMQ_URL: 'amqp://localhost',
  CHAIN_ID: '7',
  RPC_URLS: 'http://unused',
  START_BLOCK: '1',
  EVENTS: `SocketBridge; ${ERC20}; Erc721 = ${ERC721}; MyPing = ${PING}`,
  CONTRACT_ADDRESSES: `${TOKEN},SocketBridge@${SOCKET_GATEWAY},MyPing@${OTHER}`,
};

/** Filters of all requests for logs, without their blocks; each once. */
function filtersAsked(rpc: RecordedRpc): unknown[] {
  const filters = rpc.calls('eth_getLogs').map(({ params }) => {
    const { address, topics } = params[0] as { address: string[]; topics: string[][] };
    return JSON.stringify({ addresses: address.toSorted(), topics: topics.map((one) => one.toSorted()) });
  });
  return [...new Set(filters)].map((filter) => JSON.parse(filter));
}

test('one request serves all contracts and events; a log whose contract, topic or number of topics is of no followed pair leaves no trace', async () => {
  const branch = buildChain(70, { ...contents(5, 1), ...contents(60, 2) });
  const chain = new BuiltChain(branch, 7, 20);
  const rpc = await startSimulatedRpc(chain);
  closing.push(() => rpc.stop());
  const { sources } = fetcherConfig(ENV, eventSyntax).chains[0]!;
  const monitor = await FollowedChain.start(inject('postgresUrl'), {
    chain,
    config: { sources, rpcUrls: [rpc.url] },
  });
  closing.push(() => monitor.close());
  const rows = () =>
    query(
      monitor.databaseUrl,
      `select event, block_number::int as block, '0x' || encode(address, 'hex') as address, args from contract_event
       where not removed order by block_number, event`,
    );
  await until('all blocks to be stored', () => monitor.isCovered());
  expect(await rows()).toEqual([...followed(5, 1), ...followed(60, 2)]);
  const bridges = await query(monitor.databaseUrl, 'select amount from socket_bridge_event order by amount');
  expect(bridges).toEqual([{ amount: '1' }, { amount: '2' }]);
  expect(await query(monitor.databaseUrl, 'select reason from undecodable_log')).toEqual([]);
  const topics = [ERC20, PING]
    .map((fragment) => new Interface([fragment]).fragments[0]!.format('sighash'))
    .map(id);
  expect(filtersAsked(rpc)).toEqual([
    {
      addresses: [TOKEN, OTHER, SOCKET_GATEWAY].toSorted(),
      topics: [[...topics, eventSyntax.read('SocketBridge').knownBy.split(' ')[0]].toSorted()],
    },
  ]);

  // another term doubts all blocks above finality that have no rows, and finds no reason to say them again
  await monitor.stopFetcher();
  rpc.requests.length = 0;
  monitor.startFetcher();
  chain.become(extend(branch, 15, contents(75, 3)));
  await monitor.untilFinalized(65);
  await until('all blocks to be stored', () => monitor.isCovered());
  expect(await rows()).toEqual([...followed(5, 1), ...followed(60, 2), ...followed(75, 3)]);
  const hashes = rpc
    .calls('eth_getLogs')
    .map(({ params }) => (params[0] as { blockHash?: string }).blockHash);
  expect(hashes).toContain(chain.block(75)!.hash);
  expect(hashes).not.toContain(chain.block(61)!.hash);
}, 120_000);

test('an event that the database has under another name, or with other names of arguments, is refused with its reason', async () => {
  const rpc = await startSimulatedRpc(new BuiltChain(buildChain(30), 7, 20));
  closing.push(() => rpc.stop());
  const system = await System.create(inject('postgresUrl'), inject('rabbitmqUrl'), {
    CHAIN_ID: '7',
    RPC_URLS: rpc.url,
    RPC_URLS_8: 'http://127.0.0.1:9',
    START_BLOCK_7: '1',
    START_BLOCK_8: '1',
    CONTRACT_ADDRESSES: TOKEN,
    HEALTH_PORT: '0',
  });
  closing.push(() => system.stop());
  const first = await system.start('fetcher', { EVENTS: PING });
  await first.untilOutput(/leading/, 60_000);
  await first.end('SIGTERM');

  for (const [EVENTS, words] of [
    [`Other = ${PING}`, '"event Ping(uint256 value)" is followed as Ping already: it can\'t be Other'],
    ['event Ping(uint256 amount)', 'is followed already, with other names of arguments'],
  ] as const) {
    const refused = await system.start('fetcher', { EVENTS });
    await refused.exited;
    expect(refused.output()).toContain(words);
    expect(refused.output()).toContain('ended with exit code 2');
  }

  // beside another chain it is that chain alone that is refused
  const several = { CHAIN_ID: '', CHAINS: '7,8', RPC_URLS: '', RPC_URLS_7: rpc.url };
  const fetcher = await system.start('fetcher', { ...several, EVENTS_8: `Other = ${PING}`, EVENTS_7: PING });
  const [, health] = await fetcher.untilOutput(/metrics: (http:\/\/127\.0\.0\.1:\d+)/, 60_000);
  await until('chain 7 to be well, and chain 8 to say why it is not', async () => {
    const words = await (await fetch(`${health}/readyz`)).text();
    return (
      words ===
      `not ready\nchain 8: halted: "event Ping(uint256 value)" is followed as Ping already: it can't be Other, too (leave its name out)\n`
    );
  });
}, 180_000);
