import { Interface, id } from 'ethers';
import { describe, expect, test } from 'vitest';
import { UndecodableLog } from '#libs/events/argument-reader.js';
import type { ColumnKind } from '#libs/events/column.js';
import { type ColumnDeclaration, defineEvent } from '#libs/events/event.js';

type Columns = Record<string, Omit<ColumnDeclaration, 'description'>>;

function ping(parameters: string, columns: Columns, name = 'Ping') {
  return defineEvent({
    name,
    signature: `event Ping(${parameters})`,
    description: 'A test.',
    columns: Object.fromEntries(
      Object.entries(columns).map(([property, column]) => [property, { description: 'A value.', ...column }]),
    ),
  });
}

/** The values of a log that says these arguments. */
function decoded(event: ReturnType<typeof ping>, ...values: unknown[]) {
  const { topics, data } = new Interface([event.signature]).encodeEventLog('Ping', values);
  return event.decode({ topics, data });
}

describe('a column that is an argument as it is', () => {
  test.each([
    ['uint8', 'safeInt', 255, 255],
    ['uint48', 'safeInt', 2 ** 48 - 1, 2 ** 48 - 1],
    ['uint32', 'uint256', 7, 7n],
    ['uint256', 'uint256', 2n ** 256n - 1n, 2n ** 256n - 1n],
    ['address', 'address', `0x${'AB'.repeat(20)}`, `0x${'ab'.repeat(20)}`],
    ['bytes32', 'bytes32', id('x'), id('x')],
    ['bytes4', 'bytes', '0xABCDEF01', '0xabcdef01'],
    ['bytes', 'bytes', '0xAB', '0xab'],
    ['string', 'text', 'Ärger', 'Ärger'],
    ['bool', 'boolean', true, true],
    ['int24', 'int256', -7, -7n],
    ['uint256[2]', 'json', [1n, 2n ** 200n], [1n, 2n ** 200n]],
    [
      '(address owner, bytes4[] ids)',
      'json',
      [`0x${'AB'.repeat(20)}`, ['0xABCDEF01']],
      { owner: `0x${'ab'.repeat(20)}`, ids: ['0xabcdef01'] },
    ],
    // only its hash is in the log
    ['string indexed', 'bytes32', 'x', id('x')],
  ] as const)('%s is kept as %s', (type, kind, value, kept) => {
    expect(decoded(ping(`${type} a`, { a: { kind } }), value)).toEqual({ a: kept });
  });

  test.each([
    ['uint256', 'safeInt', 'is uint256: its kind must be uint256, not safeInt'],
    ['int24', 'uint256', 'its kind must be int256'],
    ['uint256', 'address', 'its kind must be uint256, not address'],
    ['string', 'bytes', 'its kind must be text'],
    ['string indexed', 'text', 'is an indexed string: its kind must be bytes32'],
    ['uint256[]', 'uint256', 'is uint256[]: its kind must be json'],
    ['(uint256 x, bool y)', 'text', 'its kind must be json'],
  ] as const)('%s can not be kept as %s, which is told with the names', (type, kind, says) => {
    expect(() => ping(`${type} a`, { a: { kind: kind as ColumnKind } })).toThrow(says);
    expect(() => ping(`${type} a`, { a: { kind: kind as ColumnKind } })).toThrow(/^Ping: column a /);
  });
});

test('what may be of any length has no index, which would refuse long values', () => {
  for (const [type, kind] of [
    ['bytes', 'bytes'],
    ['string', 'text'],
    ['uint256[]', 'json'],
  ] as const)
    expect(() => ping(`${type} a`, { a: { kind, indexed: true } })).toThrow(/can't have an index/);
  expect(ping('bytes indexed a', { a: { kind: 'bytes32', indexed: true } }).columns).toHaveLength(1);
});

test('a column whose name GraphQL or Postgres could not have is refused', () => {
  const from = () => 1n;
  const columns = (...names: string[]) =>
    Object.fromEntries(names.map((name) => [name, { kind: 'uint256' as const, from, indexed: true }]));
  expect(() => ping('', columns('__a'))).toThrow(/^Ping: column __a has no name that GraphQL takes/);
  expect(() => ping('', columns('aB', 'a_b'))).toThrow(/is called a_b in Postgres, as another/);
  expect(() => ping('', columns('tx_hash'))).toThrow(/every event has a column tx_hash/);
  expect(() => ping('', columns('a'), `P${'i'.repeat(60)}ng`)).toThrow(/63 characters at most/);
  expect(() => ping('', columns('a'.repeat(64)))).toThrow(/a in Postgres, which takes 63 characters at most/);
});

test('a text with a NUL, which Postgres can not keep, makes the log undecodable instead of stopping its batch', () => {
  const event = ping('string a', { a: { kind: 'text' } });
  expect(() => decoded(event, 'a\0b')).toThrow(UndecodableLog);
  expect(() => decoded(event, 'a\0b')).toThrow(/a has a NUL character/);
});
