import { getBytes, keccak256 } from 'ethers';

/** Bits of one value: the low 11 bits of the first three pairs of bytes of its keccak256 (Yellow Paper §4.4.1, M3:2048). */
function bitsOf(value: string): number[] {
  const hash = getBytes(keccak256(value));
  return [0, 2, 4].map((i) => ((hash[i]! << 8) | hash[i + 1]!) & 2047);
}

/** Addresses and topics repeat for ever; their bits are computed once. */
const known = new Map<string, number[]>();
const KNOWN_LIMIT = 10_000;

function cachedBits(value: string): number[] {
  const found = known.get(value);
  if (found) return found;
  const bits = bitsOf(value);
  if (known.size < KNOWN_LIMIT) known.set(value, bits);
  return bits;
}

/** Whether a bloom (256 bytes of hex) may contain a value; false is certain where blooms are kept by the standard. */
export function bloomMayContain(bloom: string, value: string): boolean {
  return cachedBits(value).every((bit) => bitIsSet(bloom, bit));
}

/** A bloom of zeros: the block has no logs, or the chain doesn't keep blooms. */
export function isEmptyBloom(bloom: string): boolean {
  return /^0x0*$/.test(bloom);
}

/** The bloom of logs, as 256 bytes. */
function bloomOf(logs: readonly { address: string; topics: readonly string[] }[]): Uint8Array {
  const bloom = new Uint8Array(256);
  for (const log of logs) {
    for (const value of [log.address, ...log.topics]) {
      for (const bit of cachedBits(value)) bloom[255 - (bit >> 3)]! |= 1 << (bit & 7);
    }
  }
  return bloom;
}

/** Whether every bit of a header's bloom is explained by these logs: then none of the block's logs is missing. */
export function explainsBloom(
  logs: readonly { address: string; topics: readonly string[] }[],
  bloom: string,
): boolean {
  const ours = bloomOf(logs);
  return getBytes(bloom).every((byte, i) => (byte & ~ours[i]!) === 0);
}

function bitIsSet(bloom: string, bit: number): boolean {
  const at = 2 + (255 - (bit >> 3)) * 2;
  return (Number.parseInt(bloom.slice(at, at + 2), 16) & (1 << (bit & 7))) !== 0;
}
