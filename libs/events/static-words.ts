import type { EventFragment } from 'ethers';

/** A log's topics and data, as hex. */
interface RawLog {
  readonly topics: readonly string[];
  readonly data: string;
}

/** Characters of a word of 32 bytes. */
const WORD = 64;

type ReadWord = (word: string) => bigint | boolean | string;

/**
 * Reads the arguments of an event whose arguments all take one word, without ethers, which takes some 100 times as long (workers and
 * `derive` decode every log). It says what ethers says: of a number or bytes that are narrower than a word the rest is passed
 * over, an address with something before it is refused.
 * @returns null where one of the types has no fixed length. The reader takes data of the right length, and gives the values in
 *   the order of the arguments, bytes in lower case, or why it can't, in words.
 */
export function wordReader(fragment: EventFragment): ((log: RawLog) => unknown[] | string) | null {
  const readers = fragment.inputs.map((input) => readerOf(input.type));
  if (readers.some((read) => read === null)) return null;
  let [inTopics, inData] = [0, 0];
  const places = fragment.inputs.map(({ name, indexed }, i) => {
    const place = indexed ? ++inTopics : inData++;
    return { name, indexed, place, read: readers[i]! };
  });
  return ({ topics, data }) => {
    if (!isHex(data)) return 'its data is not hex';
    if (!topics.every((topic) => topic.length === 2 + WORD && isHex(topic)))
      return 'a topic is not 32 bytes of hex';
    const values: unknown[] = [];
    for (const { name, indexed, place, read } of places) {
      const word = indexed ? topics[place]!.slice(2) : data.slice(2 + place * WORD, 2 + (place + 1) * WORD);
      const value = read(word);
      if (value === REFUSED) return `${name} is no address: ${word}`;
      values.push(value);
    }
    return values;
  };
}

const isHex = (text: string) => /^0x[0-9a-fA-F]*$/.test(text);

const REFUSED = '';

function readerOf(type: string): ReadWord | null {
  if (type === 'address') return readAddress;
  if (type === 'bool') return (word) => /[^0]/.test(word);
  const [, kind, digits] = /^(uint|int|bytes)(\d+)$/.exec(type) ?? [];
  const width = Number(digits);
  if (kind === 'bytes') return (word) => `0x${word.slice(0, width * 2).toLowerCase()}`;
  if (kind === 'uint') return (word) => BigInt(`0x${word.slice(WORD - width / 4)}`);
  return kind === 'int' ? (word) => BigInt.asIntN(width, BigInt(`0x${word}`)) : null;
}

function readAddress(word: string): string {
  return /^0{24}/.test(word) ? `0x${word.slice(24).toLowerCase()}` : REFUSED;
}
