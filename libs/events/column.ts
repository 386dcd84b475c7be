import type { Type } from '@mikro-orm/core';
import type { ChainValue } from './chain-values.js';
import { HexListType, HexType, hexListLiteral, NumericType } from './column-types.js';

/** A list or a tuple of Solidity: whole numbers as bigint (as decimal strings once it is stored), bytes as lower-case hex. */
export type NestedValue =
  | bigint
  | string
  | boolean
  | readonly NestedValue[]
  | { readonly [name: string]: NestedValue };

/**
 * A column's value in TypeScript: whole numbers of Solidity as bigint, bytes as lower-case 0x-hex, times as Date; null only where
 * it is nullable.
 */
export type ColumnValue = bigint | number | string | boolean | Date | NestedValue | null;

/** How a kind of column is kept in Postgres and carried to and from it. */
interface KindDefinition {
  /** Type of the column in Postgres. */
  readonly sqlType: string;
  /** MikroORM's type, or its name for one of its own. */
  readonly orm: (() => Type<unknown>) | 'bigint' | 'timestamp' | 'text' | 'boolean' | 'json';
  /** Text that Postgres casts to `sqlType`. */
  readonly toSql: (value: never) => string;
  /** From what the Postgres driver returns (int8 and numeric as text, bytea as Buffer, timestamptz as text or Date). */
  readonly fromSql: (value: never) => ColumnValue;
  /** Whether the column can hold it. */
  readonly holds: (value: unknown) => boolean;
}

/** `numeric(78,0)`, with a sign. */
const WIDEST = 10n ** 78n;

const hexType = new HexType();
const hexListType = new HexListType();
const isHex = (value: unknown) => typeof value === 'string' && /^0x([0-9a-f]{2})*$/.test(value);
const hexKind: KindDefinition = {
  sqlType: 'bytea',
  orm: () => hexType as Type<unknown>,
  toSql: (value: string) => `\\x${value.slice(2)}`,
  fromSql: (value: Buffer | string) => hexType.convertToJSValue(value),
  holds: isHex,
};

const numericKind: KindDefinition = {
  sqlType: 'numeric(78,0)',
  orm: () => new NumericType() as Type<unknown>,
  toSql: (value: bigint) => value.toString(),
  fromSql: (value: string) => BigInt(value),
  holds: (value) => typeof value === 'bigint' && value < WIDEST && value > -WIDEST,
};

/** Every kind of column there is. Adding one means: one entry here, and its GraphQL scalar and operators in apps/api. */
export const columnKinds = {
  uint256: numericKind,
  /** Whole numbers of Solidity that may be negative. */
  int256: numericKind,
  /** Whole numbers up to 2^53 − 1: chain ids, heights, indexes. */
  safeInt: {
    sqlType: 'bigint',
    orm: 'bigint',
    toSql: (value: number) => String(value),
    fromSql: (value: string | number) => Number(value),
    holds: Number.isSafeInteger,
  },
  address: hexKind,
  bytes32: hexKind,
  bytes: hexKind,
  bytes32List: {
    sqlType: 'bytea[]',
    orm: () => hexListType as Type<unknown>,
    toSql: (value: readonly string[]) => hexListLiteral(value),
    fromSql: (value: string | Buffer[]) => hexListType.convertToJSValue(value),
    holds: (value) => Array.isArray(value) && value.every(isHex),
  },
  /** All that Postgres's text can hold: no NUL characters. */
  text: {
    sqlType: 'text',
    orm: 'text',
    toSql: (value: string) => value,
    fromSql: (value: string) => value,
    holds: (value) => typeof value === 'string' && !value.includes('\0'),
  },
  timestamp: {
    sqlType: 'timestamptz(0)',
    orm: 'timestamp',
    toSql: (value: Date) => value.toISOString(),
    fromSql: (value: string | Date) => new Date(value),
    holds: (value) => value instanceof Date && value.getUTCFullYear() >= 1 && value.getUTCFullYear() <= 9999,
  },
  boolean: {
    sqlType: 'boolean',
    orm: 'boolean',
    toSql: (value: boolean) => String(value),
    fromSql: (value: boolean) => value,
    holds: (value) => typeof value === 'boolean',
  },
  /** Lists and tuples; can't be filtered or ordered by. */
  json: {
    sqlType: 'jsonb',
    orm: 'json',
    toSql: jsonText,
    fromSql: (value: NestedValue) => value,
    holds: (value) => typeof value === 'object' && value !== null,
  },
} as const satisfies Record<string, KindDefinition>;

export type ColumnKind = keyof typeof columnKinds;

