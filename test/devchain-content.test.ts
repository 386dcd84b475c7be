import { createHash } from 'node:crypto';
import { EventFragment, Interface } from 'ethers';
import { expect, test } from 'vitest';
import { SimulatedChain } from '#apps/devchain/chain.js';
import type { ChainOptions } from '#apps/devchain/chain-state.js';
import { REQUEST_EXTRACTED, SOCKET_NON_EVM_DEST_BRIDGE_V2 } from '#apps/devchain/further-contracts.js';
import { TOKENS } from '#apps/devchain/socket-gateway.js';

const GATEWAY = '0x3a23f943181408eac424116af7b7790c94cb97a5';
const gateway = new Interface([
  'event SocketBridge(uint256 amount, address token, uint256 toChainId, bytes32 bridgeName, address sender, address receiver, bytes32 metadata)',
  'event SocketSwapTokens(address fromToken, address toToken, uint256 buyAmount, uint256 sellAmount, bytes32 routeName, address receiver, bytes32 metadata)',
  'event SocketNonEvmDestBridge(uint256 amount, address token, uint256 toChainId, bytes32 bridgeName, address sender, bytes32 receiver, bytes32 metadata)',
  'event SocketNonEvmDestBridge(uint256 amount, address fromToken, bytes32 toToken, uint256 toChainId, bytes32 bridgeName, address sender, bytes32 receiver, bytes32 metadata)',
  'event SocketFeesDeducted(uint256 fees, address feesToken, address feesTaker)',
  'event NewRouteAdded(uint32 indexed routeId, address indexed route)',
  'event RouteDisabled(uint32 indexed routeId)',
]);
const bungeeGateway = new Interface([
  'event RequestExtracted(bytes32 indexed requestHash, uint8 implId, address transmitter, bytes execution)',
]);
const erc20 = new Interface(['event Transfer(address indexed from, address indexed to, uint256 value)']);
const erc721 = new Interface([
  'event Transfer(address indexed from, address indexed to, uint256 indexed tokenId)',
]);
/** Of the facts about the contract, not computed here. */
const SOCKET_BRIDGE = '0x74594da9e31ee4068e17809037db37db496702bf7d8d63afe6f97949277d1609';
const ACROSS = '0x709f58818bedd58450336213e1f2f6ff7405a2b1e594f64270a17b7e2249419c';

function chainOf(options: Partial<ChainOptions> = {}): SimulatedChain {
  return SimulatedChain.create({
    seed: 'content',
    chainId: 1337,
    head: 20_000,
    blockTimeMs: 1000,
    headTimestampMs: 1_800_000_000_000,
    ...options,
  });
}

function transactionsOf(chain: SimulatedChain, from: number, to: number) {
  return [...chain.blocksWithTransactions(from, to)].flatMap((block) => block.transactions);
}

test('SocketBridge has values as on the real contract', () => {
  const logs = transactionsOf(chainOf(), 0, 4_000).flatMap(({ logs }) => logs);
  const bridges = logs
    .filter((log) => log.address === GATEWAY && log.topics[0] === SOCKET_BRIDGE)
    .map((log) => gateway.parseLog(log)!.args);
  for (const { amount } of bridges) expect(amount).toBeGreaterThan(0n);
  const destinations = new Set(bridges.map(({ toChainId }) => Number(toChainId)));
  for (const chainId of [8453, 110, 1313161554]) expect(destinations).toContain(chainId);
  const share = (count: number) => count / bridges.length;
  expect(share(bridges.filter(({ bridgeName }) => bridgeName === ACROSS).length)).toBeCloseTo(0.33, 1);
  expect(share(bridges.filter(({ metadata }) => BigInt(metadata) === 0xcdn).length)).toBeCloseTo(0.8, 1);
  expect(share(bridges.filter(({ sender, receiver }) => sender !== receiver).length)).toBeCloseTo(0.12, 1);
});

const TOKEN_ADDRESSES = TOKENS.map(({ address }) => address);
const BUNGEE_GATEWAY = '0xe772551f88e2c14aecc880df6b7cbd574561bf82';
const ENS_NAMES = '0x57f1887a8bf19b14fc0df6fd9b2acc9af147ea85';

