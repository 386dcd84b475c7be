import { isUtf8 } from 'node:buffer';
import { type EventFragment, ParamType } from 'ethers';
import type { NestedValue } from './column.js';
import { misshapeOf, type ReadLog, WORD, type WordReader, wordReaderOf } from './static-words.js';

/**
 * Data may be read this many times over. As a contract writes it each word is read once; where many places point to the same list,
 * 29 kB could say 27 million numbers.
 */
const MOST_READS = 2;

/** How a type's values are read. A `dynamic` one lies elsewhere, and an offset in its place (Solidity's ABI specification). */
interface Coder {
  readonly dynamic: boolean;
  read(at: Cursor): NestedValue;
}

/** Data as hex without 0x, and how much of it may still be read. */
class Words {
  readonly bytes: number;
  private allowance: number;

  constructor(private readonly hex: string) {
    this.bytes = hex.length / 2;
    this.allowance = MOST_READS * this.bytes;
  }

  /** @throws Error when the data ends before, or too much of it is read. */
  read(from: number, bytes: number): string {
    if (from + bytes > this.bytes)
      throw new Error(`its data ends at byte ${this.bytes}, before one of its values does`);
    this.allowance -= bytes;
    if (this.allowance < 0)
      throw new Error(`its places share data, which would be read more than ${MOST_READS} times over`);
    return this.hex.slice(2 * from, 2 * (from + bytes));
  }
}

/** Where the next value is read. */
class Cursor {
  constructor(
    private readonly data: Words,
    /** In bytes. */
    private place: number,
  ) {}

  word(): string {
    const word = this.data.read(this.place, WORD / 2);
    this.place += WORD / 2;
    return word;
  }

  /** A length or an offset. */
  size(): number {
    const size = Number(`0x${this.word()}`);
    if (size > Number.MAX_SAFE_INTEGER)
      throw new Error('a length or offset in its data is beyond all bounds');
    return size;
  }

  /** The bytes that follow upon their length. The padding behind the last ones may lack: old contracts left it out. */
  sizedBytes(): string {
    const size = this.size();
    return this.data.read(this.place, size);
  }

  /** The number of values that follow, of which each takes a word or more here. */
  count(): number {
    const { place } = this;
    const count = this.size();
    if (count * (WORD / 2) > this.data.bytes - place)
      throw new Error(`its data ends at byte ${this.data.bytes}, too early for a list of ${count} values`);
    return count;
  }

  /** Reads values one after the other; offsets count from the first one's place. */
  values(coders: Iterable<Coder>): NestedValue[] {
    const start = this.place;
    const values: NestedValue[] = [];
    for (const coder of coders) {
      const at = coder.dynamic ? new Cursor(this.data, start + this.size()) : this;
      values.push(coder.read(at));
    }
    return values;
  }
}

/**
 * Reads the arguments of an event of any types as ethers does, and refuses what it refuses, but in a time that grows with the length
 * of the data: ethers copies what is left of it with every list in a list, and all of it with every word. A list of 20,000 numbers
 * (640 kB) takes it seconds, in which a process does nothing else; here some 30 ms.
 * @returns a function from a log with the event's number of topics; whole numbers are bigint, bytes and addresses in lower case,
 *   tuples by the names of their parts, of what has no room in a topic there is the hash.
 */
export function dataReader({ inputs }: EventFragment): ReadLog {
  const inTopics = inputs.filter(({ indexed }) => indexed).map(topicCoder);
  const inData = inputs.filter(({ indexed }) => !indexed).map(coderOf);
  return (log) => {
    const misshape = misshapeOf(log);
    if (misshape !== null) return misshape;
    const topics = log.topics.slice(1).map((topic) => topic.slice(2));
    try {
      const ofTopics = valuesOf(topics.join(''), inTopics).values();
      const ofData = valuesOf(log.data.slice(2), inData).values();
      return inputs.map(({ indexed }) => (indexed ? ofTopics : ofData).next().value!);
    } catch (error) {
      return (error as Error).message;
    }
  };
}

function valuesOf(hex: string, coders: readonly Coder[]): NestedValue[] {
  return new Cursor(new Words(hex), 0).values(coders);
}

function topicCoder(type: ParamType): Coder {
  return coderOf(wordReaderOf(type.type) ? type : ParamType.from({ type: 'bytes32', name: type.name }));
}

function coderOf(type: ParamType): Coder {
  if (type.isArray()) return listCoder(coderOf(type.arrayChildren), type.arrayLength);
  if (type.isTuple()) return tupleCoder(type.components);
  if (type.type === 'bytes') return { dynamic: true, read: (at) => `0x${at.sizedBytes().toLowerCase()}` };
  if (type.type === 'string') return { dynamic: true, read: (at) => textOf(at.sizedBytes(), type.name) };
  return wordCoder(wordReaderOf(type.type)!, type.name);
}

function wordCoder(read: WordReader, name: string): Coder {
  return {
    dynamic: false,
    read(at) {
      const word = at.word();
      const value = read(word);
      if (value === null) throw new Error(`${name || 'a value'} is no address: ${word}`);
      return value;
    },
  };
}

/** @param length -1 where the data says it. */
function listCoder(part: Coder, length: number): Coder {
  const dynamic = length === -1 || part.dynamic;
  return {
    dynamic,
    read: (at) => at.values(Array<Coder>(length === -1 ? at.count() : length).fill(part)),
  };
}

/** By the names of its parts where all have one, else as a list. */
function tupleCoder(parts: readonly ParamType[]): Coder {
  const coders = parts.map(coderOf);
  const names = parts.map((part) => part.name);
  const isNamed = names.every(Boolean) && new Set(names).size === names.length;
  return {
    dynamic: coders.some((coder) => coder.dynamic),
    read(at) {
      const values = at.values(coders);
      return isNamed ? Object.fromEntries(names.map((name, i) => [name, values[i]!])) : values;
    },
  };
}

function textOf(hex: string, name: string): string {
  const bytes = Buffer.from(hex, 'hex');
  if (!isUtf8(bytes)) throw new Error(`${name || 'a text'} is no UTF-8`);
  const text = bytes.toString();
  // neither text nor jsonb of Postgres has a place for it
  if (text.includes('\0'))
    throw new Error(`${name || 'a text'} has a NUL character, which Postgres can't store in a text`);
  return text;
}
