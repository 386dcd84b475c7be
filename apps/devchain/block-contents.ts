import { Draw } from './draw.js';
import { digestOf, type Identities } from './identity.js';
import { type Pin, pinnedTransactions } from './pins.js';
import type { Segment } from './segments.js';
import {
  bridgingTransaction,
  type EmittedLog,
  MEAN_LEGS,
  type Transaction,
  unrelatedTransaction,
} from './transactions.js';

export interface PlacedLog extends EmittedLog {
  /** Index within the block. */
  readonly logIndex: number;
}

/** A transaction in a block. */
export interface PlacedTransaction {
  readonly transaction: Transaction;
  readonly txIndex: number;
  readonly logs: readonly PlacedLog[];
}

/** What decides which transactions a chain has. */
export interface ContentSettings {
  readonly seed: string;
  readonly chainId: number;
  /** The contract that emits SocketBridge. */
  readonly address: string;
  /** Mean number of SocketBridge logs in a block. */
  readonly eventsPerBlock: number;
  readonly pins: readonly Pin[];
}

/** Transactions without SocketBridge for each log of it. */
const UNRELATED_PER_EVENT = 0.75;

/** Where a transaction goes on a segment other than the first: its own block, the next one, or nowhere. */
const STAYS = 0.62;
const WAITS = 0.2;
/** New transactions there, so that a branch has about as many as the blocks that it replaces. */
const NEW_SHARE = 1 - STAYS - WAITS;

const COUNT = 1;
const BODY = 2;
const PLACE = 3;

/**
 * Says which transactions a block has, from nothing but the settings, its height and the segments that rule it and its parent.
 * Every height has transactions that are the same on all branches. On the chain's first segment they are in their block; on any
 * other one the segment that rules their height lets each stay, wait for the next block, or drops it, and adds new ones. Since one
 * segment alone decides, a transaction can't be in a chain twice.
 */
export class BlockContents {
  readonly #settings: ContentSettings;
  readonly #identities: Identities;
  readonly #key: readonly [number, number];
  readonly #pinned: ReadonlyMap<number, PinnedBlock>;

  constructor(settings: ContentSettings, identities: Identities) {
    this.#settings = settings;
    this.#identities = identities;
    this.#key = keyOf(digestOf(`${settings.chainId}:${settings.seed}`, 8));
    this.#pinned = new Map(settings.pins.map((pin) => [pin.number, pinnedBlock(pin, identities)]));
  }

  /**
   * The transactions of a block in order.
   * @param segment rules the height. @param below rules the height below it.
   */
  of(height: number, segment: Segment, below: Segment): PlacedTransaction[] {
    if (isFirst(segment)) {
      return this.#pinned.get(height)?.placed ?? placeInOrder(this.#everywhere(height));
    }
    const waited = height > 0 && !isFirst(below) ? this.#placed(height - 1, below, 'waits') : [];
    const stayed = this.#placed(height, segment, 'stays');
    const fresh = this.#born(height, NEW_SHARE, keyOf(segment.id), segment.id);
    // in front or behind, so that a log may keep its index or get another one
    const freshFirst = new Draw(...this.#key, PLACE, height, ...keyOf(segment.id)).chance(0.5);
    return placeInOrder([...waited, ...(freshFirst ? [...fresh, ...stayed] : [...stayed, ...fresh])]);
  }

  /** The only blocks that can hold a transaction: from its height on, two at most. */
  heightOfTransaction(hash: string): number | undefined {
    for (const [height, { placed }] of this.#pinned) {
      if (placed.some(({ transaction }) => transaction.hash === hash)) return height;
    }
    return this.#identities.heightOf(hash);
  }

  #placed(height: number, segment: Segment, place: Place): Transaction[] {
    return this.#everywhere(height).filter((_, index) => this.#placeOf(height, segment, index) === place);
  }

  #placeOf(height: number, segment: Segment, index: number): Place {
    const chance = new Draw(...this.#key, PLACE, height, ...keyOf(segment.id), index + 1).uniform();
    if (chance < STAYS) return 'stays';
    return chance < STAYS + WAITS ? 'waits' : 'dropped';
  }

  /** The transactions of a height that are the same on all branches. */
  #everywhere(height: number): Transaction[] {
    const pinned = this.#pinned.get(height);
    if (pinned) return pinned.placed.map(({ transaction }) => transaction);
    return this.#born(height, 1, [0, 0], 'everywhere');
  }

  #born(height: number, share: number, key: readonly [number, number], label: string): Transaction[] {
    const { eventsPerBlock, address } = this.#settings;
    const bridging = eventsPerBlock / MEAN_LEGS;
    const unrelated = eventsPerBlock * UNRELATED_PER_EVENT;
    const count = new Draw(...this.#key, COUNT, height, ...key).poisson((bridging + unrelated) * share);
    return Array.from({ length: count }, (_, index) => {
      const draw = new Draw(...this.#key, BODY, height, ...key, index);
      const hash = this.#identities.at(height, `transaction:${label}:${index}`);
      const bridges = draw.chance(bridging / (bridging + unrelated));
      return (bridges ? bridgingTransaction : unrelatedTransaction)(draw, address, hash);
    });
  }
}

type Place = 'stays' | 'waits' | 'dropped';

interface PinnedBlock {
  readonly placed: PlacedTransaction[];
}

function pinnedBlock(pin: Pin, identities: Identities): PinnedBlock {
  return { placed: pinnedTransactions(pin, (index) => identities.at(pin.number, `pinned:${index}`)) };
}

function placeInOrder(transactions: readonly Transaction[]): PlacedTransaction[] {
  let logIndex = 0;
  return transactions.map((transaction, txIndex) => ({
    transaction,
    txIndex,
    logs: transaction.logs.map((log) => ({ ...log, logIndex: logIndex++ })),
  }));
}

function isFirst(segment: Segment): boolean {
  return segment.from === 0;
}

function keyOf(hex: string): readonly [number, number] {
  return [Number.parseInt(hex.slice(2, 10), 16), Number.parseInt(hex.slice(10, 18), 16)];
}
