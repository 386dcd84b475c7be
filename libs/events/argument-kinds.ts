import type { ParamType } from 'ethers';
import type { Column, ColumnKind } from './column.js';

/** Unsigned integers up to here are kept as numbers: 48 bits is the largest width of Solidity's below 53. */
const SAFE_BITS = 48;

/**
 * The kinds of column that hold an argument of a type as it is; none for lists and tuples, of which a `from` picks something.
 * Of an indexed argument without a fixed length the log tells only the hash.
 */
function kindsOf({ type, baseType, indexed }: ParamType): readonly ColumnKind[] {
  const [, sign, bits] = /^(u?)int(\d+)$/.exec(type) ?? [];
  if (bits) return sign && Number(bits) <= SAFE_BITS ? ['safeInt', 'uint256'] : ['uint256'];
  if (type === 'address') return ['address'];
  if (type === 'bool') return ['boolean'];
  if (type === 'bytes32') return ['bytes32', 'bytes'];
  if (/^bytes\d+$/.test(type)) return ['bytes'];
  if (indexed) return ['bytes32'];
  if (type === 'bytes') return ['bytes'];
  return baseType === 'string' ? ['text'] : [];
}

/**
 * Checks that a column which is an argument as it is can hold it.
 * @returns what is wrong, in words that follow the column's name, or null.
 */
export function misfitOf(
  { kind, indexed }: Pick<Column, 'kind' | 'indexed'>,
  argument: ParamType,
): string | null {
  const kinds = kindsOf(argument);
  const what = `${argument.indexed ? 'an indexed ' : ''}${argument.type}`;
  if (!kinds.length)
    return `is ${what}, which no kind of column holds: give it a "from" that picks something of it`;
  if (!kinds.includes(kind)) return `is ${what}: its kind must be ${kinds.join(' or ')}, not ${kind}`;
  if (indexed && ['bytes', 'string'].includes(argument.type) && !argument.indexed)
    return `is of any length and can't have an index: Postgres takes no value above 2.7 kB into one, so that a long one could not be stored`;
  return null;
}
