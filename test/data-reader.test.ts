import { AbiCoder, EventFragment, Indexed, Interface, type ParamType, type Result } from 'ethers';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { argumentReader, UndecodableLog } from '#libs/events/argument-reader.js';
import type { NestedValue } from '#libs/events/column.js';
import { dataReader } from '#libs/events/data-reader.js';

const word = (value: number) => value.toString(16).padStart(64, '0');

/** Reads a log of an event with one argument. */
function decode(type: string, data: string): unknown {
  const fragment = EventFragment.from(`event Drawn(${type} drawn)`);
  return argumentReader(fragment, 'Drawn')({ topics: [fragment.topicHash], data })!.drawn;
}

/** A list of `count` lists, all of which are the same one. */
function shared(count: number, list: string): string {
  return word(count) + word(count * 32).repeat(count) + list;
}

test('data that lists share is refused before it swells: 94 words say 27,000 numbers', () => {
  const numbers = word(30) + word(1).repeat(30);
  const data = `0x${word(32)}${shared(30, shared(30, numbers))}`;
  expect(data.length).toBe(2 + 94 * 64);
  expect(() => decode('uint256[][][]', data)).toThrow(UndecodableLog);
  expect(() => decode('uint256[][][]', data)).toThrow(/Drawn: .* more than 2 times over/);
});

test('two arguments may share their data', () => {
  expect(
    decode('string[]', `0x${word(32)}${word(2)}${word(64).repeat(2)}${word(1)}${'61'.padEnd(64, '0')}`),
  ).toEqual(['a', 'a']);
});

test('short bytes that are shared count as the words that they take', () => {
  const list = word(10) + word(1).repeat(10);
  expect(() => decode('bytes1[][]', `0x${word(32)}${shared(5, list)}`)).toThrow(/more than 2 times over/);
  expect(decode('bytes1[][]', `0x${word(32)}${shared(1, list)}`)).toEqual([Array(10).fill('0x00')]);
});

test('data that is not hex, or half a byte, is refused', () => {
  for (const data of ['0x0', `0x${word(32)}${word(0)}0`, `0x${'xy'.repeat(64)}`, ''])
    expect(() => decode('bytes', data)).toThrow(UndecodableLog);
});

test('lists in lists, as they are written, are read however long they are', () => {
  const lists = Array.from({ length: 40 }, (_, i) => Array.from({ length: i }, (_, j) => BigInt(i * j)));
  const data = AbiCoder.defaultAbiCoder().encode(['uint256[][]'], [lists]);
  expect(decode('uint256[][]', data)).toEqual(lists);
});

describe('ethers and this reader', () => {
  // as this reader refuses what is read more than twice over
  beforeAll(() => AbiCoder._setDefaultMaxInflation(2));
  afterAll(() => AbiCoder._setDefaultMaxInflation(1024));

  test('read the same of what contracts write, whatever the types', () => {
    const outcomes = compared(log.map((one) => ({ ...one, data: one.written })));
    expect(outcomes.read).toBeGreaterThan(1_900);
  });

  test('read the same of what is hostile or broken, and refuse the same', () => {
    const broken = log.chain((one) => brokenOf(one.written).map((data) => ({ ...one, data })));
    const outcomes = compared(broken);
    expect(outcomes.read).toBeGreaterThan(200);
    expect(outcomes.refused).toBeGreaterThan(200);
  });
});

/** A type and what values of it ethers encodes. */
interface Drawn {
  readonly type: string;
  readonly value: fc.Arbitrary<unknown>;
}

const hexOf = (limits: { minLength: number; maxLength: number }) =>
  fc.uint8Array(limits).map((bytes) => `0x${Buffer.from(bytes).toString('hex')}`);
const width = fc.integer({ min: 1, max: 32 });
const oneWord: fc.Arbitrary<Drawn> = fc.oneof(
  fc.constant({ type: 'bool', value: fc.boolean() }),
  fc.constant({ type: 'address', value: hexOf({ minLength: 20, maxLength: 20 }) }),
  width.map((n) => ({ type: `bytes${n}`, value: hexOf({ minLength: n, maxLength: n }) })),
  width.map((n) => ({ type: `uint${n * 8}`, value: fc.bigInt({ min: 0n, max: 2n ** BigInt(n * 8) - 1n }) })),
  width.map((n) => {
    const bound = 2n ** BigInt(n * 8 - 1);
    return { type: `int${n * 8}`, value: fc.bigInt({ min: -bound, max: bound - 1n }) };
  }),
);
const anyLength: fc.Arbitrary<Drawn> = fc.constantFrom(
  { type: 'bytes', value: hexOf({ minLength: 0, maxLength: 70 }) },
  { type: 'string', value: fc.string({ unit: 'binary', maxLength: 40 }) },
  { type: 'string', value: fc.constantFrom('', '\uFEFFwith a mark', 'ä€😀') },
);
const anyType = fc.letrec<{ type: Drawn }>((tie) => ({
  type: fc.oneof(
    { maxDepth: 3, depthSize: 'medium' },
    oneWord,
    anyLength,
    tie('type').map(({ type, value }) => ({ type: `${type}[]`, value: fc.array(value, { maxLength: 4 }) })),
    fc.tuple(tie('type'), fc.integer({ min: 1, max: 3 })).map(([{ type, value }, n]) => ({
      type: `${type}[${n}]`,
      value: fc.array(value, { minLength: n, maxLength: n }),
    })),
    fc
      .array(fc.tuple(tie('type'), fc.constantFrom('', ' a', ' b', ' c')), { minLength: 1, maxLength: 3 })
      .map((parts) => ({
        type: `tuple(${parts.map(([{ type }, name]) => type + name).join(', ')})`,
        value: fc.tuple(...parts.map(([{ value }]) => value)),
      })),
  ),
})).type;

