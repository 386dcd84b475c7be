import { EventFragment, Interface } from 'ethers';
import { bookkeepingColumns, positionColumns, rawColumns } from './base-columns.js';
import {
  type Column,
  type ColumnKind,
  type ColumnOptions,
  type ColumnValue,
  columnOf,
  misfit,
  referenceField,
  snakeCase,
} from './column.js';
import type { ChainLog } from './log.js';
import { wordReader } from './static-words.js';

/** Decoded arguments by their name in the signature: integers as bigint, addresses and bytes as lower-case hex. */
type EventArguments = Readonly<Record<string, ColumnValue>>;

/** The columns of an event that come from its arguments, by property name. */
export type DecodedValues = Readonly<Record<string, ColumnValue>>;

/** The log carries this event's topic, but can't be one of it: wrong length, impossible value. It is kept as undecodable. */
export class UndecodableLog extends Error {
  override readonly name = 'UndecodableLog';
}

/** An event type: everything the fetcher, the worker and the API need to know of it. */
export interface EventDefinition {
  /** Name in the registry, in `EVENTS`, in messages, and the stem of the GraphQL names. */
  readonly name: string;
  /** Human-readable ABI fragment. */
  readonly signature: string;
  readonly description: string;
  /** Table in Postgres. */
  readonly table: string;
  /**
   * What tells it from every other event: types and which are indexed, in `Name(type indexed,type)` form. Names of parameters
   * aren't in a log, so they don't count.
   */
  readonly identity: string;
  /** keccak256 of the canonical signature, the log's first topic. */
  readonly topic0: string;
  /** Number of topics of its logs: 1, and one more for each indexed argument. */
  readonly topicCount: number;
  /** Columns that come from the arguments. */
  readonly columns: readonly Column[];
  /** All columns of the table, in their order. */
  readonly allColumns: readonly Column[];
  /**
   * Decodes one log.
   * @returns the values of `columns`, or null when the log isn't of this event (other topic, or the same topic with another
   *   number of indexed arguments, as ERC-20's and ERC-721's Transfer).
   * @throws UndecodableLog when it is, but broken.
   */
  decode(log: Pick<ChainLog, 'topics' | 'data'>): DecodedValues | null;
}

/** What an event's folder says about one column. */
interface ColumnDeclaration extends ColumnOptions {
  readonly kind: ColumnKind;
  readonly description: string;
  /**
   * From the decoded arguments to the column's value (null only where the column is nullable); left out, the argument of the
   * column's own name. A log for which it throws is kept as undecodable.
   */
  readonly from?: (args: EventArguments) => ColumnValue;
}

/** What an event's folder declares. */
export interface EventDeclaration {
  /** PascalCase, unique in the registry. Where a contract overloads a name, the registry's differs from the signature's. */
  readonly name: string;
  readonly signature: string;
  readonly description: string;
  readonly columns: Readonly<Record<string, ColumnDeclaration>>;
}

/**
 * Makes an event type from its folder's declaration.
 * @throws Error when the name isn't PascalCase or the signature can't be parsed, when a column's name is taken by the columns
 *   that every event has, or names no argument, or when what a column refers to doesn't fit its kind.
 */
export function defineEvent(declaration: EventDeclaration): EventDefinition {
  const fragment = fragmentOf(declaration);
  const declared = Object.entries(declaration.columns);
  const columns = declared.map(([property, c]) => columnOf(property, c.kind, c.description, c));
  assertColumnNames(declaration, columns, fragment);
  for (const column of columns) {
    assertReference(declaration.name, column, columns);
    assertAmount(declaration.name, column, columns);
  }
  const readArguments = argumentReader(fragment, declaration.name);
  return {
    name: declaration.name,
    signature: declaration.signature,
    description: declaration.description,
    table: `${snakeCase(declaration.name)}_event`,
    identity: fragment.format('minimal').replace(/^event /, ''),
    topic0: fragment.topicHash,
    topicCount: topicCountOf(fragment),
    columns,
    allColumns: [...positionColumns, ...columns, ...rawColumns, ...bookkeepingColumns],
    decode(log) {
      const args = readArguments(log);
      if (!args) return null;
      return Object.fromEntries(
        declared.map(([property, c]) => [property, checkedValue(declaration.name, property, c, args)]),
      );
    },
  };
}

function fragmentOf({ name, signature }: EventDeclaration): EventFragment {
  if (!/^[A-Z][A-Za-z0-9]*$/.test(name))
    throw new Error(
      `${name}: an event's name is PascalCase, as SocketBridge: GraphQL's names are made of it`,
    );
  try {
    return EventFragment.from(signature);
  } catch (error) {
    throw new Error(
      `${name}: no event that can be read (it must be like "event Ping(uint256 value)"): ${signature}`,
      {
        cause: error,
      },
    );
  }
}

function checkedValue(event: string, property: string, column: ColumnDeclaration, args: EventArguments) {
  const value = uncheckedValue(event, property, column, args);
  const wrong = column.nullable && value === null ? null : misfit(column.kind, value);
  if (wrong) throw new UndecodableLog(`${event}: column ${property} ${wrong}`);
  return value;
}