/** What the contract's ABI makes of a log; undefined where it has no such event. */
function parsed({ address, topics, data }: { address: string; topics: readonly string[]; data: string }) {
  const log = { topics, data };
  if (address === BUNGEE_GATEWAY) return bungeeGateway.parseLog(log);
  if (topics.length === 4) return erc721.parseLog(log);
  return gateway.parseLog(log) ?? erc20.parseLog(log);
}

test('every kind of log is one that the ABI of its contract decodes, to the last byte', () => {
  const logs = transactionsOf(chainOf({ eventsPerBlock: 2 }), 0, 10_000).flatMap((one) => one.logs);
  const kinds = Map.groupBy(logs, ({ address, topics }) => `${address} ${topics[0]} ${topics.length}`);
  for (const log of [...kinds.values()].flatMap((own) => own.slice(0, 40))) {
    const { fragment, args } = parsed(log)!;
    const again = new Interface([fragment]).encodeEventLog(fragment, [...args]);
    expect({ data: log.data, topics: log.topics }).toEqual(again);
  }
});

test('each event comes as often as it should', () => {
  const logs = transactionsOf(chainOf({ eventsPerBlock: 2 }), 0, 20_000).flatMap((one) => one.logs);
  const emitted = Map.groupBy(logs, ({ address, topics }) => `${address} ${topics[0]} ${topics.length}`);
  const count = (signature: string, address = GATEWAY) => {
    const fragment = EventFragment.from(`event ${signature}`);
    const topics = 1 + fragment.inputs.filter(({ indexed }) => indexed).length;
    return emitted.get(`${address} ${fragment.topicHash} ${topics}`)!.length;
  };
  const bridges = emitted.get(`${GATEWAY} ${SOCKET_BRIDGE} 1`)!.length;
  const per = (...event: [signature: string, address?: string]) => count(...event) / bridges;
  const times = (value: number, wanted: number) => expectWithin(value, wanted, 0.12);
  // a quarter of those that bridge, near a third of the others, and those that pay a fee for one
  times(per('SocketSwapTokens(address, address, uint256, uint256, bytes32, address, bytes32)'), 0.545);
  times(per('SocketFeesDeducted(uint256, address, address)'), 0.1125);
  times(per('SocketNonEvmDestBridge(uint256, address, uint256, bytes32, address, bytes32, bytes32)'), 0.0125);
  times(
    per('SocketNonEvmDestBridge(uint256, address, bytes32, uint256, bytes32, address, bytes32, bytes32)'),
    0.0375,
  );
  times(per('RequestExtracted(bytes32 indexed, uint8, address, bytes)', BUNGEE_GATEWAY), 0.14);
  times(per('Transfer(address indexed, address indexed, uint256 indexed)', ENS_NAMES), 0.09);
  const [added, disabled] = [
    count('NewRouteAdded(uint32 indexed, address indexed)'),
    count('RouteDisabled(uint32 indexed)'),
  ];
  expect(added).toBeGreaterThan(200);
  expect(added).toBeLessThan(bridges / 80);
  expect(disabled).toBeGreaterThan(40);
  expect(disabled).toBeLessThan(added / 2);
});

/** A hundred transactions or more that have an event with this topic, each with its events in order. */
function transactionsWith(topic0: string) {
  const transactions = transactionsOf(chainOf({ eventsPerBlock: 2 }), 0, 3_000);
  const found = transactions.filter(({ logs }) => logs.some(({ topics }) => topics[0] === topic0));
  expect(found.length).toBeGreaterThan(100);
  return found.slice(0, 400).map(({ logs }) => logs.map((log) => parsed(log)!));
}

const topicOf = (name: string) => gateway.getEvent(name)!.topicHash;

test('a swap hands over to the bridge of its transaction what it bought; without one the user gets it', () => {
  const swaps = transactionsWith(topicOf('SocketSwapTokens')).map((events) => {
    const [swap] = events.filter((event) => event.name === 'SocketSwapTokens');
    const bridged = events.filter((event) => event.name === 'SocketBridge').map(({ args }) => args);
    return { events, args: swap!.args, toGateway: swap!.args.receiver.toLowerCase() === GATEWAY, bridged };
  });
  for (const { args, toGateway, bridged } of swaps) {
    expect(toGateway).toBe(bridged.length > 0);
    for (const { token } of bridged) expect(token).toBe(args.toToken);
    if (toGateway) expect(bridged.reduce((sum, { amount }) => sum + amount, 0n)).toBe(args.buyAmount);
  }
  expect(swaps.filter(({ toGateway }) => toGateway).length).toBeGreaterThan(100);
  expect(swaps.filter(({ toGateway }) => !toGateway).length).toBeGreaterThan(100);
});

