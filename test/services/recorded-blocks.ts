import { id, toQuantity } from 'ethers';
import { logsBloom } from '#apps/devchain/bloom.js';

export const CONTRACT = `0x${'c0'.repeat(20)}`;
export const TOPIC = id('Wanted()');
export const FILTER = { addresses: [CONTRACT], topics: [TOPIC] };
/** Time of block 0 in seconds; blocks follow every second. */
const GENESIS_TIME = 1_700_000_000;
const EMPTY_BLOOM = `0x${'00'.repeat(256)}`;

/** A log as a node says it. */
export type RawLog = ReturnType<typeof rawLog>;

/** Hash of a block of a branch. */
export function blockHash(number: number, branch = 'a'): string {
  return id(`block ${number} ${branch}`);
}

/** A log of a block in JSON-RPC's form; what isn't given is as the filter wants it. */
export function rawLog(number: number, fields: Readonly<Record<string, unknown>> = {}) {
  return {
    address: CONTRACT,
    topics: [TOPIC],
    data: '0x',
    blockNumber: toQuantity(number),
    blockHash: blockHash(number),
    transactionHash: id(`transaction of ${number}`),
    transactionIndex: '0x0',
    logIndex: '0x0',
    removed: false,
    ...fields,
  };
}

/** A block in JSON-RPC's form, its bloom that of the logs. */
export function rawBlock(
  number: number,
  logs: readonly RawLog[] = [],
  fields: Readonly<Record<string, unknown>> = {},
) {
  return {
    number: toQuantity(number),
    hash: blockHash(number),
    parentHash: blockHash(number - 1),
    timestamp: toQuantity(timeOf(number)),
    logsBloom: logs.length ? logsBloom(logs) : EMPTY_BLOOM,
    ...fields,
  };
}

/** Time of a block in seconds. */
export function timeOf(number: number): number {
  return GENESIS_TIME + number;
}

/** `eth_getBlockByNumber` of blocks 0 to `head` without logs, with head and finality in their places. */
export function blocksUpTo(head: number, finalized = 0): (block: string) => unknown {
  return (block) => {
    const number = block === 'latest' ? head : block === 'finalized' ? finalized : Number(block);
    return number <= head ? rawBlock(number) : null;
  };
}
