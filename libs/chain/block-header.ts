import { bytes, MalformedValue, quantity } from './hex.js';

/** What is needed of a block's header. */
export interface BlockHeader {
  readonly number: number;
  readonly hash: string;
  readonly parentHash: string;
  /** Unix time in seconds. */
  readonly timestamp: number;
  /** 256 bytes of hex. */
  readonly logsBloom: string;
}

/** Reads a block as `eth_getBlockByNumber` answers it; null (the node doesn't have it) stays null. @throws MalformedValue */
export function parseHeader(value: unknown): BlockHeader | null {
  if (value === null || value === undefined) return null;
  if (typeof value !== 'object') throw new MalformedValue(`a block is ${typeof value}`);
  const block = value as Record<string, unknown>;
  return {
    number: quantity(block.number, 'block.number'),
    hash: bytes(block.hash, 'block.hash', 32),
    parentHash: bytes(block.parentHash, 'block.parentHash', 32),
    timestamp: quantity(block.timestamp, 'block.timestamp'),
    logsBloom: bytes(block.logsBloom, 'block.logsBloom', 256),
  };
}
