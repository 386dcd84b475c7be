import type { PlacedTransaction } from './block-contents.js';

/** A log to put into a block, for instance a real one of another chain. */
interface PinnedLog {
  readonly address: string;
  readonly topics: readonly string[];
  readonly data: string;
  /** Logs of one block with the same hash are of one transaction; a log without one has a transaction of its own. */
  readonly txHash?: string;
  readonly txIndex?: number;
  readonly logIndex?: number;
}

/**
 * Given contents for a height, in place of the generated ones. It holds on the chain's first segment, before any reorg or pause
 * below that height; on another one its transactions fare as all others and may come back in the same or the next block.
 */
export interface Pin {
  readonly number: number;
  readonly hash?: string;
  /** Unix time in seconds; whoever gives one sees to it that times don't decrease. */
  readonly timestamp?: number;
  readonly logs: readonly PinnedLog[];
}

/**
 * The transactions of a pinned block, in the order in which the logs name them; hex in lower case.
 * @param inventHash a transaction hash for a log that came without one.
 */
export function pinnedTransactions(pin: Pin, inventHash: (index: number) => string): PlacedTransaction[] {
  const byHash = new Map<string, { log: PinnedLog; logIndex: number }[]>();
  pin.logs.forEach((log, index) => {
    const hash = log.txHash?.toLowerCase() ?? inventHash(index);
    const own = byHash.get(hash) ?? [];
    own.push({ log, logIndex: log.logIndex ?? index });
    byHash.set(hash, own);
  });
  return [...byHash].map(([hash, entries], position) => {
    const logs = entries.map(({ log, logIndex }) => ({
      address: log.address.toLowerCase(),
      topics: log.topics.map((topic) => topic.toLowerCase()),
      data: log.data.toLowerCase(),
      logIndex,
    }));
    const to = logs[0]!.address;
    const transaction = { ...PINNED_ENVELOPE, hash, to, logs };
    return { transaction, txIndex: entries[0]!.log.txIndex ?? position, logs };
  });
}

/** A log doesn't say who paid for its transaction; these stand in. */
const PINNED_ENVELOPE = {
  from: '0x00000000000000000000000000000000000face1',
  nonce: 0,
  value: 0n,
  gasPrice: 1_000_000_000,
  gasUsed: 200_000,
  input: '0x',
};
