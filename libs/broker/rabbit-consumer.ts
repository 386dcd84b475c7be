import { setTimeout as delay } from 'node:timers/promises';
import type { Channel, ConsumeMessage } from 'amqplib';
import type { Logger } from '#libs/telemetry/logger.js';
import { OutageLog } from '#libs/telemetry/outage-log.js';
import type { Consumer, Delivery, Lane } from './broker.js';
import { Handout } from './delivery.js';
import { KeptChannel } from './kept-channel.js';
import type { RabbitConnection } from './rabbit-connection.js';
import { deadLetterHeaders } from './rabbit-dead-letters.js';
import type { RabbitPublisher } from './rabbit-publisher.js';
import { REDECLARE_AFTER_MS, type Topology } from './rabbit-topology.js';

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
 * | `ack` | ack: forgotten |
 * | `reject`, malformed body, handler threw | copy to the dead-letter queue with the reason, and once that is confirmed, ack |
 * | neither, and the consumer stops | nothing; when its channel closes, the message goes back to the front of the queue |
 * | anything after the channel is gone | nothing: the message is already back |
 */
export class RabbitConsumer implements Consumer {
  readonly #parts: ConsumerParts;
  readonly #queue: string;
  readonly #idle: NodeJS.Timeout;
  readonly #handout: Handout;
  readonly #undead: OutageLog;
  #kept!: KeptChannel<Channel>;
  /** The channel that messages may be settled on. They come before the kept channel counts as set up. */
  #channel: Channel | undefined;
  #closing: Promise<void> | undefined;

  private constructor(parts: ConsumerParts, lane: Lane, handler: (delivery: Delivery) => void) {
    this.#parts = parts;
    this.#queue = parts.topology.queue(lane);
    this.#handout = new Handout(handler, parts.logger.child({ queue: this.#queue }));
    this.#undead = new OutageLog(parts.logger, `messages of ${this.#queue} can be dead-lettered again`);
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
    consumer.#kept = await KeptChannel.open<Channel>(
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
        lost: () => consumer.#lost(),
      },
      parts.logger,
    );
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
      this.#lost();
      setTimeout(() => this.#renew(channel), REDECLARE_AFTER_MS).unref();
      return;
    }
    this.#idle.refresh();
    this.#handout.take({
      body: message.content,
      redelivered: message.fields.redelivered,
      ack: () => this.#ack(channel, message),
      reject: (reason) => this.#deadLetter(channel, message, reason),
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
    if (this.#channel === channel) this.#lost();
    this.#kept?.renew(channel);
  }

  #lost(): void {
    this.#channel = undefined;
    this.#handout.drop();
  }

  async #leave(): Promise<void> {
    clearTimeout(this.#idle);
    this.#channel = undefined;
    await this.#kept.close();
  }

  #ack(channel: Channel, message: ConsumeMessage): void {
    if (this.#channel === channel) channel.ack(message);
  }

  /** Copies the message to the dead-letter queue, for as long as it takes or the message is ours. */
  async #deadLetter(channel: Channel, message: ConsumeMessage, reason: string): Promise<void> {
    const { publisher, topology } = this.#parts;
    const to = { exchange: topology.dead, routingKey: '', queue: topology.dead };
    const headers = deadLetterHeaders(this.#queue, reason);
    for (
      let retryMs = FIRST_RETRY_MS;
      this.#channel === channel;
      retryMs = Math.min(2 * retryMs, LONGEST_RETRY_MS)
    ) {
      try {
        await publisher.publish(to, message.content, headers);
        this.#ack(channel, message);
        this.#undead.ended();
        return;
      } catch (error) {
        this.#undead.failed(
          `a message of ${this.#queue} can’t be dead-lettered yet: ${(error as Error).message}`,
        );
        await delay(retryMs);
      }
    }
  }
}