function uncheckedValue(event: string, property: string, { from }: ColumnDeclaration, args: EventArguments) {
  try {
    return from ? from(args) : args[property]!;
  } catch (error) {
    throw new UndecodableLog(
      `${event}: column ${property}: ${String((error as Error)?.message ?? error).slice(0, 300)}`,
    );
  }
}

function assertColumnNames(
  declaration: EventDeclaration,
  columns: readonly Column[],
  fragment: EventFragment,
): void {
  const taken = new Set([...positionColumns, ...rawColumns, ...bookkeepingColumns].map((c) => c.property));
  const args = new Set(fragment.inputs.map((i) => i.name));
  for (const { property } of columns) {
    if (taken.has(property))
      throw new Error(`${declaration.name}: every event has a column ${property}, choose another name`);
    if (!declaration.columns[property]!.from && !args.has(property)) {
      throw new Error(
        `${declaration.name}: column ${property} names no argument of the event; give it a "from"`,
      );
    }
  }
}

function assertReference(event: string, column: Column, columns: readonly Column[]): void {
  const { property, kind, refersTo, onChain, filter } = column;
  const fail = (what: string) => new Error(`${event}: column ${property} ${what}`);
  if (filter && kind !== 'text') throw fail('reads filters by its own rule: its kind must be text');
  if (refersTo === 'token' && kind !== 'address') throw fail('refers to a token: its kind must be address');
  if (refersTo === 'chain' && !(isWholeNumber(kind) && property.endsWith('Id')))
    throw fail('refers to a chain: its kind must be uint256 or safeInt, and its name end in Id');
  const field = referenceField(column);
  if (field === 'chain' || columns.some((one) => one.property === field))
    throw fail(`has its reference in ${field}, a name that is taken`);
  if (onChain === null) return;
  if (kind !== 'address') throw fail('is no address that could be on a chain');
  if (!columns.some((one) => one.property === onChain && one.refersTo === 'chain'))
    throw fail(`is on the chain of ${onChain}, which is no column that refers to a chain`);
}

function assertAmount(event: string, { property, kind, amountOf }: Column, columns: readonly Column[]): void {
  if (amountOf === null) return;
  const fail = (what: string) => new Error(`${event}: column ${property} is an amount${what}`);
  if (kind !== 'uint256') throw fail(': its kind must be uint256');
  const isToken = columns.some((one) => one.property === amountOf && one.refersTo === 'token');
  // of a token's own events: the contract that emitted them
  if (!isToken && amountOf !== 'address')
    throw fail(` of ${amountOf}, which is no column that refers to a token`);
}

function isWholeNumber(kind: ColumnKind): boolean {
  return kind === 'uint256' || kind === 'safeInt';
}

/** Reads the arguments of one event, strictly: what a Solidity contract can't have emitted is refused. */
function argumentReader(fragment: EventFragment, name: string) {
  const abi = new Interface([fragment]);
  const readWords = wordReader(fragment);
  // hashes the signature each time it is asked for
  const topic0 = fragment.topicHash;
  const topicCount = topicCountOf(fragment);
  const words = wordsOfStaticData(
    fragment.inputs.filter((input) => !input.indexed).map((input) => input.type),
  );
  return (log: Pick<ChainLog, 'topics' | 'data'>): EventArguments | null => {
    if (log.topics[0]?.toLowerCase() !== topic0 || log.topics.length !== topicCount) return null;
    const bytes = (log.data.length - 2) / 2;
    if (words !== null && bytes !== words * 32) {
      throw new UndecodableLog(`${name} has ${words * 32} bytes of data, this log has ${bytes}`);
    }
    const read = readWords?.(log);
    if (typeof read === 'string') throw new UndecodableLog(`${name}: ${read}`);
    if (read)
      return Object.fromEntries(fragment.inputs.map((input, i) => [input.name, read[i] as ColumnValue]));
    try {
      const result = abi.decodeEventLog(fragment, log.data, log.topics);
      return Object.fromEntries(
        fragment.inputs.map((input, i) => [input.name, normalized(input.baseType, result[i])]),
      );
    } catch (error) {
      const { shortMessage, message } = error as { shortMessage?: string; message: string };
      throw new UndecodableLog(`${name}: ${(shortMessage ?? message).slice(0, 300)}`);
    }
  };
}

function topicCountOf(fragment: EventFragment): number {
  return 1 + fragment.inputs.filter((input) => input.indexed).length;
}

/** Number of 32-byte words that these types always take, or null when one of them has no fixed length. */
function wordsOfStaticData(types: readonly string[]): number | null {
  return types.every((type) => /^(u?int\d*|address|bool|bytes([1-9]|[12]\d|3[0-2]))$/.test(type))
    ? types.length
    : null;
}

function normalized(baseType: string, value: ColumnValue): ColumnValue {
  return typeof value === 'string' && baseType !== 'string' ? value.toLowerCase() : value;
}