test('a fee comes before what it is for, and the word that the ABI calls its taker is the token', () => {
  for (const events of transactionsWith(topicOf('SocketFeesDeducted'))) {
    const own = events.filter((event) => event.name !== 'Transfer').map((event) => event.name);
    expect(own[0]).toBe('SocketFeesDeducted');
    expect(own[1]).toMatch(/^(SocketSwapTokens|SocketNonEvmDestBridge)$/);
    const { args } = events.find((event) => event.name === 'SocketFeesDeducted')!;
    expect(TOKEN_ADDRESSES).toContain(args.feesTaker.toLowerCase());
    expect(TOKEN_ADDRESSES).not.toContain(args.feesToken.toLowerCase());
  }
});

test('a transfer to what is no EVM chain emits its own event and no SocketBridge', () => {
  for (const events of transactionsWith(SOCKET_NON_EVM_DEST_BRIDGE_V2))
    expect(events.map((event) => event.name)).not.toContain('SocketBridge');
});

test('requests have bytes of any length, some of several kB', () => {
  const lengths = transactionsWith(REQUEST_EXTRACTED).map(
    (events) => (events.at(-1)!.args.execution.length - 2) / 2,
  );
  expect(new Set(lengths.map((length) => length % 32)).size).toBe(32);
  expect(Math.max(...lengths)).toBeGreaterThan(4_000);
});

test('what else a chain has leaves SocketBridge as it always was: old state files go on as the same chain', () => {
  const chain = chainOf({ head: 600, finalityDepth: 600 });
  const sealed = createHash('sha256');
  const seal = () => {
    for (const { number, hash, transactions } of chain.blocksWithTransactions(0, 600))
      for (const { transaction, txIndex, logs } of transactions)
        for (const { address, topics, data, logIndex } of logs)
          if (topics[0] === SOCKET_BRIDGE)
            sealed.update([number, hash, transaction.hash, txIndex, address, topics, data, logIndex].join());
  };
  seal();
  chain.reorg({ depth: 550 });
  seal();
  // of the simulator before it emitted anything but bridging, swaps and transfers
  expect(sealed.digest('hex')).toBe('f7ecfb97333fffd1d1b3fbaf627de6f5f740e7b103d4bef0813753ab87e6e429');
});

test.each([0.4, 5, 200])(
  'the mean number of SocketBridge events in a block is as asked for: %d',
  (eventsPerBlock) => {
    const blocks = Math.round(8_000 / eventsPerBlock);
    const chain = chainOf({ eventsPerBlock });
    const count = () =>
      transactionsOf(chain, 20_001 - blocks, 20_000)
        .flatMap(({ logs }) => logs)
        .filter((log) => log.address === GATEWAY && log.topics[0] === SOCKET_BRIDGE).length;
    expectWithin(count() / blocks, eventsPerBlock, 0.06);
    chain.reorg({ depth: blocks, force: true });
    expectWithin(count() / blocks, eventsPerBlock, 0.06);
  },
);

/** @param share of the wanted value. */
function expectWithin(value: number, wanted: number, share: number): void {
  expect(value).toBeGreaterThan(wanted * (1 - share));
  expect(value).toBeLessThan(wanted * (1 + share));
}

test('there are transactions with several SocketBridge logs, and logs that a filter must keep out', () => {
  const transactions = transactionsOf(chainOf(), 0, 20_000);
  const bridging = transactions.map(({ logs }) => logs.filter((log) => log.topics[0] === SOCKET_BRIDGE));
  expect(bridging.some((logs) => logs.length === 3)).toBe(true);
  expect(bridging.some((logs) => logs.some((log) => log.address !== GATEWAY))).toBe(true);
  const others = transactions.flatMap(({ logs }) => logs).filter((log) => log.topics[0] !== SOCKET_BRIDGE);
  expect(others.some((log) => log.address === GATEWAY)).toBe(true);
  expect(others.some((log) => log.address !== GATEWAY)).toBe(true);
});

