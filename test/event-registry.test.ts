import { readdirSync, readFileSync } from 'node:fs';
import { AbiCoder, EventFragment, Interface } from 'ethers';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ColumnKind } from '#libs/events/column.js';
import { defineEvent, UndecodableLog } from '#libs/events/event.js';
import { registered } from '#libs/events/registered.js';
import { events } from '#libs/events/registry.js';
import { bridgeNameOf } from '#libs/events/socket-bridge/bridge-names.js';
import { socketBridge } from '#libs/events/socket-bridge/event.js';

const folder = new URL('../libs/events/', import.meta.url);

interface Example {
  readonly log: { address: string; topics: string[]; data: string };
  readonly values: Record<string, unknown>;
}

describe.each(events.map((event) => [event.name, event] as const))('%s', (name, event) => {
  const directory = name.replace(/([a-z0-9])([A-Z])/g, '$1-$2').toLowerCase();

  test('decodes its sealed real example to the values that it must', () => {
    const example = JSON.parse(readFileSync(new URL(`${directory}/example.json`, folder), 'utf8')) as Example;
    const values = event.decode(example.log);
    const shown = Object.fromEntries(
      Object.entries(values!).map(([key, value]) => [key, typeof value === 'bigint' ? String(value) : value]),
    );
    expect(shown).toEqual(example.values);
  });

  test('has a topic of its own signature and describes every column', () => {
    expect(event.topic0).toBe(EventFragment.from(event.signature).topicHash);
    for (const column of event.allColumns) expect(column.description, column.property).toMatch(/\.$/);
    expect(new Set(event.allColumns.map((c) => c.name)).size).toBe(event.allColumns.length);
  });
});

test('every folder of an event is in the registry', () => {
  const folders = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(folders).toHaveLength(events.length);
});

const types = ['uint256', 'address', 'uint256', 'bytes32', 'address', 'address', 'bytes32'];
const uint256 = fc.oneof(
  fc.constantFrom(0n, 1n, 2n ** 255n, 2n ** 256n - 1n),
  fc.bigInt(0n, 2n ** 256n - 1n),
);
const hex = (bytes: number) =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((b) => `0x${Buffer.from(b).toString('hex')}`);

test('SocketBridge is decoded exactly for every uint256, any bytes32, in any letter case', () => {
  const bridge = fc.tuple(uint256, hex(20), uint256, hex(32), hex(20), hex(20), hex(32));
  fc.assert(
    fc.property(bridge, fc.boolean(), (values, upper) => {
      const encoded = AbiCoder.defaultAbiCoder().encode(types, values);
      const data = upper ? `0x${encoded.slice(2).toUpperCase()}` : encoded;
      const [amount, token, toChainId, bridgeName, sender, receiver, metadata] = values;
      const bridgeText = bridgeNameOf(bridgeName);
      expect(socketBridge.decode({ topics: [socketBridge.topic0], data })).toEqual({
        amount,
        token,
        toChainId,
        bridgeName,
        bridge: bridgeText,
        sender,
        receiver,
        metadata,
      });
    }),
  );
});

test('a log of another event is "not mine", a log of this event that is broken is an error with the reason', () => {
  const data = AbiCoder.defaultAbiCoder().encode(types, [
    1n,
    ...Array(6)
      .fill(0)
      .map((_, i) => (i === 1 ? 5n : `0x${'00'.repeat([20, 32, 32, 20, 20, 32][i]!)}`)),
  ]);
  expect(socketBridge.decode({ topics: [`0x${'12'.repeat(32)}`], data })).toBeNull();
  expect(socketBridge.decode({ topics: [], data })).toBeNull();
  expect(socketBridge.decode({ topics: [socketBridge.topic0, socketBridge.topic0], data })).toBeNull();
  for (const broken of ['0x', data.slice(0, -2), `${data}00`, `0x${'ff'.repeat(224)}`]) {
    expect(() => socketBridge.decode({ topics: [socketBridge.topic0], data: broken }), broken).toThrow(
      UndecodableLog,
    );
  }
});

test('known bridges have readable names, an unknown id stays what it is', () => {
  expect(bridgeNameOf('0x709f58818bedd58450336213e1f2f6ff7405a2b1e594f64270a17b7e2249419c')).toBe('Across');
  expect(bridgeNameOf(`0x${'ab'.repeat(32)}`)).toBe(`0x${'ab'.repeat(32)}`);
});

