import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { demoChain } from '#apps/local/demo-chain.js';
import { fetcherConfig, localConfig } from '#libs/config/config.js';
import { eventSyntax } from '#libs/events/event-syntax.js';
import { socketBridge } from '#libs/events/socket-bridge/event.js';

const services = { DATABASE_URL: 'postgresql://u:p@localhost/db', RABBITMQ_URL: 'amqp://localhost' };
const A = `0x${'aa'.repeat(20)}`;
const B = `0x${'bb'.repeat(20)}`;
const C = `0x${'cc'.repeat(20)}`;
const PING = 'event Ping(uint256 value, address indexed by)';
const ERC20 = 'event Transfer(address indexed from, address indexed to, uint256 value)';
const ERC721 = 'event Transfer(address indexed from, address indexed to, uint256 indexed tokenId)';

const sourcesOf = (env: Record<string, string>) =>
  fetcherConfig({ ...services, CHAIN_ID: '1', CONTRACT_ADDRESSES: A, ...env }, eventSyntax).chains.flatMap(
    ({ sources }) => sources,
  );

/** Sources in short: `Name` of the contract's first byte. */
const pairsOf = (env: Record<string, string>) =>
  sourcesOf(env).map(({ address, event }) => `${event.name}@${address.slice(2, 4)}`);

/** The lines that a refusal consists of. */
function refusal(env: Record<string, string>): string[] {
  try {
    sourcesOf(env);
  } catch (error) {
    const [, ...lines] = (error as Error).message.split('\n');
    return lines.map((line) => line.trim());
  }
  return [];
}

