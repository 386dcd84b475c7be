import { Type } from '@mikro-orm/core';

/** `numeric(78,0)` ↔ `bigint`: holds every uint256 and int256 (78 decimal digits). */
export class NumericType extends Type<bigint, string> {
  override convertToDatabaseValue(value: bigint): string {
    return value == null ? (value as never) : value.toString();
  }
  override convertToJSValue(value: string | bigint): bigint {
    return value == null ? (value as never) : BigInt(value);
  }
  override getColumnType(): string {
    return 'numeric(78,0)';
  }
  override get runtimeType(): string {
    return 'bigint';
  }
  override compareAsType(): string {
    return 'string';
  }
}

/** `bytea` ↔ lower-case hex with `0x`. */
export class HexType extends Type<string, Buffer> {
  override convertToDatabaseValue(value: string): Buffer {
    return value == null ? (value as never) : Buffer.from(value.slice(2), 'hex');
  }
  override convertToJSValue(value: Buffer | string): string {
    if (value == null) return value as never;
    // values that came through JSON aggregation are text: '\xab…'
    if (typeof value === 'string') return value.startsWith('\\x') ? `0x${value.slice(2)}` : value;
    return `0x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')}`;
  }
  override getColumnType(): string {
    return 'bytea';
  }
  override get runtimeType(): string {
    return 'string';
  }
  override compareAsType(): string {
    return 'string';
  }
}

/** `bytea[]` ↔ list of lower-case hex with `0x`. */
export class HexListType extends Type<string[], string> {
  override convertToDatabaseValue(value: string[]): string {
    return value == null ? (value as never) : hexListLiteral(value);
  }
  override convertToJSValue(value: string | (Buffer | string)[]): string[] {
    if (value == null) return value as never;
    if (typeof value === 'string') return [...value.matchAll(/\\\\x([0-9a-f]*)/g)].map((m) => `0x${m[1]}`);
    const one = new HexType();
    return value.map((item) => one.convertToJSValue(item));
  }
  override getColumnType(): string {
    return 'bytea[]';
  }
  override get runtimeType(): string {
    return 'object';
  }
  override compareAsType(): string {
    return 'string';
  }
}

/** Postgres's array literal of a list of bytea values, e.g. `{"\\xab","\\xcd"}`. */
export function hexListLiteral(values: readonly string[]): string {
  return `{${values.map((value) => `"\\\\x${value.slice(2)}"`).join(',')}}`;
}
