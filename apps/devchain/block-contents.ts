import { Draw } from './draw.js';
import { FURTHER_PER_EVENT, furtherTransaction } from './further-transactions.js';
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

/**
 * Transactions that are drawn by themselves: what another stream has changes none of them. Those of a block stand in the streams'
 * order, so that a stream that was added later leaves the logs of the earlier ones where they were.
 */
interface Stream {
  /** Keys of its draws. */
  readonly count: number;
  readonly body: number;
  readonly place: number;
  /** Part of what its hashes are made of. */
  readonly label: string;
  /** Transactions for each SocketBridge log. */
  readonly perEvent: number;
  readonly make: (draw: Draw, gateway: string, hash: string) => Transaction;
}

const BRIDGING = 1 / MEAN_LEGS;
const BRIDGING_SHARE = BRIDGING / (BRIDGING + UNRELATED_PER_EVENT);

const MAIN: Stream = {
  count: 1,
  body: 2,
  place: 3,
  label: 'transaction',
  perEvent: BRIDGING + UNRELATED_PER_EVENT,
  make: (draw, gateway, hash) =>
    (draw.chance(BRIDGING_SHARE) ? bridgingTransaction : unrelatedTransaction)(draw, gateway, hash),
};

const FURTHER: Stream = {
  count: 4,
  body: 5,
  place: 6,
  label: 'further',
  perEvent: FURTHER_PER_EVENT,
  make: furtherTransaction,
};

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
    const pinned = isFirst(segment) ? this.#pinned.get(height) : undefined;
    if (pinned) return pinned.placed;
    const main = this.#ofStream(MAIN, height, segment, below);
    return placeInOrder(main.concat(this.#ofStream(FURTHER, height, segment, below)));
  }

  /** The only blocks that can hold a transaction: from its height on, two at most. */
  heightOfTransaction(hash: string): number | undefined {
    for (const [height, { placed }] of this.#pinned) {
      if (placed.some(({ transaction }) => transaction.hash === hash)) return height;
    }
    return this.#identities.heightOf(hash);
  }

  #ofStream(stream: Stream, height: number, segment: Segment, below: Segment): Transaction[] {
    if (isFirst(segment)) return this.#everywhere(stream, height);
    const waited = height > 0 && !isFirst(below) ? this.#placed(stream, height - 1, below, 'waits') : [];
    const stayed = this.#placed(stream, height, segment, 'stays');
    const fresh = this.#born(stream, height, NEW_SHARE, keyOf(segment.id), segment.id);
    // in front or behind, so that a log may keep its index or get another one
    const freshFirst = new Draw(...this.#key, stream.place, height, ...keyOf(segment.id)).chance(0.5);
    return [...waited, ...(freshFirst ? [...fresh, ...stayed] : [...stayed, ...fresh])];
  }

  #placed(stream: Stream, height: number, segment: Segment, place: Place): Transaction[] {
    return this.#everywhere(stream, height).filter(
      (_, index) => this.#placeOf(stream, height, segment, index) === place,
    );
  }

  #placeOf({ place }: Stream, height: number, segment: Segment, index: number): Place {
    const chance = new Draw(...this.#key, place, height, ...keyOf(segment.id), index + 1).uniform();
    if (chance < STAYS) return 'stays';
    return chance < STAYS + WAITS ? 'waits' : 'dropped';
  }

  /** The transactions of a height that are the same on all branches; of a pinned one those of the pin. */
  #everywhere(stream: Stream, height: number): Transaction[] {
    const pinned = this.#pinned.get(height);
    if (pinned) return stream === MAIN ? pinned.placed.map(({ transaction }) => transaction) : [];
    return this.#born(stream, height, 1, [0, 0], 'everywhere');
  }

  #born(
    stream: Stream,
    height: number,
    share: number,
    key: readonly [number, number],
    label: string,
  ): Transaction[] {
    const { eventsPerBlock, address } = this.#settings;
    const mean = eventsPerBlock * stream.perEvent * share;
    const count = new Draw(...this.#key, stream.count, height, ...key).poisson(mean);
    const transactions: Transaction[] = [];
    for (let index = 0; index < count; index++) {
      const draw = new Draw(...this.#key, stream.body, height, ...key, index);
      const hash = this.#identities.at(height, `${stream.label}:${label}:${index}`);
      transactions.push(stream.make(draw, address, hash));
    }
    return transactions;
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
    // named one by one: a spread here is a sixth of the time of a whole search
    logs: transaction.logs.map(({ address, topics, data }) => ({
      address,
      topics,
      data,
      logIndex: logIndex++,
    })),
  }));
}

function isFirst(segment: Segment): boolean {
  return segment.from === 0;
}

function keyOf(hex: string): readonly [number, number] {
  return [Number.parseInt(hex.slice(2, 10), 16), Number.parseInt(hex.slice(10, 18), 16)];
}