describe('EVENTS', () => {
  test.each([
    ['names, separated by commas', 'SocketBridge', ['SocketBridge@aa']],
    ['a fragment, whose commas stand in parentheses', PING, ['Ping@aa']],
    ['names and fragments, separated by commas', `SocketBridge, ${PING},`, ['SocketBridge@aa', 'Ping@aa']],
    ['or by semicolons', `SocketBridge;${PING};`, ['SocketBridge@aa', 'Ping@aa']],
    ['or as a JSON array', JSON.stringify(['SocketBridge', PING]), ['SocketBridge@aa', 'Ping@aa']],
    ['fragments without the word event', 'Ping(uint256,address)', ['Ping@aa']],
    ['names of your own', `MyPing = ${PING}; SocketBridge`, ['MyPing@aa', 'SocketBridge@aa']],
    ['tuples', 'event Order((uint256 id, (address a, bytes b)[] parts) order, bool done)', ['Order@aa']],
    ['an event twice, which counts once', 'SocketBridge,SocketBridge', ['SocketBridge@aa']],
  ])('takes %s', (_title, EVENTS, pairs) => {
    expect(pairsOf({ EVENTS })).toEqual(pairs);
  });

  test('of a fragment that a folder declares, whatever its arguments are called, takes the event of the registry', () => {
    const types = socketBridge.identity.slice('SocketBridge'.length);
    expect(sourcesOf({ EVENTS: `event SocketBridge${types}` })).toEqual(
      sourcesOf({ EVENTS: 'SocketBridge' }),
    );
    expect(sourcesOf({ EVENTS: 'SocketBridge' })).toMatchObject([
      { event: { fragment: null, name: 'SocketBridge' } },
    ]);
  });

  test('of one with other types or indexing takes it for another event', () => {
    const [source] = sourcesOf({ EVENTS: 'event SocketBridge(uint256 indexed amount)' });
    expect(source!.event).toMatchObject({
      name: 'SocketBridge',
      fragment: 'event SocketBridge(uint256 indexed amount)',
      isNamed: false,
    });
  });

  test("takes ERC-20's and ERC-721's Transfer of one contract: their numbers of topics differ", () => {
    expect(pairsOf({ EVENTS: `${ERC20}; Erc721Transfer = ${ERC721}` })).toEqual([
      'Transfer@aa',
      'Erc721Transfer@aa',
    ]);
  });

  test.each([
    [
      'a name that no folder has',
      'Nope',
      /^EVENTS: must be an event of the registry \(known: SocketBridge.*; Nope is neither$/,
    ],
    [
      'a fragment that does not parse',
      'event Ping(uint257 value',
      /^EVENTS: "event Ping\(uint257 value" is no event/,
    ],
    [
      'a type that Solidity lacks',
      'event Ping(uint257 value)',
      /^EVENTS: "event Ping\(uint257 value\)" is no event of Solidity: invalid numeric width/,
    ],
    ['a function', 'function ping(uint256 value)', /^EVENTS: "function ping\(uint256 value\)" is no event/],
    ['an anonymous event', `${PING} anonymous`, /^EVENTS: ".*" is anonymous: its logs carry no topic/],
    [
      'four indexed arguments',
      'event Ping(uint indexed a, uint indexed b, uint indexed c, uint indexed d)',
      /^EVENTS: .* 4 indexed/,
    ],
    ['a name that GraphQL lacks', `my_ping = ${PING}`, /^EVENTS: my_ping can't be the name of an event/],
    [
      "a name that is another event's",
      `SocketBridge = ${PING}`,
      /^EVENTS: SocketBridge is the name of another event/,
    ],
    [
      'another name for an event of the registry',
      `Mine = event ${socketBridge.identity}`,
      /^EVENTS: Mine can't be a name of .*: the registry has it as SocketBridge/,
    ],
    ['two names for one event', `One = ${PING}; Two = ${PING}`, /^EVENTS: One and Two are one event/],
    [
      'two names for an argument',
      'event Ping(uint256 a); event Ping(uint256 b)',
      /^EVENTS: "event Ping\(uint256 a\)" and "event Ping\(uint256 b\)" are one event with two names of an argument/,
    ],
    [
      'one name for two events',
      `One = ${PING}; One = event Pong()`,
      /^EVENTS: One is the name of two events/,
    ],
    ['nothing between separators', ',;', /^EVENTS: must be names/],
    [
      'JSON that does not parse',
      '["SocketBridge"',
      /^EVENTS: must be a JSON array of texts.*can't be parsed/,
    ],
    ['a JSON ABI', '[{"type":"event"}]', /^EVENTS: must be a JSON array of texts/],
    [
      'two events whose logs look alike',
      'event Ping(uint256 indexed a, uint256 b); event Ping(uint256 a, uint256 indexed b)',
      /^EVENTS: Ping\(uint256 indexed,uint256\) and Ping\(uint256,uint256 indexed\) have one topic and the same number of topics.*0xaa/,
    ],
  ])('refuses %s', (_title, EVENTS, says) => {
    expect(refusal({ EVENTS })).toEqual([expect.stringMatching(says)]);
  });

  test('tells all that is wrong with it at once', () => {
    expect(refusal({ EVENTS: `Nope; ${PING}; event X(uint a b); Other` })).toHaveLength(3);
  });

  test('is split at separators outside of parentheses only, whatever stands within', () => {
    const type = fc.constantFrom('uint256', 'address indexed', '(bool,bytes32)[2]', 'string');
    const fragment = fc
      .tuple(fc.integer({ min: 0, max: 999_999 }), fc.array(type, { maxLength: 3 }))
      .map(([n, types]) => `event E${n}(${types.join(', ')})`);
    fc.assert(
      fc.property(
        fc.uniqueArray(fragment, { minLength: 1, maxLength: 5, selector: (text) => /E\d+/.exec(text)![0] }),
        fc.constantFrom(',', ';', ' ; '),
        (fragments, separator) => {
          const names = fragments.map((text) => `${/E\d+/.exec(text)![0]}@aa`);
          expect(pairsOf({ EVENTS: fragments.join(separator) })).toEqual(names);
          expect(pairsOf({ EVENTS: JSON.stringify(fragments) })).toEqual(names);
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe('CONTRACT_ADDRESSES', () => {
  const EVENTS = `SocketBridge; ${PING}`;

  test('without names is for every event', () => {
    expect(pairsOf({ EVENTS, CONTRACT_ADDRESSES: `${A},${B.toUpperCase().replace('X', 'x')},${A}` })).toEqual(
      ['SocketBridge@aa', 'SocketBridge@bb', 'Ping@aa', 'Ping@bb'],
    );
  });

  test("with an event's name is for that event only, and the event is followed of no other", () => {
    expect(pairsOf({ EVENTS, CONTRACT_ADDRESSES: `${A}, Ping@${B},Ping @ ${C}` })).toEqual([
      'SocketBridge@aa',
      'Ping@bb',
      'Ping@cc',
    ]);
    expect(pairsOf({ EVENTS, CONTRACT_ADDRESSES: `SocketBridge@${A},Ping@${A}` })).toEqual([
      'SocketBridge@aa',
      'Ping@aa',
    ]);
  });

  test('keeps events apart whose logs look alike, each with contracts of its own', () => {
    const alike =
      'One = event Ping(uint256 indexed a, uint256 b); Two = event Ping(uint256 a, uint256 indexed b)';
    expect(pairsOf({ EVENTS: alike, CONTRACT_ADDRESSES: `One@${A},Two@${B}` })).toEqual(['One@aa', 'Two@bb']);
    expect(refusal({ EVENTS: alike, CONTRACT_ADDRESSES: `One@${A},Two@${A}` })).toHaveLength(1);
  });

  test.each([
    [
      'an address that is none',
      `${A},0x1234`,
      [/^CONTRACT_ADDRESSES: must be addresses of 20 bytes .*; "0x1234" is not$/],
    ],
    ['a name without an address', 'Ping@', [/^CONTRACT_ADDRESSES: must be .*; "Ping@" is not$/]],
    [
      'a name that EVENTS lacks',
      `${A},Pong@${B}`,
      [/^CONTRACT_ADDRESSES: Pong@0xbb.* names no event of EVENTS, which has SocketBridge, Ping$/],
    ],
    [
      'an event without a contract',
      `Ping@${A}`,
      [/^EVENTS: SocketBridge has no contract: CONTRACT_ADDRESSES has no SocketBridge@/],
    ],
    [
      'an address without an event',
      `SocketBridge@${A},Ping@${A},${C}`,
      [/^CONTRACT_ADDRESSES: 0xcc.* has no event: each of EVENTS has contracts of its own$/],
    ],
  ])('refuses %s', (_title, CONTRACT_ADDRESSES, says) => {
    expect(refusal({ EVENTS, CONTRACT_ADDRESSES })).toEqual(says.map((one) => expect.stringMatching(one)));
  });

  test('refuses a name that could be each of several events', () => {
    const lines = refusal({
      EVENTS: `${ERC20};${ERC721};SocketBridge`,
      CONTRACT_ADDRESSES: `${A},Transfer@${B}`,
    });
    expect(lines).toEqual([
      expect.stringMatching(/^CONTRACT_ADDRESSES: Transfer@… could be each of several events of EVENTS/),
    ]);
  });
});

test('of several chains each may have events and contracts of its own; what is wrong is told by the name it stands under', () => {
  const several = { CHAIN_ID: '', CHAINS: '1,10', EVENTS: 'SocketBridge', CONTRACT_ADDRESSES: '' };
  expect(pairsOf({ ...several, EVENTS_10: PING, CONTRACT_ADDRESSES_10: `Ping@${B}` })).toEqual([
    'SocketBridge@3a',
    'Ping@bb',
  ]);
  expect(refusal({ ...several, EVENTS_10: PING, CONTRACT_ADDRESSES_10: `Pong@${B}` })).toEqual([
    expect.stringMatching(/^CONTRACT_ADDRESSES_10: Pong@.* names no event of EVENTS_10, which has Ping$/),
  ]);
});

test('what is followed of the simulated chain can be said, too: its contracts and all events of the registry by default', () => {
  const contracts = [
    { address: A, event: null },
    { address: B, event: 'RequestExtracted' },
  ];
  const demo = (env: Record<string, string>) =>
    localConfig(env, eventSyntax, { ...demoChain, contracts }).ownChain!.sources.map(
      ({ address, event }) => `${event.name}@${address}`,
    );
  expect(demo({})).toEqual(eventSyntax.known.map((name) => `${name}@${name === 'RequestExtracted' ? B : A}`));
  expect(demo({ EVENTS: PING, CONTRACT_ADDRESSES: B })).toEqual([`Ping@${B}`]);
  // of the contracts that nobody named, those count that have one of the events
  expect(demo({ EVENTS: 'SocketBridge' })).toEqual([`SocketBridge@${A}`]);
  expect(demo({ EVENTS: 'RequestExtracted' })).toEqual([`RequestExtracted@${B}`]);
  expect(demo({ EVENTS: `RequestExtracted; ${PING}` })).toEqual([`RequestExtracted@${B}`, `Ping@${A}`]);
  expect(localConfig({ CHAIN_ID: '1' }, eventSyntax, demoChain).ownChain).toBeNull();
});
