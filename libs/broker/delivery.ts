import type { Logger } from '#libs/telemetry/logger.js';
import type { Delivery } from './broker.js';
import { parseStatement, type Statement } from './messages.js';

/** Handing out a message more often than this makes it poison: it kills its worker each time. To the dead-letter queue. */
export const DELIVERY_LIMIT = 20;

/** Bytes that may wait in one queue. Beyond it publishing is refused: flow control failed, and the broker must not die of it. */
export const QUEUE_MAX_BYTES = 2_000_000_000;

/** How long history that was passed on is away. It costs each worker that can't use it a look every time. */
export const DELAY_MS = 5_000;

/**
 * History that nobody can use is passed on for this long. Then its fetcher finds it missing and says it again: without this bound,
 * what it says again meanwhile (ever more rarely) would pile up.
 */
export const PASSED_ON_AT_MOST_MS = 600_000;

/** How long a stopped consumer waits for the acks of what its handler holds, unless the broker is told otherwise. */
export const DEFAULT_STOP_GRACE_MS = 5_000;

/** One message as a broker hands it out, with the ways to settle it. Its promises never reject. */
export interface RawDelivery {
  readonly body: Buffer;
  readonly redelivered: boolean;
  ack(): void;
  /** Resolves when the dead-letter queue has it, or nothing can be done any more. */
  reject(reason: string): Promise<void>;
  /** Resolves when it is back, or in the queue for delayed history, or nothing can be done any more. */
  passOn(): Promise<void>;
  /** Lets the next consumer have the lane once this one holds nothing. */
  stepAside(): void;
}

/**
 * Between a queue and one consumer's handler: reads the bodies, refuses what isn't a statement, lets each delivery be settled
 * once, and knows which are still in the handler's hands when the consumer stops.
 */
export class Handout {
  readonly #held = new Set<RawDelivery>();
  readonly #handler: (delivery: Delivery) => void;
  readonly #logger: Logger;
  #stopped = false;
  #emptied: (() => void) | undefined;

  constructor(handler: (delivery: Delivery) => void, logger: Logger) {
    this.#handler = handler;
    this.#logger = logger;
  }

  /** Hands out one message. After `stop` it is left alone: it goes back with the consumer's channel. */
  take(raw: RawDelivery): void {
    if (this.#stopped) return;
    this.#held.add(raw);
    const read = parseStatement(raw.body);
    if ('reason' in read) {
      this.#logger.warn(
        { reason: read.reason, bytes: raw.body.length },
        'a message is not a statement: dead-lettered',
      );
      void this.#reject(raw, read.reason);
      return;
    }
    const delivery = this.#delivery(raw, read.statement);
    try {
      this.#handler(delivery);
    } catch (error) {
      this.#logger.error({ err: error }, 'a handler threw: its message is dead-lettered');
      delivery.reject(`the handler threw: ${(error as Error).message}`);
    }
  }

  /** True when nothing is held. */
  get empty(): boolean {
    return this.#held.size === 0;
  }

  /** Forgets what is held: the channel is gone, so the broker hands it out again. */
  drop(): void {
    this.#held.clear();
    this.#emptied?.();
  }

  /** Calls `then` as soon as nothing is held any more, unless `stop` comes before. */
  whenEmpty(then: () => void): void {
    if (this.#stopped) return;
    this.#emptied = () => {
      this.#emptied = undefined;
      then();
    };
  }

  /** Calls the handler no more. Resolves when all it holds is settled or dropped, after `graceMs` at the latest. */
  async stop(graceMs: number): Promise<void> {
    this.#stopped = true;
    if (this.#held.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, graceMs);
      this.#emptied = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #delivery(raw: RawDelivery, statement: Statement): Delivery {
    let settled = false;
    const once = (how: () => void) => {
      if (settled) return;
      settled = true;
      how();
    };
    return {
      statement,
      bytes: raw.body.length,
      redelivered: raw.redelivered,
      ack: () => once(() => this.#ack(raw)),
      reject: (reason) => once(() => void this.#reject(raw, reason)),
      passOn: () => once(() => void this.#passOn(raw)),
      giveUp: () =>
        once(() => {
          raw.stepAside();
          this.#ack(raw);
        }),
    };
  }

  #ack(raw: RawDelivery): void {
    raw.ack();
    this.#release(raw);
  }

  async #reject(raw: RawDelivery, reason: string): Promise<void> {
    await raw.reject(reason);
    this.#release(raw);
  }

  async #passOn(raw: RawDelivery): Promise<void> {
    await raw.passOn();
    this.#release(raw);
  }

  #release(raw: RawDelivery): void {
    this.#held.delete(raw);
    if (this.#held.size === 0) this.#emptied?.();
  }
}
