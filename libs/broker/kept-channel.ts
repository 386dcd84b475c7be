import { setTimeout as delay } from 'node:timers/promises';
import type { Channel } from 'amqplib';
import type { Logger } from '#libs/telemetry/logger.js';
import { OutageLog } from '#libs/telemetry/outage-log.js';
import { BrokerUnavailable } from './broker.js';
import type { RabbitConnection } from './rabbit-connection.js';

const FIRST_DELAY_MS = 50;
const LONGEST_DELAY_MS = 5_000;
/** A channel that lived this long was sound: the next delay is the first again. */
const SOUND_AFTER_MS = 10_000;

/** What a kept channel is made of. */
export interface ChannelRecipe<C extends Channel> {
  /** What it is for, in logs. */
  readonly purpose: string;
  readonly connection: RabbitConnection;
  open(connection: RabbitConnection): Promise<C>;
  /** Declares, binds, consumes on a fresh channel, before anybody else uses it. */
  setup(channel: C): Promise<void>;
  /** Called once for every channel that `setup` saw, when it is gone; perhaps after the next one's `setup`. */
  lost?(reason: string, channel: C): void;
}

/**
 * A channel that is opened again, with backoff, whenever it is gone. amqplib's recovery brings connections back, but not a
 * channel that the broker closed (404, 406, consumer timeout) while its connection stayed up.
 */
export class KeptChannel<C extends Channel> {
  readonly #recipe: ChannelRecipe<C>;
  readonly #outage: OutageLog;
  readonly #closed = new AbortController();
  readonly #first = Promise.withResolvers<void>();
  #everOpen = false;
  #renewed = false;
  readonly #loop: Promise<void>;
  #current: C | undefined;
  /** Open, but perhaps not set up. */
  #alive: C | undefined;
  #reason = 'not open yet';

  private constructor(recipe: ChannelRecipe<C>, logger: Logger) {
    this.#recipe = recipe;
    this.#outage = new OutageLog(logger, `the channel for ${recipe.purpose} is open again`);
    this.#loop = this.#keep();
  }

  /**
   * Resolves when the channel is set up for the first time.
   * @throws BrokerUnavailable when waiting can't help: something exists with other arguments (406), may not be used (403), or the
   *   connection has been closed.
   */
  static async open<C extends Channel>(recipe: ChannelRecipe<C>, logger: Logger): Promise<KeptChannel<C>> {
    const kept = new KeptChannel(recipe, logger);
    await kept.#first.promise;
    return kept;
  }

  /** The channel, undefined while there is none that is set up. */
  get current(): C | undefined {
    return this.#current;
  }

  /** Why there is no channel. */
  get reason(): string {
    return this.#reason;
  }

  /** Closes a channel of its own accord; another is opened. */
  renew(channel: C): void {
    if (this.#alive !== channel || this.#renewed) return;
    this.#renewed = true;
    this.#shut(channel);
  }

  /** Closes the channel for good; what was unacknowledged on it is back in its queue then. */
  async close(): Promise<void> {
    this.#closed.abort();
    if (this.#alive) this.#shut(this.#alive);
    await this.#loop;
  }

  async #keep(): Promise<void> {
    for (let attempt = 0; !this.#closed.signal.aborted; attempt++) {
      const since = performance.now();
      const { error, wasRenewed } = await this.#live();
      if (!this.#everOpen && isHopeless(error)) {
        this.#closed.abort();
        this.#first.reject(hopeless(this.#recipe.purpose, error));
      }
      if (wasRenewed || performance.now() - since > SOUND_AFTER_MS) attempt = 0;
      await this.#pause(attempt);
    }
    this.#first.reject(
      new BrokerUnavailable(`closed before there was a channel for ${this.#recipe.purpose}`),
    );
  }

  /** One channel's life. @returns why it ended, and whether that was asked for. */
  async #live(): Promise<{ error: Error; wasRenewed: boolean }> {
    let reason = new Error('channel closed');
    try {
      const channel = await this.#recipe.open(this.#recipe.connection);
      const gone = Promise.withResolvers<void>();
      channel.on('error', (error) => {
        reason = error;
      });
      channel.once('close', () => {
        this.#current = this.#alive = undefined;
        this.#reason = reason.message;
        this.#recipe.lost?.(reason.message, channel);
        gone.resolve();
      });
      this.#alive = channel;
      await this.#setUp(channel);
      await gone.promise;
    } catch (error) {
      reason = error as Error;
      this.#reason = reason.message;
    }
    const wasRenewed = this.#renewed;
    this.#renewed = false;
    // a lost connection takes all its channels along, and says so itself
    if (!wasRenewed && !this.#closed.signal.aborted && this.#recipe.connection.connected) {
      this.#outage.failed(
        `the channel for ${this.#recipe.purpose} is gone, another is opened: ${reason.message}`,
      );
    }
    return { error: reason, wasRenewed };
  }

  async #setUp(channel: C): Promise<void> {
    try {
      await this.#recipe.setup(channel);
    } catch (error) {
      this.#shut(channel);
      throw error;
    }
    if (this.#closed.signal.aborted) return this.#shut(channel);
    if (this.#alive !== channel) return;
    this.#current = channel;
    this.#everOpen = true;
    this.#outage.ended();
    this.#first.resolve();
  }

  #shut(channel: C): void {
    this.#current = undefined;
    // a channel that the broker is just closing refuses to be closed
    channel.close().catch(() => {});
  }

  async #pause(attempt: number): Promise<void> {
    const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** attempt);
    await delay(longest * (0.75 + Math.random() / 4), undefined, { signal: this.#closed.signal }).catch(
      () => {},
    );
  }
}

function isHopeless(error: Error): boolean {
  const { code } = error as { code?: unknown };
  return code === 406 || code === 403;
}

function hopeless(purpose: string, cause: Error): BrokerUnavailable {
  return new BrokerUnavailable(
    `RabbitMQ refuses what ${purpose} needs: ${cause.message}. Delete what exists with other arguments when it is drained, give ` +
      'the user the rights, or use another prefix',
    { cause },
  );
}
