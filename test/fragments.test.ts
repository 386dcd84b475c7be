import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { statsTerms } from '#apps/api/reads/stats.js';
import { LONGEST_NAME } from '#libs/events/event.js';
import {
  argumentsOf,
  identityOf,
  nameOfFragment,
  otherNameOf,
  parseFragment,
} from '#libs/events/fragment.js';
import { jsonEvent } from '#libs/events/json-event.js';

describe('a fragment that can not be followed is refused with the reason', () => {
  test.each([
    ['event Transfer(address indexed from', 'is no event of Solidity'],
    ['function transfer(address to)', 'is no event of Solidity'],
    ['', 'is no event of Solidity'],
    ['event Transfer(adress from)', 'is no event of Solidity'],
    ['event Ping(uint256 a) anonymous', 'is anonymous: its logs carry no topic'],
    [
      'event Ping(uint8 indexed a, uint8 indexed b, uint8 indexed c, uint8 indexed d)',
      'has 4 indexed arguments, a log has room for 3',
    ],
    ['event Ping(uint8 a, uint16 a)', 'has two arguments of the name a'],
  ])('%s', (text, reason) => {
    expect(() => parseFragment(text)).toThrow(reason);
  });
});

test('the word event may be left out, and spaces are as one likes', () => {
  const fragment = parseFragment('  Transfer( address  indexed from,address indexed to,uint256 value )');
  expect(fragment.format('full')).toBe(
    'event Transfer(address indexed from, address indexed to, uint256 value)',
  );
});

test('names of arguments do not tell events apart, types and what is indexed do', () => {
  const identity = (text: string) => identityOf(parseFragment(text));
  expect(identity('event A(uint x, address indexed y)')).toBe(
    identity('event A(uint256, address indexed z)'),
  );
  expect(identity('event A(uint256 x, address y)')).not.toBe(
    identity('event A(uint256 x, address indexed y)'),
  );
  expect(identity('event A(uint256 x)')).not.toBe(identity('event A(uint128 x)'));
});

test('its name is one of GraphQL, and where it is taken another that only depends on the event', () => {
  expect(nameOfFragment(parseFragment('event transfer_single()'))).toBe('TransferSingle');
  expect(nameOfFragment(parseFragment('event _Paused(address account)'))).toBe('Paused');
  const fragment = parseFragment('event Ping(uint256 a)');
  expect(otherNameOf('Ping', fragment)).toBe(otherNameOf('Ping', parseFragment('Ping(uint256 other)')));
  expect(otherNameOf('Ping', fragment)).not.toBe(otherNameOf('Ping', parseFragment('Ping(uint8 a)')));
});

test('an argument without a name never has the name of another', () => {
  const event = jsonEvent('event Named(uint256, uint256 arg0, uint256)');
  const word = (value: number) => value.toString(16).padStart(64, '0');
  const log = { topics: [event.topic0], data: `0x${word(7)}${word(8)}${word(9)}` };
  expect(event.decode(log)!.args).toEqual({ arg0_: 7n, arg0: 8n, arg2: 9n });
});

test('every argument becomes a column of the kind that holds it exactly, under a name that is free', () => {
  const text =
    'event Odd(address indexed _from, uint48 a, uint56 b, int8 c, bytes4 d, bytes32 e, string, string indexed g, (uint8 x)[] h, bool address, uint8 chain_id, bytes chainId)';
  expect(
    argumentsOf(parseFragment(text.replace('bool address', 'bool removed'))).map(
      ({ name, property, kind }) => [name, property, kind],
    ),
  ).toEqual([
    ['_from', 'from', 'address'],
    ['a', 'a', 'safeInt'],
    ['b', 'b', 'uint256'],
    ['c', 'c', 'int256'],
    ['d', 'd', 'bytes'],
    ['e', 'e', 'bytes32'],
    ['arg6', 'arg6', 'text'],
    ['g', 'g', 'bytes32'],
    ['h', 'h', 'json'],
    ['removed', 'removedArg', 'boolean'],
    ['chain_id', 'chainIdArg', 'safeInt'],
    ['chainId', 'chainIdArgArg', 'bytes'],
  ]);
});

