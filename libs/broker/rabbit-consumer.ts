import { setTimeout as delay } from 'node:timers/promises';
import type { Channel, ConsumeMessage } from 'amqplib';
import type { Logger } from '#libs/telemetry/logger.js';
import { OutageLog } from '#libs/telemetry/outage-log.js';
import type { Consumer, Delivery, Lane } from './broker.js';
import { Handout, PASSED_ON_AT_MOST_MS } from './delivery.js';
import { KeptChannel } from './kept-channel.js';
import type { RabbitConnection } from './rabbit-connection.js';
import { deadLetterHeaders } from './rabbit-dead-letters.js';
import type { Address, RabbitPublisher } from './rabbit-publisher.js';
import { REDECLARE_AFTER_MS, type Topology } from './rabbit-topology.js';

/** Header of history that was passed on: when that was for the first time, in ms of Unix time. */
const PASSED_ON_AT = 'x-passed-on-at';

const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 5_000;

/** What a consumer works with. */
export interface ConsumerParts {
  readonly connection: RabbitConnection;
  readonly publisher: RabbitPublisher;
  readonly topology: Topology;
  readonly logger: Logger;
  readonly stopGraceMs: number;
  readonly idleRenewalMs: number;
}

/**
 * One consumer of one queue, on a channel of its own, which it opens again whenever it is gone.
 *
 * | what happens to a delivery | what the broker is told |
 * | --- | --- |
 * | `ack`, `giveUp` | ack: forgotten; after `giveUp` the channel is opened anew as soon as nothing is held |
 * | `reject`, malformed body, handler threw | copy to the dead-letter queue with the reason, and once that is confirmed, ack |
 * | `passOn` history | copy to the queue for delayed history, and once that is confirmed, ack |
 * | `passOn` news | nothing; the channel is opened anew, so that this and what is behind it go to the next consumer |
 * | neither, and the consumer stops | nothing; when its channel closes, the message goes back to the front of the queue |
 * | anything after the channel is gone | nothing: the message is already back |
 */
export class RabbitConsumer implements Consumer {
  readonly #parts: ConsumerParts;
  readonly #lane: Lane;
  readonly #queue: string;
  readonly #idle: NodeJS.Timeout;
  readonly #handout: Handout;
  readonly #unmoved: OutageLog;
  readonly #kept = Promise.withResolvers<KeptChannel<Channel>>();
  /** The channel that messages may be settled on. They come before the kept channel counts as set up. */
  #channel: Channel | undefined;
  #closing: Promise<void> | undefined;

  private constructor(parts: ConsumerParts, lane: Lane, handler: (delivery: Delivery) => void) {
    this.#parts = parts;
    this.#lane = lane;
    this.#queue = parts.topology.queue(lane);
    this.#handout = new Handout(handler, parts.logger.child({ queue: this.#queue }));
    this.#unmoved = new OutageLog(parts.logger, `messages of ${this.#queue} can be put aside again`);
    this.#idle = setTimeout(() => this.#renewIdle(), parts.idleRenewalMs).unref();
  }

