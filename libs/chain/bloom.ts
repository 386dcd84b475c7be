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

/** Chance that an absent contract and event look present in a bloom, above which a "maybe" is no reason to ask for a whole block. */
const FALSE_MAYBE = 0.05;

/**
 * Whether a bloom is so full that it says "maybe" of nearly everything. Six bits must be set for an address and a topic, so
 * an absent pair looks present with the chance of fill^6. Computed with random values, and read as logs at about one new
 * value per log (addresses and signatures repeat, accounts don't):
 *
 * | values in the bloom (a block of) | fill | false "maybe" | proofs by whole blocks would be |
 * | --- | --- | --- | --- |
 * | 100 (Arbitrum, 0.25 s) | 0.14 | 0.00001 | 2 a day |
 * | 450 (BSC, 0.75 s) | 0.48 | 0.013 | 1,500 a day of 0.25 MB |
 * | 550 (Ethereum, 12 s, 500 logs) | 0.55 | 0.028 | 200 a day of 0.3 MB |
 * | 900 (Ethereum, 1,000 logs) | 0.73 | 0.15 | 1,100 a day of 0.6 MB |
 * | 1,000 (Polygon, 2 s) | 0.77 | 0.21 | 9,000 a day of 0.5 MB |
 * | 1,500 to 2,200 (Base, 2 s, 1,500 logs) | 0.89 to 0.96 | 0.5 to 0.78 | 21,000 to 34,000 a day of 0.9 MB: 19 to 31 GB |
 *
 * So the proof is asked for only where it is rare (at most one block in 20); else the fetcher asks once more when the block
 * is final, in ranges: 2 calls per move of finality, 450 a day on Base. The fill is read from each header rather than listed
 * per chain, since it changes with the traffic. Rejected: a second endpoint's word at once (there may be none, and both
 * may lag), and waiting some blocks before a block is said (every event would be late for a rare fault).
 */
export function bloomIsSaturated(bloom: string): boolean {
  const bits = getBytes(bloom).reduce((sum, byte) => sum + bitsIn(byte), 0);
  return (bits / 2048) ** 6 > FALSE_MAYBE;
}

function bitsIn(byte: number): number {
  let count = 0;
  for (let rest = byte; rest; rest &= rest - 1) count++;
  return count;
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