test('an event whose column takes a name that every event has, or names no argument, is refused', () => {
  const declare = (property: string) =>
    defineEvent({
      name: 'Ping',
      signature: 'event Ping(uint256 value)',
      description: 'A test.',
      columns: { [property]: { kind: 'uint256', description: 'A value.' } },
    });
  expect(() => declare('blockNumber')).toThrow('every event has a column blockNumber');
  expect(() => declare('amount')).toThrow('names no argument');
  expect(declare('value').table).toBe('ping_event');
});

const transfer = (name: string, parameters: string, declared = 'Transfer') =>
  defineEvent({
    name,
    signature: `event ${declared}(${parameters})`,
    description: 'A test.',
    columns: { one: { kind: 'uint256', description: 'A value.', from: () => 1n } },
  });

test('an event is known by its types and what is indexed, not by its own name or those of parameters', () => {
  const erc20 = transfer('Erc20Transfer', 'address indexed from, address indexed to, uint256 value');
  expect(erc20.identity).toBe('Transfer(address indexed,address indexed,uint256)');
  expect(erc20).toMatchObject({ table: 'erc20_transfer_event', topicCount: 3 });
  const erc721 = transfer('Erc721Transfer', 'address indexed, address indexed, uint256 indexed id');
  expect(erc721.topic0).toBe(erc20.topic0);
  expect(registered([erc20, erc721])).toEqual([erc20, erc721]);
});

test('two events whose logs look alike, or that share a name or a table, are refused with both names', () => {
  const one = transfer('One', 'uint256 indexed a, uint256 b');
  const two = transfer('Two', 'uint256 c, uint256 indexed d');
  expect(() => registered([one, two])).toThrow(
    /One and Two have one topic \(0x[0-9a-f]{64}\) .*: Transfer\(uint256 indexed,uint256\) and Transfer\(uint256,uint256 indexed\)/,
  );
  expect(() => registered([one, transfer('One', 'bool a')])).toThrow(/two events are called One/);
  const tables = [transfer('NewRoute', 'bool a'), transfer('New1Route', 'bytes b')];
  expect(registered(tables)).toEqual(tables);
  expect(() => registered([transfer('ABRoute', 'bool a'), transfer('AbRoute', 'bytes b')])).toThrow(
    /ABRoute and AbRoute have one table, ab_route_event/,
  );
});

test.each([
  ['a name that GraphQL could not be made of', 'ping', 'event Ping(uint256 value)', /^ping: .*PascalCase/],
  ['a signature that is none', 'Ping', 'event Ping(uint257 value', /^Ping: no event .*uint257 value/],
  ['a function', 'Ping', 'function ping(uint256 value)', /^Ping: no event .*function ping/],
])('an event with %s is refused', (_title, name, signature, says) => {
  expect(() => defineEvent({ name, signature, description: 'A test.', columns: {} })).toThrow(says);
});

test.each([
  ['a token that is no address', { to: { kind: 'uint256', refersTo: 'token' } }, /kind must be address/],
  ['a chain that is no number', { toId: { kind: 'address', refersTo: 'chain' } }, /kind must be uint256/],
  [
    'a chain by a name that has no Id to leave out',
    { to: { kind: 'uint256', refersTo: 'chain' } },
    /end in Id/,
  ],
  ['an amount that is no number', { to: { kind: 'address', amountOf: 'address' } }, /kind must be uint256/],
  [
    'an amount of what is no token',
    { value: { kind: 'uint256', amountOf: 'to' }, to: { kind: 'address' } },
    /to, which is no column that refers to a token/,
  ],
  ['an address on no chain', { to: { kind: 'address', onChain: 'nowhere' } }, /nowhere/],
  ['a number on a chain', { to: { kind: 'uint256', onChain: 'to' } }, /no address/],
  [
    'a filter of its own for what is no text',
    { to: { kind: 'uint256', filter: { read: String, takes: '' } } },
    /text/,
  ],
  [
    'a reference under the name of another column',
    { toId: { kind: 'uint256', refersTo: 'chain' }, to: { kind: 'address' } },
    /to, a name that is taken/,
  ],
] as const)('an event that declares %s is refused', (_title, columns, says) => {
  const declared = Object.entries(columns).map(([property, column]) => {
    return [property, { ...column, description: 'A test.', from: () => 0n }];
  });
  const declare = () =>
    defineEvent({
      name: 'Ping',
      signature: 'event Ping(uint256 value)',
      description: 'A test.',
      columns: Object.fromEntries(declared),
    });
  expect(declare).toThrow(says);
});