  /** Consumes from now on. @throws Error as KeptChannel.open. */
  static async open(
    parts: ConsumerParts,
    lane: Lane,
    prefetch: number,
    handler: (delivery: Delivery) => void,
  ): Promise<RabbitConsumer> {
    const consumer = new RabbitConsumer(parts, lane, handler);
    const queue = consumer.#queue;
    const kept = await KeptChannel.open<Channel>(
      {
        purpose: `consuming ${queue}`,
        connection: parts.connection,
        open: (connection) => connection.createChannel(),
        setup: async (channel) => {
          consumer.#channel = channel;
          await parts.topology.declare(channel);
          await channel.prefetch(prefetch);
          await channel.consume(queue, (message) => consumer.#receive(channel, message));
        },
        lost: (_, channel) => consumer.#lost(channel),
      },
      parts.logger,
    );
    consumer.#kept.resolve(kept);
    return consumer;
  }

  /**
   * Calls the handler no more and resolves at once; what the handler holds can still be settled. When the last of it is, or after the
   * grace, the channel closes and everything unsettled goes back. The consumer isn't cancelled before that: a live queue would make
   * the next consumer active while this one still holds earlier messages, and hand out news before older news.
   */
  async stop(): Promise<void> {
    this.#closing ??= this.#handout.stop(this.#parts.stopGraceMs).then(() => this.#leave());
  }

  /** Closes the channel now: everything unsettled goes back. */
  async close(): Promise<void> {
    await this.stop();
    this.#handout.drop();
    await this.#closing;
  }

  #receive(channel: Channel, message: ConsumeMessage | null): void {
    // the broker cancelled the consumer: the queue was deleted or its node went away
    if (!message) {
      this.#parts.logger.warn(
        { queue: this.#queue },
        'the broker cancelled a consumer, it will consume anew',
      );
      this.#lost(channel);
      setTimeout(() => this.#renew(channel), REDECLARE_AFTER_MS).unref();
      return;
    }
    // it goes back with its channel
    if (this.#channel !== channel) return;
    this.#idle.refresh();
    this.#handout.take({
      body: message.content,
      redelivered: message.fields.redelivered,
      ack: () => this.#ack(channel, message),
      reject: (reason) => this.#deadLetter(channel, message, reason),
      passOn: async () =>
        this.#lane.lane === 'history' ? this.#delay(channel, message) : this.#renew(channel),
      stepAside: () => this.#handout.whenEmpty(() => this.#renew(channel)),
    });
  }

  /**
   * Opens the channel anew when nothing has come for long: a queue that was deleted and declared again at once may have forgotten this
   * consumer without a word (REDECLARE_AFTER_MS). Where all is well this costs a dozen round trips; nothing is held, so nothing goes back.
   */
  #renewIdle(): void {
    if (this.#channel && this.#handout.empty) this.#renew(this.#channel);
    this.#idle.refresh();
  }

  #renew(channel: Channel): void {
    this.#lost(channel);
    // the first messages come before the channel counts as open
    void this.#kept.promise.then((kept) => kept.renew(channel));
  }

  #lost(channel: Channel): void {
    if (this.#channel !== channel) return;
    this.#channel = undefined;
    this.#handout.drop();
  }

  async #leave(): Promise<void> {
    clearTimeout(this.#idle);
    this.#channel = undefined;
    await (await this.#kept.promise).close();
  }

  #ack(channel: Channel, message: ConsumeMessage): void {
    if (this.#channel === channel) channel.ack(message);
  }

  #deadLetter(channel: Channel, message: ConsumeMessage, reason: string): Promise<void> {
    const { dead } = this.#parts.topology;
    const headers = deadLetterHeaders(this.#queue, reason);
    return this.#move(channel, message, { exchange: dead, routingKey: '', queue: dead }, headers);
  }

  async #delay(channel: Channel, message: ConsumeMessage): Promise<void> {
    const since = Number(message.properties.headers?.[PASSED_ON_AT] ?? Date.now());
    if (Date.now() - since > PASSED_ON_AT_MOST_MS) return this.#ack(channel, message);
    const { delayed } = this.#parts.topology;
    const to = { exchange: '', routingKey: delayed, queue: delayed };
    return this.#move(channel, message, to, { [PASSED_ON_AT]: since });
  }

  /** Copies the message to another queue, for as long as it takes or the message is ours. */
  async #move(
    channel: Channel,
    message: ConsumeMessage,
    to: Address,
    headers: Record<string, unknown>,
  ): Promise<void> {
    for (
      let retryMs = FIRST_RETRY_MS;
      this.#channel === channel;
      retryMs = Math.min(2 * retryMs, LONGEST_RETRY_MS)
    ) {
      try {
        await this.#parts.publisher.publish(to, message.content, headers);
        this.#ack(channel, message);
        this.#unmoved.ended();
        return;
      } catch (error) {
        const { message: why } = error as Error;
        this.#unmoved.failed(`a message of ${this.#queue} can’t be put into ${to.queue} yet: ${why}`);
        await delay(retryMs);
      }
    }
  }
}
