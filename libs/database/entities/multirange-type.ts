import { Type } from '@mikro-orm/core';

/** Half-open ranges [from, to) of block numbers, ascending and disjoint. */
export type BlockRanges = (readonly [from: number, to: number])[];

/** Reads Postgres's text of an `int8multirange`, e.g. `{[1,5),[9,12)}`. */
export function parseMultirange(text: string): BlockRanges {
  return [...text.matchAll(/\[(-?\d+),(-?\d+)\)/g)].map((m) => [Number(m[1]), Number(m[2])] as const);
}

/** Writes Postgres's text of an `int8multirange`. */
export function multirangeLiteral(ranges: BlockRanges): string {
  return `{${ranges.map(([from, to]) => `[${from},${to})`).join(',')}}`;
}

/** `int8multirange` ↔ list of half-open ranges. */
export class MultirangeType extends Type<BlockRanges, string> {
  override convertToDatabaseValue(value: BlockRanges): string {
    return value == null ? (value as never) : multirangeLiteral(value);
  }
  override convertToJSValue(value: string | BlockRanges): BlockRanges {
    return typeof value === 'string' ? parseMultirange(value) : value;
  }
  override getColumnType(): string {
    return 'int8multirange';
  }
  override get runtimeType(): string {
    return 'object';
  }
  override compareAsType(): string {
    return 'string';
  }
}
