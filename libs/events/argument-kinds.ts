import type { ParamType } from 'ethers';
import type { Column, ColumnKind } from './column.js';

/** Unsigned integers up to here are kept as numbers: 48 bits is the largest width of Solidity's below 53. */
const SAFE_BITS = 48;

/**
 * The kinds of column that hold an argument as it is, the best one first. Of an indexed argument without a fixed length the log
 * tells only the hash.
 */
export function kindsOf({ type, baseType, indexed }: ParamType): readonly [ColumnKind, ...ColumnKind[]] {
  const [, unsigned, bits] = /^(u?)int(\d+)$/.exec(type) ?? [];
  if (bits && !unsigned) return ['int256'];
  if (bits) return Number(bits) <= SAFE_BITS ? ['safeInt', 'uint256'] : ['uint256'];
  if (type === 'address') return ['address'];
  if (type === 'bool') return ['boolean'];
  if (type === 'bytes32') return ['bytes32', 'bytes'];
  if (/^bytes\d+$/.test(type)) return ['bytes'];
  if (indexed) return ['bytes32'];
  if (type === 'bytes') return ['bytes'];
  return [baseType === 'string' ? 'text' : 'json'];
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
  if (!kinds.includes(kind)) return `is ${what}: its kind must be ${kinds.join(' or ')}, not ${kind}`;
  if (indexed && !argument.indexed && (kind === 'json' || ['bytes', 'string'].includes(argument.type)))
    return `is of any length and can't have an index: Postgres takes no value above 2.7 kB into one, so that a long one could not be stored`;
  return null;
}
