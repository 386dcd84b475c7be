/**
 * One log of a chain in the form that every part of the system speaks: hex in lower case with `0x`,
 * numbers as safe integers, the block's time always there (libs/chain sees to that).
 */
export interface ChainLog {
  /** Contract that emitted the log, 20 bytes of hex. */
  readonly address: string;
  /** 0 to 4 topics, 32 bytes of hex each. */
  readonly topics: readonly string[];
  /** ABI-encoded data, any whole number of bytes. */
  readonly data: string;
  readonly blockNumber: number;
  readonly blockHash: string;
  /** Unix time of the block in seconds. */
  readonly blockTimestamp: number;
  /** The block's hash where a chain gives a log no transaction (zeros). */
  readonly txHash: string;
  readonly txIndex: number;
  /** Index within the block (by the standard; a few chains count per transaction, so it is unique only with `txHash`). */
  readonly logIndex: number;
}

/** What identifies a log for ever, also when a reorg moves its transaction: chain, transaction, index. */
export function logKey(log: Pick<ChainLog, 'txHash' | 'logIndex'>): string {
  return `${log.txHash}:${log.logIndex}`;
}
