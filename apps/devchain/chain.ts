import { Block } from './block.js';
import { BlockCache } from './block-cache.js';
import { BlockContents, type PlacedTransaction } from './block-contents.js';
import {
  type ChainOptions,
  type ChainSettings,
  type ChainState,
  checkHeight,
  newChainState,
} from './chain-state.js';
import type { ChainChange, ServedChain } from './chain-view.js';
import { Identities } from './identity.js';
import type { Pin } from './pins.js';
import { type BranchState, branchOff, forkPoint, type Segment, segmentAt } from './segments.js';

/** Ordinals of siblings begin here: far from those of the branches that the chain itself begins. */
const SIBLINGS = 2 ** 40;

/** A reorg on demand. */
export interface Reorg {
  /** How many blocks are replaced, counted from the head. */
  readonly depth: number;
  /** Height of the new branch's head; the old head by default. From `head - depth` up. */
  readonly newHead?: number;
  /** Allows to replace finalized blocks. */
  readonly force?: boolean;
}

/**
 * A simulated EVM chain. Its state is a few numbers, no blocks: every block is computed when asked for, whatever the height, so a
 * chain of tens of millions of blocks costs nothing and continues from its saved state.
 */
export class SimulatedChain implements ServedChain {
  readonly #settings: ChainSettings;
  readonly #identities: Identities;
  readonly #contents: BlockContents;
  readonly #pins: ReadonlyMap<number, Pin>;
  readonly #cache = new BlockCache();
  readonly #listeners = new Set<(change: ChainChange) => void>();
  #segments: readonly Segment[];
  #head: number;
  #finalized: number;
  #begun: number;

  private constructor(state: ChainState) {
    this.#settings = state.settings;
    this.#identities = new Identities(`${state.settings.chainId}:${state.settings.seed}`);
    this.#contents = new BlockContents(state.settings, this.#identities);
    this.#pins = new Map(state.settings.pins.map((pin) => [pin.number, pin]));
    this.#segments = state.segments;
    this.#head = state.head;
    this.#finalized = state.finalized;
    this.#begun = state.begun;
  }

  /**
   * A new chain. Equal options give an equal chain, `headTimestampMs` included.
   * @throws RangeError when its first block would lie before 1970, or a number is out of range.
   */
  static create(options: ChainOptions): SimulatedChain {
    return new SimulatedChain(newChainState(options));
  }

  /** Continues a chain from what {@link state} returned: every block is the same again. */
  static restore(state: ChainState): SimulatedChain {
    return new SimulatedChain(state);
  }

  get chainId(): number {
    return this.#settings.chainId;
  }

  get address(): string {
    return this.#settings.address;
  }

  get seed(): string {
    return this.#settings.seed;
  }

  get blockTimeMs(): number {
    return this.#settings.blockTimeMs;
  }

  get head(): number {
    return this.#head;
  }

  /** Height of the newest final block; never goes back. */
  get finalized(): number {
    return this.#finalized;
  }