/** One column of an event's table and one field of its GraphQL type. */
export interface Column {
  /** Name in TypeScript and GraphQL, camelCase. */
  readonly property: string;
  /** Name in Postgres, snake_case. */
  readonly name: string;
  readonly kind: ColumnKind;
  /** What it means, with its unit; shown in GraphQL and as the column's comment. */
  readonly description: string;
  /**
   * Whether the table gets an index (column, newest first), for filters that people use often. Each makes a bare insert some
   * 20 % slower.
   */
  readonly indexed: boolean;
  /**
   * Of an amount: the column with its token (`address` where a token emits the event itself). It can be summed for one token of
   * one chain at a time.
   */
  readonly amountOf: string | null;
  readonly refersTo: ColumnReference | null;
  /** Of an address: the column with the id of the chain that it lives on; null: the chain that emitted the event. */
  readonly onChain: string | null;
  /** Of a chain: its EIP-155 id, where the column may hold another numbering. */
  readonly chainIdOf: ((values: Readonly<Record<string, ColumnValue>>) => bigint) | null;
  /** Where people write a text in several ways. */
  readonly filter: TextFilter | null;
  /** Of an event without a folder: the argument whose value it is, in the column `args`. */
  readonly argument: string | null;
  /** Whether a row may have no value: not every event has one, or the column is younger than the row and not filled yet. */
  readonly nullable: boolean;
  /** What of the log's transaction it holds, which a node must be asked for; null until that is done. */
  readonly fromChain: ChainValue | null;
}

/** How filters of a text column read what a person writes. */
interface TextFilter {
  /** @returns the value that the column holds for it. */
  readonly read: (written: string) => string;
  /** What may be written, in words; shown in GraphQL. */
  readonly takes: string;
}

/** What a column's value stands for: clients get its name and what belongs to it beside the value. */
type ColumnReference = 'token' | 'chain';

/** What an event's folder may say about a column, besides its kind. */
export type ColumnOptions = Partial<
  Pick<
    Column,
    | 'indexed'
    | 'amountOf'
    | 'refersTo'
    | 'onChain'
    | 'chainIdOf'
    | 'filter'
    | 'argument'
    | 'nullable'
    | 'fromChain'
  >
>;

/** Name of the field beside a column that holds what it refers to: `toChainId` has `toChain`, `token` has `tokenInfo`. */
export function referenceField({ property, refersTo }: Column): string | null {
  if (refersTo === null) return null;
  return refersTo === 'chain' ? property.replace(/Id$/, '') : `${property}Info`;
}

/** For `JSON.stringify`, which knows no bigint. */
export function wholeNumbersAsText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}

/** JSON with sorted keys, so that equal values have equal texts; whole numbers as strings. */
function jsonText(value: NestedValue): string {
  return JSON.stringify(value, (key, given: unknown) => {
    const one = wholeNumbersAsText(key, given);
    if (typeof one !== 'object' || one === null || Array.isArray(one)) return one;
    return Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/** Whether a column's value follows from the log alone. */
export function isInLog({ fromChain }: Column): boolean {
  return fromChain === null;
}

/** Why a column of this kind can't hold a value, in words behind the column's name, or null when it can. */
export function misfit(kind: ColumnKind, value: unknown): string | null {
  if ((columnKinds[kind] as KindDefinition).holds(value)) return null;
  if (value === null || value === undefined) return 'has no value, and is not nullable';
  return `can't hold ${typeof value} ${JSON.stringify(String(value).slice(0, 80))}: its kind is ${kind}`;
}

/** A column value as text for Postgres. */
export function toSql(kind: ColumnKind, value: ColumnValue): string | null {
  return value === null ? null : (columnKinds[kind] as KindDefinition).toSql(value as never);
}

/** A column value as the Postgres driver returned it, in TypeScript's form. */
export function fromSql(kind: ColumnKind, value: unknown): ColumnValue {
  return value === null ? null : (columnKinds[kind] as KindDefinition).fromSql(value as never);
}

/** camelCase → snake_case: `toChainId` → `to_chain_id`, `SocketBridge` → `socket_bridge`. */
export function snakeCase(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1_$2')
    .toLowerCase();
}

/** As folders and paths are named: `SocketBridge` → `socket-bridge`. */
export function kebabCase(name: string): string {
  return snakeCase(name).replaceAll('_', '-');
}

/** Makes a column from its property name and what an event's folder says about it. */
export function columnOf(
  property: string,
  kind: ColumnKind,
  description: string,
  options: ColumnOptions = {},
): Column {
  const {
    indexed = false,
    amountOf = null,
    refersTo = null,
    onChain = null,
    chainIdOf = null,
    filter = null,
    argument = null,
    fromChain = null,
    nullable = fromChain !== null,
  } = options;
  const said = {
    indexed,
    amountOf,
    refersTo,
    onChain,
    chainIdOf,
    filter,
    argument,
    nullable,
    fromChain,
  };
  return { property, name: snakeCase(property), kind, description, ...said };
}
