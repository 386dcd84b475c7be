import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseHeader } from '#libs/chain/block-header.js';
import { bytes, quantity, toQuantity } from '#libs/chain/hex.js';
import { parseLogs } from '#libs/chain/rpc-log.js';
import { blockHash, CONTRACT, rawBlock, rawLog, TOPIC, timeOf } from './services/recorded-blocks.js';

test('a quantity is read in every form that nodes give it', () => {
  const forms = fc.record({ value: fc.maxSafeNat(), zeros: fc.nat(70), upper: fc.boolean() });
  fc.assert(
    fc.property(forms, ({ value, zeros, upper }) => {
      const digits = value.toString(16);
      const hex = `0x${'0'.repeat(zeros)}${upper ? digits.toUpperCase() : digits}`;
      for (const form of [hex, String(value), value, toQuantity(value)]) {
        expect(quantity(form, 'field')).toBe(value);
      }
    }),
  );
});

test('what is no quantity is refused by the name of its field', () => {
  const wrong = [
    null,
    undefined,
    '',
    '0x',
    '-1',
    -1,
    1.5,
    '1.5',
    '0xg',
    ' 1',
    {},
    [],
    true,
    '0x20000000000000',
    2 ** 53,
  ];
  for (const value of wrong)
    expect(() => quantity(value, 'log.logIndex')).toThrow(/log\.logIndex is .*quantity/);
});

test('bytes are lower-cased; odd lengths, other lengths and other characters are refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70 }), (value) => {
      const hex = `0x${Buffer.from(value).toString('hex')}`;
      expect(bytes(hex.toUpperCase().replace('0X', '0x'), 'field', value.length)).toBe(hex);
      expect(() => bytes(`${hex}a`, 'field')).toThrow();
      expect(() => bytes(hex, 'field', value.length + 1)).toThrow(/expected \d+ bytes/);
    }),
  );
  for (const value of [null, 5, 'ab', '0xzz']) expect(() => bytes(value, 'log.data')).toThrow(/log\.data/);
});

test('a log is read in lower case, its time only if the node tells it', () => {
  const [log] = parseLogs([
    rawLog(7, { address: CONTRACT.toUpperCase().replace('0X', '0x'), data: '0xABCD' }),
  ]);
  expect(log).toEqual({
    address: CONTRACT,
    topics: [TOPIC],
    data: '0xabcd',
    blockNumber: 7,
    blockHash: blockHash(7),
    blockTimestamp: undefined,
    txHash: rawLog(7).transactionHash,
    txIndex: 0,
    logIndex: 0,
  });
  expect(parseLogs([rawLog(7, { blockTimestamp: toQuantity(99) })])[0]!.blockTimestamp).toBe(99);
});

test.each([
  ['null instead of a list', null],
  ['an object instead of a list', {}],
  ['a pending log', [rawLog(1, { blockNumber: null, blockHash: null, logIndex: null })]],
  ['a removed log', [rawLog(1, { removed: true })]],
  ['five topics', [rawLog(1, { topics: Array(5).fill(TOPIC) })]],
  ['a topic that is too short', [rawLog(1, { topics: ['0x12'] })]],
  ['data of half a byte', [rawLog(1, { data: '0x123' })]],
  ['a log that is no object', ['0x']],
])('%s is never taken for logs', (_, answer) => {
  expect(() => parseLogs(answer)).toThrow();
});

test('a block that the node lacks is null; a pending or broken one is refused', () => {
  expect(parseHeader(null)).toBeNull();
  expect(parseHeader(rawBlock(5))).toMatchObject({ number: 5, hash: blockHash(5), timestamp: timeOf(5) });
  for (const broken of [{ hash: null }, { number: null }, { logsBloom: '0x' }, { parentHash: '0x00' }]) {
    expect(() => parseHeader(rawBlock(5, [], broken))).toThrow();
  }
  expect(() => parseHeader('0x5')).toThrow();
});
