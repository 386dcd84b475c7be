import { EventFragment, Interface } from 'ethers';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { wordReader } from '#libs/events/static-words.js';

const bytes = fc.integer({ min: 1, max: 32 });
const type = fc.oneof(
  fc.constantFrom('address', 'bool'),
  bytes.map((n) => `uint${n * 8}`),
  bytes.map((n) => `int${n * 8}`),
  bytes.map((n) => `bytes${n}`),
);
const event = fc
  .array(fc.record({ type, indexed: fc.boolean() }), { maxLength: 9 })
  .filter((inputs) => inputs.filter(({ indexed }) => indexed).length <= 3)
  .map((inputs) => {
    const parameters = inputs.map((input, i) => `${input.type}${input.indexed ? ' indexed' : ''} arg${i}`);
    return EventFragment.from(`event Drawn(${parameters.join(', ')})`);
  });

/** Words as a contract writes them, and others: something before an address or behind short bytes, a bool of 2. */
const word = fc.oneof(
  fc.uint8Array({ minLength: 32, maxLength: 32 }).map((b) => Buffer.from(b).toString('hex')),
  fc
    .uint8Array({ minLength: 20, maxLength: 20 })
    .map((b) => Buffer.from(b).toString('hex').padStart(64, '0')),
  fc.uint8Array({ minLength: 1, maxLength: 32 }).map((b) => Buffer.from(b).toString('hex').padEnd(64, '0')),
  fc.constantFrom('0', '1', '2', 'f', '80').map((text) => text.padStart(64, '0')),
  fc.constant('f'.repeat(64)),
);
const words = (count: number) => fc.array(word, { minLength: count, maxLength: count });

const log = event.chain((fragment) => {
  const indexed = fragment.inputs.filter((input) => input.indexed).length;
  return fc.record({
    fragment: fc.constant(fragment),
    topics: words(indexed).map((list) => [fragment.topicHash, ...list.map((one) => `0x${one}`)]),
    data: fc
      .tuple(words(fragment.inputs.length - indexed), fc.boolean())
      .map(([list, upper]) => (upper ? list.join('').toUpperCase() : list.join('')))
      .map((hex) => `0x${hex}`),
  });
});

/** What ethers reads, or null where it refuses. */
function byEthers(
  fragment: EventFragment,
  { topics, data }: { topics: string[]; data: string },
): unknown[] | null {
  try {
    const values = [...new Interface([fragment]).decodeEventLog(fragment, data, topics)] as unknown[];
    return values.map((value) => (typeof value === 'string' ? value.toLowerCase() : value));
  } catch {
    return null;
  }
}

test('arguments of one word each are read as ethers reads them, and refused where it refuses', () => {
  let refused = 0;
  fc.assert(
    fc.property(log, ({ fragment, topics, data }) => {
      const expected = byEthers(fragment, { topics, data });
      const read = wordReader(fragment)!({ topics, data });
      if (expected === null) refused++;
      if (expected === null) expect(read).toEqual(expect.any(String));
      else expect(read).toEqual(expected);
    }),
    { numRuns: 3_000 },
  );
  expect(refused).toBeGreaterThan(100);
});

test('what is not hex is refused', () => {
  const fragment = EventFragment.from('event Drawn(bytes32 a, bytes32 indexed b)');
  const read = wordReader(fragment)!;
  const [topic, data] = [`0x${'ab'.repeat(32)}`, `0x${'cd'.repeat(32)}`];
  expect(read({ topics: [topic, topic], data })).toEqual([data, topic]);
  expect(read({ topics: [topic, topic], data: `0x${'xy'.repeat(32)}` })).toBe('its data is not hex');
  for (const wrong of ['0x', `${topic}00`, `0x${'xy'.repeat(32)}`])
    expect(read({ topics: [topic, wrong], data })).toBe('a topic is not 32 bytes of hex');
});

test.each(['string', 'bytes', 'uint256[]', 'uint256[2]', '(uint256,uint256)'])(
  'an event with a %s is left to the reader of all types',
  (type) => {
    expect(wordReader(EventFragment.from(`event Drawn(uint256 a, ${type} b)`))).toBeNull();
  },
);
