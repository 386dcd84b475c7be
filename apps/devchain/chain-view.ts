import type { Block } from './block.js';
import type { PlacedTransaction } from './block-contents.js';

/** A change of the head: the blocks above `fork` up to `head` are new, and `replaced` blocks above `fork` are gone. */
export interface ChainChange {
  readonly fork: number;
  readonly head: number;
  readonly replaced: number;
}

/** What a node knows of a chain at a moment. */
export interface ChainView {
  readonly chainId: number;
  /** Heights of the newest block, and of the newest that are called safe and final. */
  readonly head: number;
  readonly safe: number;
  readonly finalized: number;
  /** @returns undefined above the head. */
  block(height: number): Block | undefined;
  /** @returns undefined for a hash that isn't in the chain now. */
  blockByHash(hash: string): Block | undefined;
  /** A transaction that is in the chain now, with its block. */
  transaction(hash: string): { block: Block; placed: PlacedTransaction } | undefined;
  /** The blocks of a range that have any transactions, in order; what lies above the head is left out. */
  blocksWithTransactions(from: number, to: number): Iterable<Block>;
}

/** A chain that can be served: it changes, and nodes may lag behind the change or run ahead of it on another branch. */
export interface ServedChain extends ChainView {
  /** The contract that emits SocketBridge, in lower case. */
  readonly address: string;
  /** Calls `listener` after every change from now on. @returns a function that stops it. */
  onChange(listener: (change: ChainChange) => void): () => void;
  /** @returns a function that makes the chain as it is now, whatever becomes of it. */
  snapshot(): () => ChainView;
  /**
   * Another branch of the same height that replaces the newest blocks.
   * @param depth how many, from 1 up, final ones too. @param which gives each its own hashes.
   */
  sibling(depth: number, which: number): ChainView;
}

/** A chain as a node sees it that doesn't have the blocks above a height yet. */
export class LaggingView implements ChainView {
  readonly chainId: number;
  readonly head: number;
  readonly safe: number;
  readonly finalized: number;
  readonly #chain: ChainView;

  /** @param head at most the chain's. */
  constructor(chain: ChainView, head: number) {
    const lag = chain.head - head;
    this.#chain = chain;
    this.chainId = chain.chainId;
    this.head = head;
    // its finality is late by as much
    this.finalized = Math.max(0, chain.finalized - lag);
    this.safe = Math.max(0, chain.safe - lag);
  }

  block(height: number): Block | undefined {
    return height <= this.head ? this.#chain.block(height) : undefined;
  }

  blockByHash(hash: string): Block | undefined {
    const block = this.#chain.blockByHash(hash);
    return block && block.number <= this.head ? block : undefined;
  }

  transaction(hash: string): { block: Block; placed: PlacedTransaction } | undefined {
    const found = this.#chain.transaction(hash);
    return found && found.block.number <= this.head ? found : undefined;
  }

  blocksWithTransactions(from: number, to: number): Iterable<Block> {
    return this.#chain.blocksWithTransactions(from, Math.min(to, this.head));
  }
}
