import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LogRange } from '#libs/chain/log-range.js';
import { type BlockRange, RpcError, type RpcErrorKind } from '#libs/chain/rpc-error.js';

const FROM = 1_000;
const errorOf = (fields: { kind: RpcErrorKind; limit?: number; suggested?: BlockRange; code?: number }) =>
  new RpcError({ host: 'host', method: 'eth_getLogs', message: 'words', ...fields });
const refuse = (range: LogRange, fields: Parameters<typeof errorOf>[0], asked = range.size) =>
  range.shrink(FROM, FROM + asked - 1, errorOf(fields));
const succeed = (range: LogRange, times: number) => {
  for (let i = 0; i < times; i++) range.grow(range.size);
};

const kind = fc.constantFrom<RpcErrorKind>(
  'range_limit',
  'suggested_range',
  'result_cap',
  'timeout',
  'transient',
  'head_behind',
  'rate_limit',
);
const number = fc.oneof(fc.integer({ min: -10, max: 5_000 }), fc.integer());
const refusal = fc.record({
  kind,
  limit: fc.option(number, { nil: undefined }),
  suggested: fc.option(fc.record({ from: fc.oneof(fc.constant(FROM), number), to: number }), {
    nil: undefined,
  }),
  code: fc.option(fc.integer(), { nil: undefined }),
});
const event = fc.oneof(refusal, fc.constant('answered' as const));

test('whatever providers say, a range stays between one block and the maximum', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5_000 }), fc.array(event, { maxLength: 100 }), (max, events) => {
      const range = new LogRange(max);
      for (const one of events) {
        if (one === 'answered') range.grow(range.size);
        else refuse(range, one);
        expect(Number.isInteger(range.size) && range.size >= 1 && range.size <= max).toBe(true);
      }
    }),
  );
});

test('every refusal of the width makes a range of several blocks smaller', () => {
  const width = kind.filter((k) => ['range_limit', 'suggested_range', 'result_cap'].includes(k));
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 5_000 }), refusal, width, (max, fields, widthKind) => {
      const range = new LogRange(max);
      refuse(range, { ...fields, kind: widthKind });
      expect(range.size).toBeLessThan(max);
    }),
  );
});

test('any hidden limit is found, and then respected but for rare probes', () => {
  const params = fc.record({
    max: fc.integer({ min: 1, max: 5_000 }),
    hidden: fc.integer({ min: 1, max: 6_000 }),
    says: fc.boolean(),
  });
  fc.assert(
    fc.property(params, ({ max, hidden, says }) => {
      const range = new LogRange(max);
      let refusals = 0;
      for (let i = 0; i < 450; i++) {
        if (range.size <= hidden) range.grow(range.size);
        else {
          refuse(range, { kind: 'range_limit', limit: says ? hidden : undefined });
          refusals++;
        }
      }
      expect(range.size).toBeLessThanOrEqual(hidden);
      expect(range.size * 2).toBeGreaterThanOrEqual(Math.min(max, hidden));
      expect(refusals).toBeLessThanOrEqual(says ? 1 : Math.ceil(Math.log2(max / hidden + 1)) + 1);
    }),
  );
});

test('a limit is meant inclusive and kept; one at or above what was asked is a lie, and halves', () => {
  const range = new LogRange(1_000);
  refuse(range, { kind: 'range_limit', limit: 300 });
  expect(range.size).toBe(300);
  succeed(range, 100);
  expect(range.size).toBe(300);
  refuse(range, { kind: 'range_limit', limit: 10_000 });
  expect(range.size).toBe(150);
});

test('a limit is probed again much later, and the old size comes back when it still holds', () => {
  const range = new LogRange(1_000);
  refuse(range, { kind: 'range_limit', limit: 300 });
  succeed(range, 500);
  expect(range.size).toBe(450);
  refuse(range, { kind: 'range_limit' });
  expect(range.size).toBe(300);
});

test('a suggestion is taken only if it begins where we asked and is shorter', () => {
  const suggest = (suggested: BlockRange) => {
    const range = new LogRange(1_000);
    refuse(range, { kind: 'suggested_range', suggested });
    return range.size;
  };
  expect(suggest({ from: FROM, to: FROM + 699 })).toBe(700);
  const useless = [
    { from: FROM, to: FROM + 999 },
    { from: FROM, to: FROM - 1 },
    { from: FROM + 500, to: FROM + 999 },
    { from: FROM - 1, to: FROM + 10 },
  ];
  expect(useless.map(suggest)).toEqual([500, 500, 500, 500]);
});

test('a plan’s cap that comes with a suggestion is remembered, a suggestion for dense blocks is not', () => {
  const capped = new LogRange(1_000);
  refuse(capped, { kind: 'suggested_range', limit: 10, suggested: { from: FROM, to: FROM + 9 } });
  succeed(capped, 100);
  expect(capped.size).toBe(10);
  const dense = new LogRange(1_000);
  refuse(dense, { kind: 'suggested_range', suggested: { from: FROM, to: FROM + 9 } });
  succeed(dense, 100);
  expect(dense.size).toBe(1_000);
});

test('results that are too many halve the range, and it recovers', () => {
  const range = new LogRange(1_000);
  refuse(range, { kind: 'result_cap' });
  refuse(range, { kind: 'result_cap' });
  expect(range.size).toBe(250);
  succeed(range, 4);
  expect(range.size).toBe(250);
  succeed(range, 1);
  expect(range.size).toBe(375);
  succeed(range, 30);
  expect(range.size).toBe(1_000);
});

test('one timeout is tried again, the second halves; an unreachable endpoint teaches nothing', () => {
  const range = new LogRange(1_000);
  refuse(range, { kind: 'timeout' });
  expect(range.size).toBe(1_000);
  refuse(range, { kind: 'timeout' });
  expect(range.size).toBe(500);
  for (let i = 0; i < 20; i++) refuse(range, { kind: 'transient' });
  for (let i = 0; i < 20; i++) refuse(range, { kind: 'rate_limit', code: -32_005 });
  expect(range.size).toBe(500);
  for (let i = 0; i < 3; i++) refuse(range, { kind: 'transient', code: -32_603 });
  expect(range.size).toBe(250);
});

test('a refused single block, or the short end of a range, teaches nothing', () => {
  const range = new LogRange(1_000);
  refuse(range, { kind: 'range_limit' }, 1);
  expect(range.size).toBe(1_000);
  refuse(range, { kind: 'result_cap' });
  for (let i = 0; i < 50; i++) range.grow(3);
  expect(range.size).toBe(500);
});
