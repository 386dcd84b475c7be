import { keccak256 } from 'ethers';
import type { EmittedLog } from './transactions.js';

const BLOOM_BYTES = 256;

/** keccak256 in JavaScript takes 12 µs; addresses and topics repeat. */
const positionsByItem = new Map<string, readonly number[]>();
const REMEMBERED_ITEMS = 20_000;

/** The logs bloom of a block or receipt, 256 bytes of hex (Yellow Paper §4.4.1: M3:2048 over the address and each topic). */
export function logsBloom(logs: Iterable<EmittedLog>): string {
  const bloom = Buffer.alloc(BLOOM_BYTES);
  for (const log of logs) {
    for (const item of [log.address, ...log.topics]) {
      for (const bit of positionsOf(item)) bloom[BLOOM_BYTES - 1 - (bit >> 3)]! |= 1 << (bit & 7);
    }
  }
  return `0x${bloom.toString('hex')}`;
}

/** Three bits: the low 11 of each of the first three pairs of bytes of the item's keccak256. */
function positionsOf(item: string): readonly number[] {
  const remembered = positionsByItem.get(item);
  if (remembered) return remembered;
  const digest = keccak256(item);
  const positions = [2, 6, 10].map((at) => Number.parseInt(digest.slice(at, at + 4), 16) & 2047);
  if (positionsByItem.size >= REMEMBERED_ITEMS) positionsByItem.clear();
  positionsByItem.set(item, positions);
  return positions;
}
