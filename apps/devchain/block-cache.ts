import type { Block } from './block.js';

/** About 1 kB each with its share of the transaction. */
const LOGS_KEPT = 30_000;

/** The blocks asked for last, bounded by the number of logs in them; an empty block counts as one. */
export class BlockCache {
  readonly #blocks = new Map<string, Block>();
  #weight = 0;

  get(key: string): Block | undefined {
    const block = this.#blocks.get(key);
    if (!block) return undefined;
    // a Map keeps the order of insertion: the first is the one that wasn't asked for longest
    this.#blocks.delete(key);
    this.#blocks.set(key, block);
    return block;
  }

  set(key: string, block: Block): void {
    this.#blocks.set(key, block);
    this.#weight += weightOf(block);
    for (const [oldKey, old] of this.#blocks) {
      if (this.#weight <= LOGS_KEPT) return;
      this.#blocks.delete(oldKey);
      this.#weight -= weightOf(old);
    }
  }
}

function weightOf(block: Block): number {
  return 1 + block.logCount;
}
