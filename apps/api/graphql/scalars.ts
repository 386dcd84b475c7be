import {
  GraphQLBoolean,
  GraphQLError,
  GraphQLScalarType,
  GraphQLString,
  Kind,
  type ValueNode,
} from 'graphql';
import { GraphQLJSON } from 'graphql-scalars';
import type { ColumnKind } from '#libs/events/column.js';
import { badInput } from '../errors.js';

const MAX_UINT256 = 2n ** 256n - 1n;
const MAX_INT256 = 2n ** 255n - 1n;

/** A scalar whose input is read by one function, from variables and from literals alike. */
function scalar<Internal>(options: {
  name: string;
  description: string;
  parse: (value: unknown) => Internal;
  serialize: (value: unknown) => unknown;
}): GraphQLScalarType<Internal, unknown> {
  const { name, description, parse, serialize } = options;
  return new GraphQLScalarType<Internal, unknown>({
    name,
    description,
    serialize,
    parseValue: parse,
    parseLiteral: (node) => parse(literalValue(node, name)),
  });
}

function literalValue(node: ValueNode, name: string): unknown {
  if (node.kind === Kind.STRING) return node.value;
  // a literal beyond 2^53 is refused like a number from JSON: it would be rounded by most clients
  if (node.kind === Kind.INT) return Number(node.value);
  throw new GraphQLError(`${name} can't be written as ${node.kind}`, {
    extensions: { code: 'BAD_USER_INPUT' },
  });
}

const BigIntScalar = scalar<bigint>({
  name: 'BigInt',
  description:
    'A whole number from 0 to 2^256 − 1, as a decimal string; safe integers are accepted as numbers, too. A sum may be larger.',
  serialize: (value) => String(value),
  parse: (value) => {
    if (
      typeof value === 'number'
        ? Number.isSafeInteger(value)
        : typeof value === 'string' && /^\d{1,78}$/.test(value)
    ) {
      const number = BigInt(value as number | string);
      if (number >= 0n && number <= MAX_UINT256) return number;
    }
    throw badInput(
      `${JSON.stringify(value)} is not a BigInt: give a decimal string or a safe integer from 0 to 2^256 − 1`,
    );
  },
});

const SignedBigIntScalar = scalar<bigint>({
  name: 'SignedBigInt',
  description:
    'A whole number from −2^255 to 2^255 − 1, as a decimal string; safe integers are accepted as numbers, too.',
  serialize: (value) => String(value),
  parse: (value) => {
    const isWhole = typeof value === 'string' ? /^-?\d{1,78}$/.test(value) : Number.isSafeInteger(value);
    const number = isWhole ? BigInt(value as number | string) : null;
    if (number !== null && number >= -MAX_INT256 - 1n && number <= MAX_INT256) return number;
    throw badInput(
      `${JSON.stringify(value)} is not a SignedBigInt: give a decimal string or a safe integer from −2^255 to 2^255 − 1`,
    );
  },
});

export const SafeIntScalar = scalar<number>({
  name: 'SafeInt',
  description: 'A whole number from 0 to 2^53 − 1: chain ids, block numbers, indexes.',
  serialize: Number,
  parse: (value) => {
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
    throw badInput(`${JSON.stringify(value)} is not a SafeInt: give a whole number from 0 to 2^53 − 1`);
  },
});

function hexScalar(name: string, bytes: number | null, what: string) {
  const length = bytes === null ? 'any whole number of bytes' : `${bytes} bytes`;
  const pattern = bytes === null ? /^0x([0-9a-f]{2})*$/i : new RegExp(`^0x[0-9a-f]{${bytes * 2}}$`, 'i');
  return scalar<string>({
    name,
    description: `${what}: ${length} of hex with 0x; any letter case is accepted, lower case is given.`,
    serialize: String,
    parse: (value) => {
      if (typeof value === 'string' && pattern.test(value)) return value.toLowerCase();
      throw badInput(`${JSON.stringify(value)?.slice(0, 100)} is not ${name}: give 0x and ${length} of hex`);
    },
  });
}

export const AddressScalar = hexScalar('Address', 20, 'An account or contract');
export const Bytes32Scalar = hexScalar('Bytes32', 32, 'A hash or another word');
const BytesScalar = hexScalar('Bytes', null, 'Bytes');

export const DateTimeScalar = scalar<Date>({
  name: 'DateTime',
  description:
    'A moment in ISO 8601 with time zone, for example 2026-01-31T12:00:00Z, in the years 1 to 9999 (UTC).',
  serialize: (value) => (value as Date).toISOString(),
  parse: (value) => {
    const pattern = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/;
    const isWritten = typeof value === 'string' && pattern.test(value) && isDay(value.slice(0, 10));
    const date = new Date(isWritten ? value : Number.NaN);
    // the time zone may carry the moment into a year that neither ISO 8601 nor Postgres writes with four digits
    if (date.getUTCFullYear() >= 1 && date.getUTCFullYear() <= 9999) return date;
    throw badInput(
      `${JSON.stringify(value)?.slice(0, 100)} is not a DateTime: give ISO 8601 with a time zone, such as 2026-01-31T12:00:00Z`,
    );
  },
});

/** Whether the calendar has a day: JavaScript takes 30 February for 2 March. @param day `2026-01-31`. */
function isDay(day: string): boolean {
  return new Date(day).getUTCDate() === Number(day.slice(8));
}

export const FeedCursorScalar = scalar<string>({
  name: 'FeedCursor',
  description:
    'A place in the live feed: of the last change that a client has seen, or of the moment a page was read.',
  serialize: String,
  parse: (value) => {
    if (typeof value === 'string' && value.length <= 500) return value;
    throw badInput('a FeedCursor is a string');
  },
});

/** The scalar of each kind of column; text is GraphQL's own String. */
export const scalarOfKind: Record<
  Exclude<ColumnKind, 'text' | 'boolean' | 'bytes32List'>,
  GraphQLScalarType
> = {
  uint256: BigIntScalar,
  int256: SignedBigIntScalar,
  safeInt: SafeIntScalar,
  address: AddressScalar,
  bytes32: Bytes32Scalar,
  bytes: BytesScalar,
  timestamp: DateTimeScalar,
  json: GraphQLJSON,
};

/** The scalar of a kind of column. */
export const scalarOf = (kind: ColumnKind): GraphQLScalarType =>
  kind === 'text'
    ? GraphQLString
    : kind === 'boolean'
      ? GraphQLBoolean
      : scalarOfKind[kind as keyof typeof scalarOfKind];
