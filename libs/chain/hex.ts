/** A value in an endpoint's answer isn't what the JSON-RPC specification says. */
export class MalformedValue extends Error {
  override readonly name = 'MalformedValue';
}

/**
 * Reads a quantity: hex (leading zeros pass) or a plain decimal, up to 2^53 − 1.
 * @throws MalformedValue on anything else, null included (a pending log or block).
 */
export function quantity(value: unknown, field: string): number {
  const text = typeof value === 'number' ? String(value) : value;
  if (typeof text === 'string' && /^(0x[0-9a-f]+|\d+)$/i.test(text)) {
    const number = Number(text);
    if (Number.isSafeInteger(number)) return number;
  }
  throw new MalformedValue(`${field} is ${shown(value)}, expected a quantity`);
}

/** Reads a quantity of any size up to 2^256 − 1. @throws MalformedValue */
export function bigQuantity(value: unknown, field: string): bigint {
  const text = typeof value === 'number' ? String(value) : value;
  if (typeof text === 'string' && /^(0x[0-9a-f]{1,64}|\d{1,77})$/i.test(text)) return BigInt(text);
  throw new MalformedValue(`${field} is ${shown(value)}, expected a quantity`);
}

/**
 * Reads bytes as lower-case hex.
 * @param length number of bytes, or undefined for any whole number of them.
 * @throws MalformedValue
 */
export function bytes(value: unknown, field: string, length?: number): string {
  if (typeof value === 'string' && /^0x([0-9a-f]{2})*$/i.test(value)) {
    if (length === undefined || value.length === 2 + length * 2) return value.toLowerCase();
  }
  const expected = length === undefined ? 'bytes in hex' : `${length} bytes in hex`;
  throw new MalformedValue(`${field} is ${shown(value)}, expected ${expected}`);
}

/** The JSON-RPC form of a quantity. */
export function toQuantity(value: number): string {
  return `0x${value.toString(16)}`;
}

/** A value for an error. Other text than numbers isn't quoted: it may be anything that the endpoint says, also our URL with its key. */
function shown(value: unknown): string {
  if (typeof value === 'string' && !/^(0x[0-9a-f]*|[-\d.e]*)$/i.test(value))
    return `a text of ${value.length} characters`;
  return typeof value === 'object' && value !== null
    ? 'an object'
    : (JSON.stringify(value)?.slice(0, 80) ?? 'undefined');
}
