import type { PlacedTransaction } from './block-contents.js';
import { logsBloom } from './bloom.js';

/** A block of the simulated chain. */
export class Block {
  readonly number: number;
  readonly hash: string;
  readonly parentHash: string;
  /** Unix time in seconds. */
  readonly timestamp: number;
  readonly transactions: readonly PlacedTransaction[];
  #bloom: string | undefined;

  constructor(
    header: { number: number; hash: string; parentHash: string; timestamp: number },
    transactions: readonly PlacedTransaction[],
    /** Where it isn't that of the logs: some chains keep none, some leave logs out. */
    logsBloom?: string,
  ) {
    this.number = header.number;
    this.hash = header.hash;
    this.parentHash = header.parentHash;
    this.timestamp = header.timestamp;
    this.transactions = transactions;
    this.#bloom = logsBloom;
  }

  /** Over all logs of the block; made when first asked for, since a search for logs doesn't need it. */
  get logsBloom(): string {
    this.#bloom ??= logsBloom(this.transactions.flatMap(({ logs }) => logs));
    return this.#bloom;
  }

  get gasUsed(): number {
    return this.transactions.reduce((sum, { transaction }) => sum + transaction.gasUsed, 0);
  }

  get logCount(): number {
    return this.transactions.reduce((sum, { logs }) => sum + logs.length, 0);
  }
}
