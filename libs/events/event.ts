import { EventFragment } from 'ethers';
import { misfitOf } from './argument-kinds.js';
import {
  argumentNames,
  argumentReader,
  type EventArguments,
  topicCountOf,
  UndecodableLog,
} from './argument-reader.js';
import { commonColumns, withCommonColumns } from './base-columns.js';
import { chainValues } from './chain-values.js';
import {
  type Column,
  type ColumnKind,
  type ColumnOptions,
  type ColumnValue,
  columnOf,
  isInLog,
  misfit,
  referenceField,
  snakeCase,
} from './column.js';
import { namedAsFigure } from './figures.js';
import type { ChainLog } from './log.js';

/** Values of stored columns that come from the arguments, by property name. */
export type DecodedValues = Readonly<Record<string, ColumnValue>>;

/** Characters of a name in Postgres; a longer one is cut, and may then be another's. */
export const LONGEST_NAME = 63;

/** An event type: everything the fetcher, the worker and the API need to know of it. */
export interface EventDefinition {
  /** Name in the registry, in `EVENTS`, in messages, and the stem of the GraphQL names. */
  readonly name: string;
  /** Human-readable ABI fragment. */
  readonly signature: string;
  readonly description: string;
  /** Table in Postgres. */
  readonly table: string;
  /** Whether other events have their rows in the same table: those of this one carry its name in the column `event`. */
  readonly sharesTable: boolean;
  /**
   * What tells it from every other event: types and which are indexed, in `Name(type indexed,type)` form. Names of parameters
   * aren't in a log, so they don't count.
   */
  readonly identity: string;
  /** keccak256 of the canonical signature, the log's first topic. */
  readonly topic0: string;
  /** Number of topics of its logs: 1, and one more for each indexed argument. */
  readonly topicCount: number;
  /** Columns of this event alone, from the arguments or the transaction, as readers see them. */
  readonly columns: readonly Column[];
  /** What the table holds of the arguments: columns, or all of them as JSON. */
  readonly storedColumns: readonly Column[];
  /** All columns that readers see, in their order. */
  readonly allColumns: readonly Column[];
  /**
   * Decodes one log.
   * @param wanted columns to read; left out, `storedColumns`.
   * @returns their values, or null when the log isn't of this event (other topic, or the same topic with another
   *   number of indexed arguments, as ERC-20's and ERC-721's Transfer).
   * @throws UndecodableLog when it is, but broken.
   */
  decode(log: Pick<ChainLog, 'topics' | 'data'>, wanted?: readonly Column[]): DecodedValues | null;
}

/** What an event's folder says about one column. */
export interface ColumnDeclaration extends ColumnOptions {
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
 *   that every event has or by a figure of its aggregates, or names no argument, or when its kind doesn't fit the argument or what the column refers to.
 */
export function defineEvent(declaration: EventDeclaration): EventDefinition {
  const fragment = fragmentOf(declaration);
  const declared = Object.entries(declaration.columns);
  const columns = declared.map(([property, c]) => columnOf(property, c.kind, c.description, c));
  assertColumns(declaration, columns, fragment);
  for (const column of columns) {
    assertSource(declaration, column);
    assertReference(declaration.name, column, columns);
    assertAmount(declaration.name, column, columns);
  }
  const figure = namedAsFigure(columns);
  if (figure)
    throw new Error(
      `${declaration.name}: column ${figure.property} has the name of a figure of the event's aggregates, choose another name`,
    );
  const inLog = columns.filter(isInLog);
  const readArguments = argumentReader(fragment, declaration.name);
  return {
    name: declaration.name,
    signature: declaration.signature,
    description: declaration.description,
    table: tableOf(declaration.name),
    sharesTable: false,
    identity: fragment.format('minimal').replace(/^event /, ''),
    topic0: fragment.topicHash,
    topicCount: topicCountOf(fragment),
    columns,
    storedColumns: inLog,
    allColumns: withCommonColumns(columns),
    decode(log, wanted = inLog) {
      const args = readArguments(log);
      if (!args) return null;
      return Object.fromEntries(
        wanted.map(({ property }) => {
          const column = declaration.columns[property]!;
          return [property, checkedValue(declaration.name, property, column, args)];
        }),
      );
    },
  };
}

/** Name of the table of an event that has one of its own. */
export function tableOf(name: string): string {
  return `${snakeCase(name)}_event`;
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

function uncheckedValue(event: string, property: string, column: ColumnDeclaration, args: EventArguments) {
  const { from, kind } = column;
  if (!from) {
    const value = args[property]!;
    return kind === 'safeInt' && typeof value === 'bigint' ? Number(value) : value;
  }
  try {
    return from(args);
  } catch (error) {
    throw new UndecodableLog(
      `${event}: column ${property}: ${String((error as Error)?.message ?? error).slice(0, 300)}`,
    );
  }
}

function assertColumns(
  declaration: EventDeclaration,
  columns: readonly Column[],
  fragment: EventFragment,
): void {
  const names = argumentNames(fragment.inputs);
  for (const column of columns) {
    const fail = (what: string) => new Error(`${declaration.name}: column ${column.property} ${what}`);
    assertName(declaration.name, column, columns, fail);
    if (declaration.columns[column.property]!.from || column.fromChain) continue;
    const argument = fragment.inputs[names.indexOf(column.property)];
    if (!argument) throw fail('names no argument of the event; give it a "from"');
    const misfit = misfitOf(column, argument);
    if (misfit) throw fail(misfit);
  }
}

function assertName(
  event: string,
  { property, name, indexed }: Column,
  columns: readonly Column[],
  fail: (what: string) => Error,
): void {
  if (commonColumns.some((column) => column.name === name))
    throw new Error(`${event}: every event has a column ${property}, choose another name`);
  if (!/^(?!__)[_A-Za-z]\w*$/.test(property)) throw fail('has no name that GraphQL takes');
  if (columns.filter((column) => column.name === name).length > 1)
    throw fail(`is called ${name} in Postgres, as another column of the event`);
  if (name.length > LONGEST_NAME)
    throw fail(`is called ${name} in Postgres, which takes ${LONGEST_NAME} characters at most`);
  const index = `${tableOf(event)}_${name}`;
  if (indexed && index.length > LONGEST_NAME)
    throw fail(`would have the index ${index}: Postgres takes ${LONGEST_NAME} characters at most`);
}

function assertSource(
  { name, columns }: EventDeclaration,
  { property, kind, nullable, fromChain }: Column,
): void {
  if (!fromChain) return;
  const fail = (what: string) => new Error(`${name}: column ${property} ${what}`);
  if (columns[property]!.from) throw fail('has both "from" and "fromChain"');
  if (!(fromChain in chainValues))
    throw fail(`asks the chain for ${fromChain}; there is ${Object.keys(chainValues).join(', ')}`);
  const needed = chainValues[fromChain].kind;
  if (kind !== needed) throw fail(`holds ${fromChain}: its kind must be ${needed}`);
  if (!nullable) throw fail('is null until the chain was asked: it must be nullable');
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