const anyWord = hexOf({ minLength: 32, maxLength: 32 });
/** A log of an event of any types, its data as a contract writes it. */
const log = fc
  .array(fc.tuple(anyType, fc.boolean()), { maxLength: 5 })
  .filter((inputs) => inputs.filter(([, indexed]) => indexed).length <= 3)
  .chain((inputs) => {
    const parameters = inputs.map(([{ type }, indexed], i) => `${type}${indexed ? ' indexed' : ''} arg${i}`);
    const fragment = EventFragment.from(`event Drawn(${parameters.join(', ')})`);
    const data = inputs.filter(([, indexed]) => !indexed).map(([drawn]) => drawn);
    const topics = inputs
      .filter(([, indexed]) => indexed)
      .map(([{ type }]) =>
        type === 'address' ? anyWord.map((w) => `0x${w.slice(26).padStart(64, '0')}`) : anyWord,
      );
    return fc.record({
      fragment: fc.constant(fragment),
      topics: fc.tuple(...topics).map((words) => [fragment.topicHash, ...words]),
      written: fc.tuple(...data.map(({ value }) => value)).map((values) =>
        AbiCoder.defaultAbiCoder().encode(
          data.map(({ type }) => type),
          values,
        ),
      ),
    });
  });

/** Offsets and lengths that lead elsewhere or nowhere, bytes that are others, an end too early or too late. */
function brokenOf(written: string): fc.Arbitrary<string> {
  const bytes = (written.length - 2) / 2;
  const place = fc.nat({ max: Math.max(bytes - 1, 0) });
  const wrongWord = fc.oneof(
    fc.nat({ max: 8 }).map(word),
    fc.nat({ max: 12 }).map((n) => word(n * 32)),
    fc.constantFrom(bytes, bytes - 32, bytes + 1, 2 ** 40).map((n) => word(Math.max(n, 0))),
    fc.constantFrom('f'.repeat(64), (2n ** 53n).toString(16).padStart(64, '0')),
    anyWord.map((one) => one.slice(2)),
  );
  const put = (hex: string, at: number, part: string) =>
    hex.slice(0, 2 + 2 * at) + part + hex.slice(2 + 2 * at + part.length);
  const change = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.tuple(place, wrongWord).map(
        ([at, one]) =>
          (hex: string) =>
            put(hex, at - (at % 32), one),
      ),
    },
    fc.tuple(place, fc.nat({ max: 255 })).map(
      ([at, byte]) =>
        (hex: string) =>
          put(hex, at, byte.toString(16).padStart(2, '0')),
    ),
    place.map((at) => (hex: string) => hex.slice(0, 2 + 2 * at)),
    anyWord.map((one) => (hex: string) => hex + one.slice(2)),
    fc.constant((hex: string) => hex.replace(/(00)+$/, '')),
  );
  return fc
    .array(change, { minLength: 1, maxLength: 3 })
    .map((changes) => changes.reduce((hex, make) => make(hex), written));
}

interface DrawnLog {
  readonly fragment: EventFragment;
  readonly topics: string[];
  readonly data: string;
}

/** Compares both on many logs. @returns how many were read, and refused. */
function compared(logs: fc.Arbitrary<DrawnLog>): { read: number; refused: number } {
  const outcomes = { read: 0, refused: 0 };
  const property = fc.property(logs, (one) => {
    const expected = byEthers(one);
    const read = dataReader(one.fragment)(one);
    outcomes[expected ? 'read' : 'refused']++;
    if (!expected) expect(read).toEqual(expect.any(String));
    else if (!isRefusedHereOnly(one, read)) expect(read).toEqual(expected);
  });
  fc.assert(property, { numRuns: 2_000 });
  return outcomes;
}

/** Ethers counts bytes that are shorter than a word as so much less read, so that more of them may be shared. */
function isRefusedHereOnly({ fragment }: DrawnLog, read: NestedValue[] | string): boolean {
  return /bytes\d/.test(fragment.format()) && typeof read === 'string' && /more than 2 times/.test(read);
}

/** What ethers reads, as rows hold it, or null where it refuses. */
function byEthers({ fragment, topics, data }: DrawnLog): NestedValue[] | null {
  try {
    const result = new Interface([fragment]).decodeEventLog(fragment, data, topics);
    return fragment.inputs.map((input, i) => asStored(input, result[i]));
  } catch {
    return null;
  }
}

function asStored(type: ParamType, value: unknown): NestedValue {
  if (value instanceof Indexed) return value.hash!;
  if (type.isArray()) return [...(value as Result)].map((one) => asStored(type.arrayChildren, one));
  if (type.isTuple()) {
    const read = type.components.map((part, i) => asStored(part, (value as Result)[i]));
    const names = type.components.map((part) => part.name);
    const isNamed = names.every(Boolean) && new Set(names).size === names.length;
    return isNamed ? Object.fromEntries(names.map((name, i) => [name, read[i]!])) : read;
  }
  if (typeof value !== 'string') return value as bigint | boolean;
  if (type.baseType !== 'string') return value.toLowerCase();
  if (value.includes('\0')) throw new Error('Postgres has no place for it');
  return value;
}