  get safe(): number {
    return Math.max(this.#finalized, this.#head - Math.ceil(this.#settings.finalityDepth / 2));
  }

  /** Adds blocks on top. @returns the new head. */
  mine(count = 1): number {
    const fork = this.#head;
    checkHeight('the new head', fork + count, fork + 1);
    this.#become({ head: fork + count, segments: this.#segments }, fork);
    return this.#head;
  }

  /**
   * Replaces the newest blocks by others. The new branch has most of the old transactions, in the same or the next block, and new ones.
   * @returns the highest block that stayed.
   * @throws RangeError when it would replace finalized blocks without `force`, or end below finality.
   */
  reorg({ depth, newHead = this.#head, force = false }: Reorg): number {
    const fork = this.#head - depth;
    if (!Number.isSafeInteger(depth) || depth < 1 || fork < 0)
      throw new RangeError(`can't replace ${depth} blocks of a chain whose head is ${this.#head}`);
    checkHeight('the new head', newHead, fork);
    this.#checkFinality(fork, newHead, force);
    const segments = branchOff(this.#segments, fork + 1, this.#timestampMs(fork + 1), this.#begun++);
    this.#become({ head: newHead, segments }, fork);
    return fork;
  }

  /** What can be returned to with {@link returnTo}. */
  branch(): BranchState {
    return { head: this.#head, segments: this.#segments };
  }

  /**
   * Goes back to a branch that was left: the same blocks with the same hashes.
   * @returns the highest block that stayed.
   * @throws RangeError when that would replace finalized blocks without `force`, or end below finality, or the branch is another chain's.
   */
  returnTo(branch: BranchState, { force = false } = {}): number {
    if (branch.segments[0]?.id !== this.#segments[0]!.id)
      throw new RangeError('this branch belongs to another chain');
    const fork = forkPoint(this.branch(), branch);
    this.#checkFinality(fork, branch.head, force);
    this.#become({ head: branch.head, segments: branch.segments }, fork);
    return fork;
  }

  /**
   * After a pause: lets the next block have the time `nowMs` instead of one in the past; the blocks up to the head keep theirs.
   * Changes nothing when the next block isn't due yet.
   */
  resumeAt(nowMs: number): void {
    if (this.#timestampMs(this.#head + 1) >= nowMs) return;
    this.#segments = branchOff(this.#segments, this.#head + 1, nowMs, this.#begun++);
    this.#tell({ fork: this.#head, head: this.#head, replaced: 0 });
  }

  /** Unix time in milliseconds at which the next block is due. */
  get nextBlockDueMs(): number {
    return this.#timestampMs(this.#head + 1);
  }

  block(height: number): Block | undefined {
    if (!Number.isSafeInteger(height) || height < 0 || height > this.#head) return undefined;
    const segment = segmentAt(this.#segments, height);
    const key = `${segment.id}:${height}`;
    const cached = this.#cache.get(key);
    if (cached) return cached;
    const block = this.#render(height, segment, this.#transactionsAt(height, segment));
    this.#cache.set(key, block);
    return block;
  }

  blockByHash(hash: string): Block | undefined {
    const pinned = this.#settings.pins.find((pin) => pin.hash?.toLowerCase() === hash)?.number;
    const height = pinned ?? this.#identities.heightOf(hash);
    const block = height === undefined ? undefined : this.block(height);
    return block?.hash === hash ? block : undefined;
  }

  transaction(hash: string): { block: Block; placed: PlacedTransaction } | undefined {
    const height = this.#contents.heightOfTransaction(hash);
    if (height === undefined) return undefined;
    for (const block of [this.block(height), this.block(height + 1)]) {
      const placed = block?.transactions.find(({ transaction }) => transaction.hash === hash);
      if (block && placed) return { block, placed };
    }
    return undefined;
  }

  /** Blocks without transactions cost next to nothing. */
  *blocksWithTransactions(from: number, to: number): Generator<Block> {
    for (let height = Math.max(0, from); height <= Math.min(to, this.#head); height++) {
      const segment = segmentAt(this.#segments, height);
      // what a long range holds isn't kept: it would push out the blocks that are asked for again
      const cached = this.#cache.get(`${segment.id}:${height}`);
      if (cached && cached.transactions.length > 0) yield cached;
      if (cached) continue;
      const transactions = this.#transactionsAt(height, segment);
      if (transactions.length > 0) yield this.#render(height, segment, transactions);
    }
  }

  onChange(listener: (change: ChainChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  snapshot(): () => SimulatedChain {
    const state = this.state();
    return () => SimulatedChain.restore(state);
  }

  sibling(depth: number, which: number): SimulatedChain {
    const sibling = SimulatedChain.restore({ ...this.state(), begun: SIBLINGS + which });
    sibling.reorg({ depth, force: true });
    return sibling;
  }

  /** Everything that {@link restore} needs; it doesn't change later. */
  state(): ChainState {
    return {
      version: 1,
      settings: this.#settings,
      segments: this.#segments,
      head: this.#head,
      finalized: this.#finalized,
      begun: this.#begun,
    };
  }

  #become(branch: BranchState, fork: number): void {
    const replaced = this.#head - fork;
    this.#segments = branch.segments;
    this.#head = branch.head;
    this.#finalized = Math.max(this.#finalized, this.#head - this.#settings.finalityDepth);
    this.#tell({ fork, head: this.#head, replaced });
  }

  #tell(change: ChainChange): void {
    for (const listener of this.#listeners) listener(change);
  }

  #checkFinality(fork: number, head: number, force: boolean): void {
    if (head < this.#finalized)
      throw new RangeError(`block ${this.#finalized} is final, so the head can't become ${head}`);
    if (fork < this.#finalized && !force)
      throw new RangeError(
        `block ${this.#finalized} is final, so blocks above ${fork} can't be replaced without force`,
      );
  }

  #transactionsAt(height: number, segment: Segment): PlacedTransaction[] {
    const below = segment.from < height ? segment : segmentAt(this.#segments, height - 1);
    return this.#contents.of(height, segment, below);
  }

  #render(height: number, segment: Segment, transactions: readonly PlacedTransaction[]): Block {
    const parentHash = height === 0 ? `0x${'0'.repeat(64)}` : this.#hashAt(height - 1);
    const timestamp = this.#pinAt(height, segment)?.timestamp ?? Math.floor(this.#timestampMs(height) / 1000);
    return new Block({ number: height, hash: this.#hashAt(height), parentHash, timestamp }, transactions);
  }

  #hashAt(height: number): string {
    const segment = segmentAt(this.#segments, height);
    return (
      this.#pinAt(height, segment)?.hash?.toLowerCase() ?? this.#identities.at(height, `block:${segment.id}`)
    );
  }

  #pinAt(height: number, segment: Segment): Pin | undefined {
    return segment.from === 0 ? this.#pins.get(height) : undefined;
  }

  #timestampMs(height: number): number {
    const segment = segmentAt(this.#segments, height);
    return segment.timestampMs + (height - segment.from) * this.#settings.blockTimeMs;
  }
}