test('a block at a height of tens of millions is the same whether or not the blocks below were ever looked at', () => {
  const one = chainOf({ head: 50_000_000, blockTimeMs: 250 });
  const other = chainOf({ head: 50_000_000, blockTimeMs: 250 });
  transactionsOf(other, 49_990_000, 50_000_000);
  expect(one.block(49_999_999)).toEqual(other.block(49_999_999));
  expect(one.block(50_000_000)?.timestamp).toBe(1_800_000_000);
  // 250 ms: four blocks share a second
  expect(one.block(49_999_996)?.timestamp).toBe(1_799_999_999);
  expect(one.block(49_999_997)?.timestamp).toBe(1_799_999_999);
});

test('another seed or another chain id makes a chain without a block or transaction in common', () => {
  const hashes = (options: Partial<ChainOptions>) =>
    [...chainOf(options).blocksWithTransactions(0, 200)].flatMap((block) => [
      block.hash,
      ...block.transactions.map(({ transaction }) => transaction.hash),
    ]);
  const known = new Set(hashes({}));
  for (const options of [{ seed: 'other' }, { chainId: 2 }])
    for (const hash of hashes(options)) expect(known.has(hash)).toBe(false);
});

test('a chain that would have to begin before 1970 is refused with what to change', () => {
  expect(() => chainOf({ head: 1e9, blockTimeMs: 12_000 })).toThrow(
    /1000000000 blocks of 12000 ms reach back beyond 1970: take a lower head or a shorter block time/,
  );
});

// the log and its transaction are real: Ethereum, March 2023
const REAL_LOG = {
  address: '0x3a23F943181408EAC424116Af7b7790c94Cb97a5',
  topics: [SOCKET_BRIDGE],
  data: '0x00000000000000000000000000000000000000000000000002c053531ab8a000000000000000000000000000eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee0000000000000000000000000000000000000000000000000000000000000089837ed841e30438f54fb6b0097c30a5c4f64b47545c3df655bcd6e44bb8991e37000000000000000000000000e6e3f947ccd0add1effde3bf3d210e5d711beace0000000000000000000000008d7bbfa0506ea95c73d864310818acc3e5fa05d900000000000000000000000000000000000000000000000000000000000000c4',
  txHash: '0xe7cbfcbc0299f18190c08eafccc639dcbd8a4190bcc550c1b32d74bfa2b9421d',
  txIndex: 185,
  logIndex: 338,
};
const REAL_HASH = '0x021441f1fcbb4c49711fbbde9ac01e977e489ca01e4c76bc4e468d0ca3098ef0';

test('a pinned block has the given hash, time and logs, and its neighbours link to it', () => {
  const pin = { number: 19_990, hash: REAL_HASH, timestamp: 1_799_999_990, logs: [REAL_LOG] };
  const chain = chainOf({ pins: [pin] });
  const block = chain.block(19_990)!;
  expect(block).toMatchObject({ hash: REAL_HASH, timestamp: 1_799_999_990 });
  expect(block.parentHash).toBe(chain.block(19_989)!.hash);
  expect(chain.block(19_991)!.parentHash).toBe(REAL_HASH);
  expect(chain.blockByHash(REAL_HASH)?.number).toBe(19_990);
  const found = chain.transaction(REAL_LOG.txHash)!;
  expect(found.block.number).toBe(19_990);
  expect(found.placed).toMatchObject({ txIndex: 185, logs: [{ address: GATEWAY, logIndex: 338 }] });
  expect(gateway.parseLog(found.placed.logs[0]!)!.args.toChainId).toBe(137n);
});

test('a reorg takes a pinned block away, and its transaction is still in the chain at most once', () => {
  const pins = [19_985, 19_986, 19_987, 19_988].map((number) => ({
    number,
    logs: [{ ...REAL_LOG, txHash: `0x${String(number).padStart(64, '0')}` }],
  }));
  const chain = chainOf({ pins, finalityDepth: 50 });
  const left = chain.branch();
  for (let times = 0; times < 20; times++) {
    chain.reorg({ depth: 20 });
    const hashes = transactionsOf(chain, 19_980, 20_000).map(({ transaction }) => transaction.hash);
    expect(new Set(hashes).size).toBe(hashes.length);
    for (const { number, logs } of pins) {
      const height = chain.transaction(logs[0]!.txHash)?.block.number;
      expect([undefined, number, number + 1]).toContain(height);
    }
  }
  chain.returnTo(left);
  for (const { number, logs } of pins) expect(chain.transaction(logs[0]!.txHash)?.block.number).toBe(number);
});
