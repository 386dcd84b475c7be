import { AbiCoder, EventFragment } from 'ethers';
import { expect, test } from 'vitest';
import { argumentReader, UndecodableLog } from '#libs/events/argument-reader.js';

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
  expect(() => decode('uint256[][][]', data)).toThrow(/Drawn: .* 2\b/);
});

test('two arguments may share their data', () => {
  expect(
    decode('string[]', `0x${word(32)}${word(2)}${word(64).repeat(2)}${word(1)}${'61'.padEnd(64, '0')}`),
  ).toEqual(['a', 'a']);
});

test('lists in lists, as they are written, are read however long they are', () => {
  const lists = Array.from({ length: 40 }, (_, i) => Array.from({ length: i }, (_, j) => BigInt(i * j)));
  const data = AbiCoder.defaultAbiCoder().encode(['uint256[][]'], [lists]);
  expect(decode('uint256[][]', data)).toEqual(lists);
});
