import type { EventFragment, ParamType } from 'ethers';
import type { NestedValue } from './column.js';
import { dataReader } from './data-reader.js';
import type { ChainLog } from './log.js';
import { wordReader } from './static-words.js';

/**
 * Decoded arguments by their name in the signature (without one: `arg` and the place): integers as bigint, addresses and bytes
 * as lower-case hex, lists as lists, tuples by the names of their parts; of an indexed text, list or tuple its hash.
 */
export type EventArguments = Readonly<Record<string, NestedValue>>;

/** The log carries this event's topic, but can't be one of it: wrong length, impossible value. It is kept as undecodable. */
export class UndecodableLog extends Error {
  override readonly name = 'UndecodableLog';
}

/** Names of an event's arguments; of those without one `arg` and the place, from 0, with `_` behind it where another has that name. */
export function argumentNames(inputs: readonly ParamType[]): string[] {
  const given = new Set(inputs.map((input) => input.name));
  return inputs.map((input, place) => {
    if (input.name) return input.name;
    let name = `arg${place}`;
    while (given.has(name)) name += '_';
    return name;
  });
}

/** Number of topics that the event's logs have. */
export function topicCountOf(fragment: EventFragment): number {
  return 1 + fragment.inputs.filter((input) => input.indexed).length;
}

/**
 * Reads the arguments of one event, strictly: what a Solidity contract can't have emitted is refused.
 * @returns a function from a log to its arguments; null when the log isn't of the event. It throws UndecodableLog.
 */
export function argumentReader(fragment: EventFragment, name: string) {
  const read = wordReader(fragment) ?? dataReader(fragment);
  // hashes the signature each time it is asked for
  const topic0 = fragment.topicHash;
  const topicCount = topicCountOf(fragment);
  const names = argumentNames(fragment.inputs);
  const words = wordsOfStaticData(
    fragment.inputs.filter((input) => !input.indexed).map((input) => input.type),
  );
  return (log: Pick<ChainLog, 'topics' | 'data'>): EventArguments | null => {
    if (log.topics[0]?.toLowerCase() !== topic0 || log.topics.length !== topicCount) return null;
    const bytes = (log.data.length - 2) / 2;
    if (words !== null && bytes !== words * 32) {
      throw new UndecodableLog(`${name} has ${words * 32} bytes of data, this log has ${bytes}`);
    }
    const values = read(log);
    if (typeof values === 'string') throw new UndecodableLog(`${name}: ${values}`);
    return Object.fromEntries(names.map((argument, i) => [argument, values[i]!]));
  };
}

/** Number of 32-byte words that these types always take, or null when one of them has no fixed length. */
function wordsOfStaticData(types: readonly string[]): number | null {
  return types.every((type) => /^(u?int\d*|address|bool|bytes([1-9]|[12]\d|3[0-2]))$/.test(type))
    ? types.length
    : null;
}