/** Types of arguments with their values as `decode` must give them back. */
const argument = fc.oneof(
  uint256.map((value) => ['uint256', value] as const),
  fc.bigInt(-(2n ** 127n), 2n ** 127n - 1n).map((value) => ['int128', value] as const),
  hex(20).map((value) => ['address', value] as const),
  hex(32).map((value) => ['bytes32', value] as const),
  hex(4).map((value) => ['bytes4', value] as const),
  fc.boolean().map((value) => ['bool', value] as const),
  fc.string({ unit: 'binary' }).map((value) => ['string', value.replaceAll('\0', '0')] as const),
  fc.uint8Array({ maxLength: 80 }).map((b) => ['bytes', `0x${Buffer.from(b).toString('hex')}`] as const),
);
const staticTypes = ['uint256', 'int128', 'address', 'bytes32', 'bytes4', 'bool'];
/** Up to three of them are indexed; of a string or bytes only the hash would be told, so these are not. */
const event = fc.array(fc.tuple(argument, fc.boolean()), { minLength: 1, maxLength: 8 }).map((list) => {
  let indexed = 0;
  return list.map(([[type, value], wish]) => {
    const isIndexed = wish && staticTypes.includes(type) && indexed++ < 3;
    return { type, value, isIndexed };
  });
});
const kinds = {
  string: 'text',
  bytes: 'bytes',
  bytes4: 'bytes',
  bool: 'boolean',
  int128: 'uint256',
} as Record<string, ColumnKind>;

function defined(list: typeof event extends fc.Arbitrary<infer E> ? E : never) {
  const parameters = list.map(({ type, isIndexed }, i) => `${type}${isIndexed ? ' indexed' : ''} arg${i}`);
  const columns = list.map(({ type }, i) => {
    return [`arg${i}`, { kind: kinds[type] ?? (type as ColumnKind), description: 'A value.' }] as const;
  });
  const signature = `event Drawn(${parameters.join(', ')})`;
  return defineEvent({
    name: 'Drawn',
    signature,
    description: 'A test.',
    columns: Object.fromEntries(columns),
  });
}

test('what any event was made of is what its decoded log says', () => {
  fc.assert(
    fc.property(event, (list) => {
      const definition = defined(list);
      const log = new Interface([definition.signature]).encodeEventLog(
        'Drawn',
        list.map(({ value }) => value),
      );
      const values = Object.fromEntries(list.map(({ value }, i) => [`arg${i}`, value]));
      expect(definition.decode({ topics: log.topics as string[], data: log.data })).toEqual(values);
    }),
  );
});

test('on arbitrary topics and bytes the decoder gives values, or "not mine", or its own error; never another one', () => {
  const length = fc.oneof(fc.nat(300), fc.constantFrom(0, 32, 64, 96, 224, 256));
  const data = fc.oneof(
    length.chain((n) => fc.uint8Array({ minLength: n, maxLength: n })).map((b) => Buffer.from(b)),
    // words that look like offsets and lengths lead a decoder furthest astray
    fc.array(fc.oneof(fc.nat(512), fc.constant(2 ** 40)), { maxLength: 10 }).map((words) => {
      return Buffer.from(words.map((word) => word.toString(16).padStart(64, '0')).join(''), 'hex');
    }),
  );
  fc.assert(
    fc.property(
      event,
      fc.array(hex(32), { maxLength: 4 }),
      fc.boolean(),
      data,
      (list, topics, mine, bytes) => {
        for (const definition of [defined(list), socketBridge]) {
          const log = {
            topics: mine ? [definition.topic0, ...topics.slice(0, 3)] : topics,
            data: `0x${bytes.toString('hex')}`,
          };
          try {
            const values = definition.decode(log);
            if (values) expect(Object.keys(values)).toEqual(definition.columns.map((c) => c.property));
          } catch (error) {
            expect(error).toBeInstanceOf(UndecodableLog);
          }
        }
      },
    ),
    { numRuns: 500 },
  );
});