const namesOf = (text: string) => argumentsOf(parseFragment(text)).map(({ property }) => property);

test.each([
  ['before its argument', 'event A(uint256 distinctUser, address user)', ['distinctUserArg', 'user']],
  ['behind it', 'event A(address user, bool distinct_user)', ['user', 'distinctUserArg']],
  ['of a name that is none of its own', 'event A(address, int8 distinctArg0)', ['arg0', 'distinctArg0Arg']],
  [
    'whose longer name is one, too',
    'event A(address user, address distinctUser, uint8 distinctDistinctUserArg)',
    ['user', 'distinctUserArg', 'distinctDistinctUserArgArg'],
  ],
  [
    'whose longer name is taken',
    'event A(address user, uint8 distinctUser, uint8 distinctUserArg)',
    ['user', 'distinctUserArgArg', 'distinctUserArg'],
  ],
])('an argument that is called as a figure of its aggregates (%s) gets another name', (_, text, names) => {
  expect(namesOf(text)).toEqual(names);
});

test('an argument that is called as a value of GraphQL gets another name', () => {
  expect(namesOf('event A(bool true, bool false, uint8 null)')).toEqual(['trueArg', 'falseArg', 'nullArg']);
});

const long = 'a'.repeat(63);

test.each([
  ['as long as Postgres takes them', `event A(bool ${long})`, [long]],
  ['longer', `event A(bool ${long}b, bool ${long}c)`, [long, `${'a'.repeat(59)}Arg`]],
  ['longer in Postgres', `event A(bool ${'aB'.repeat(25)})`, ['aB'.repeat(21)]],
  [
    'longer with what tells them apart',
    `event A(bool ${'c'.repeat(63)}, bool _${'c'.repeat(63)})`,
    ['c'.repeat(63), `${'c'.repeat(59)}Arg`],
  ],
  [
    'longer than a figure allows',
    `event A(address ${'d'.repeat(60)}, bool distinctD${'d'.repeat(59)})`,
    ['d'.repeat(60), `distinctD${'d'.repeat(53)}`],
  ],
])('names of arguments that are %s are told apart by what Postgres keeps of them', (_, text, names) => {
  expect(namesOf(text)).toEqual(names);
  for (const { name } of jsonEvent(text).columns) expect(name.length).toBeLessThanOrEqual(LONGEST_NAME);
});

test('an argument that only looks like a figure of the aggregates keeps its name', () => {
  expect(namesOf('event A(uint256 user, uint256 distinctUser)')).toEqual(['user', 'distinctUser']);
  expect(namesOf('event A(address user, uint256[] distinctUser)')).toEqual(['user', 'distinctUser']);
  expect(namesOf('event A(address user, uint256 distinctuser)')).toEqual(['user', 'distinctuser']);
});

test('whatever its arguments are called, its figures have names of their own', () => {
  const name = fc
    .tuple(
      fc.constantFrom('', 'distinct', 'distinctDistinct', 'sum'),
      fc.constantFrom('user', 'User', 'count', 'Arg', 'userArg', 'bucket'),
    )
    .map((words) => words.join(''));
  const type = fc.constantFrom('address', 'uint256', 'bool', 'bytes', 'uint8[]');
  const inputs = fc.uniqueArray(fc.tuple(type, name), { selector: ([, one]) => one, maxLength: 8 });
  fc.assert(
    fc.property(inputs, (given) => {
      const event = jsonEvent(`event A(${given.map((words) => words.join(' ')).join(', ')})`);
      statsTerms(event);
      expect(new Set(event.allColumns.map((column) => column.name)).size).toBe(event.allColumns.length);
    }),
  );
});
