import type { ChainLog } from '#libs/events/log.js';
import { bytes, MalformedValue, quantity } from './hex.js';

/** A log as a node answered it; the block's time, Unix seconds, is there only if the node gives it. */
export type RpcLog = Omit<ChainLog, 'blockTimestamp'> & { readonly blockTimestamp: number | undefined };

const NO_TRANSACTION = `0x${'00'.repeat(32)}`;

/** Reads the answer of `eth_getLogs`. @throws MalformedValue, also for pending and removed logs. */
export function parseLogs(value: unknown): RpcLog[] {
  // null is never "empty": the node has no answer
  if (!Array.isArray(value))
    throw new MalformedValue(`logs are ${value === null ? 'null' : typeof value}, expected a list`);
  return value.map(parseLog);
}

function parseLog(value: unknown): RpcLog {
  if (typeof value !== 'object' || value === null) throw new MalformedValue('a log is not an object');
  const log = value as Record<string, unknown>;
  if (log.removed === true) throw new MalformedValue('a log is marked as removed');
  if (!Array.isArray(log.topics) || log.topics.length > 4)
    throw new MalformedValue('a log has no list of up to 4 topics');
  const blockHash = bytes(log.blockHash, 'log.blockHash', 32);
  const txHash = bytes(log.transactionHash, 'log.transactionHash', 32);
  return {
    address: bytes(log.address, 'log.address', 20),
    topics: log.topics.map((topic) => bytes(topic, 'log.topics', 32)),
    data: bytes(log.data, 'log.data'),
    blockNumber: quantity(log.blockNumber, 'log.blockNumber'),
    blockHash,
    // some nodes say 0 for a time that they don't know
    blockTimestamp:
      log.blockTimestamp == null
        ? undefined
        : quantity(log.blockTimestamp, 'log.blockTimestamp') || undefined,
    // logs of a block itself, which some chains give no transaction: zeros would make those of all blocks one
    txHash: txHash === NO_TRANSACTION ? blockHash : txHash,
    txIndex: quantity(log.transactionIndex, 'log.transactionIndex'),
    logIndex: quantity(log.logIndex, 'log.logIndex'),
  };
}

/** Order of logs within a chain. */
export function byPosition(a: RpcLog, b: RpcLog): number {
  return a.blockNumber - b.blockNumber || a.txIndex - b.txIndex || a.logIndex - b.logIndex;
}
