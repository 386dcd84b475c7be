import { setTimeout as delay } from 'node:timers/promises';
import type { ConfirmChannel, Message } from 'amqplib';
import type { Logger } from '#libs/telemetry/logger.js';
import { BrokerUnavailable } from './broker.js';
import { KeptChannel } from './kept-channel.js';
import type { RabbitConnection } from './rabbit-connection.js';
import { REDECLARE_AFTER_MS, type Topology } from './rabbit-topology.js';

/** Frames of at most 128 kB that may wait for the socket: 8 MB. amqplib's 1024 would be 128 MB. */
const WRITE_BUFFER_FRAMES = 64;

/** A quorum queue without its majority, or a broker in alarm, doesn't answer at all. */
const CONFIRM_PATIENCE_MS = 30_000;

/** Where a message goes, in the broker's terms; `queue` names the goal in errors. */
export interface Address {
  readonly exchange: string;
  readonly routingKey: string;
  readonly queue: string;
}

interface Outgoing {
  readonly id: string;
  readonly to: Address;
  readonly body: Buffer;
  readonly headers: Record<string, unknown> | undefined;
  readonly done: Promise<void>;
  /** Settles the publish; later calls don't count. */
  readonly settle: (error?: Error) => void;
  /** Why the broker gave it back: no queue takes it. */
  returned?: string;
}

/**
 * Publishes on one confirm channel, in the order of the calls. Every publish settles exactly once: confirmed, nacked,
 * returned as unroutable, without an answer for CONFIRM_PATIENCE_MS, or its channel gone.
 */
export class RabbitPublisher {
  readonly #topology: Topology;
  readonly #logger: Logger;
  /** Not yet written: the socket is behind. */
  readonly #outbox: Outgoing[] = [];
  /** Neither confirmed nor failed, by message id. */
  readonly #pending = new Map<string, Outgoing>();
  #kept!: KeptChannel<ConfirmChannel>;
  #full = false;
  #lastId = 0;
  #redeclaring: Promise<string> | undefined;

  private constructor(topology: Topology, logger: Logger) {
    this.#topology = topology;
    this.#logger = logger;
  }

  /** Declares the topology and opens for publishing. @throws Error as KeptChannel.open. */
  static async open(
    connection: RabbitConnection,
    topology: Topology,
    logger: Logger,
  ): Promise<RabbitPublisher> {
    const publisher = new RabbitPublisher(topology, logger);
    publisher.#kept = await KeptChannel.open<ConfirmChannel>(
      {
        purpose: 'publishing',
        connection,
        open: (connected) => connected.createConfirmChannel(WRITE_BUFFER_FRAMES),
        setup: async (channel) => {
          channel.on('return', (message: Message) => publisher.#noteReturn(message));
          channel.on('drain', () => publisher.#drained());
          await topology.declare(channel);
        },
        lost: (reason) => publisher.#failAll(`the channel is gone (${reason})`),
      },
      logger,
    );
    return publisher;
  }

  /** True while messages can be published. */
  get ready(): boolean {
    return this.#kept.current !== undefined;
  }

  /**
   * Publishes one persistent, mandatory JSON message.
   * @throws BrokerUnavailable when the broker didn't confirm that a queue holds it.
   */
  publish(to: Address, body: Buffer, headers?: Record<string, unknown>): Promise<void> {
    if (!this.#kept.current) return Promise.reject(unconfirmed(to, this.#kept.reason));
    const { promise: done, resolve, reject } = Promise.withResolvers<void>();
    const id = String(++this.#lastId);
    const settle = (error?: Error) => {
      if (!this.#pending.delete(id)) return;
      clearTimeout(patience);
      if (error) reject(error);
      else resolve();
    };
    const patience = setTimeout(
      () => settle(unconfirmed(to, `no answer within ${CONFIRM_PATIENCE_MS / 1000} s`)),
      CONFIRM_PATIENCE_MS,
    );
    const outgoing: Outgoing = { id, to, body, headers, done, settle };
    this.#pending.set(id, outgoing);
    this.#outbox.push(outgoing);
    this.#flush();
    return done;
  }

  /** Publishes without waiting and without a promise; says nothing when it can't. */
  tell(exchange: string, body: Buffer): void {
    if (this.#full) return;
    this.#full =
      this.#kept.current?.publish(exchange, '', body, { contentType: 'application/json' }) === false;
  }

  /** Waits until nothing is pending, `patienceMs` at most. */
  async settled(patienceMs: number): Promise<void> {
    const over = new AbortController();
    const all = Promise.allSettled([...this.#pending.values()].map((outgoing) => outgoing.done));
    await Promise.race([all, delay(patienceMs, undefined, { signal: over.signal }).catch(() => {})]);
    over.abort();
  }

  /** Closes the channel; what is pending fails. */
  close(): Promise<void> {
    return this.#kept.close();
  }

  #flush(): void {
    const channel = this.#kept.current;
    while (channel && !this.#full && this.#outbox.length > 0) {
      const outgoing = this.#outbox.shift()!;
      // its patience may have ended while it waited here
      if (this.#pending.has(outgoing.id)) this.#full = !this.#write(channel, outgoing);
    }
  }

  /** @returns false when nothing more is to be written before 'drain'. */
  #write(channel: ConfirmChannel, outgoing: Outgoing): boolean {
    const { exchange, routingKey } = outgoing.to;
    const options = {
      mandatory: true,
      persistent: true,
      contentType: 'application/json',
      messageId: outgoing.id,
      headers: outgoing.headers,
    };
    return channel.publish(exchange, routingKey, outgoing.body, options, (error: Error | null) => {
      if (error) outgoing.settle(unconfirmed(outgoing.to, error.message));
      else if (outgoing.returned) void this.#failReturned(channel, outgoing);
      else outgoing.settle();
    });
  }

  /** Comes before the confirm of the same message. */
  #noteReturn(message: Message): void {
    const outgoing = this.#pending.get(message.properties.messageId);
    if (outgoing) outgoing.returned = (message.fields as { replyText?: string }).replyText ?? 'returned';
  }

  /** A queue is gone: declares the topology again, so that the next try finds it. */
  async #failReturned(channel: ConfirmChannel, outgoing: Outgoing): Promise<void> {
    this.#redeclaring ??= this.#redeclare(channel, outgoing).finally(() => {
      this.#redeclaring = undefined;
    });
    const outcome = await this.#redeclaring;
    outgoing.settle(unconfirmed(outgoing.to, `${outgoing.returned}: the queue doesn't exist; ${outcome}`));
  }

  /** @returns what came of it, in words; logged once for all messages that wait for it. */
  async #redeclare(channel: ConfirmChannel, { to, returned }: Outgoing): Promise<string> {
    await delay(REDECLARE_AFTER_MS);
    const outcome = await this.#topology.declare(channel).then(
      () => 'it has been declared again',
      (error: Error) => `declaring it again failed: ${error.message}`,
    );
    this.#logger.warn({ queue: to.queue, reason: returned }, `a queue is gone, ${outcome}`);
    return outcome;
  }

  #drained(): void {
    this.#full = false;
    this.#flush();
  }

  #failAll(reason: string): void {
    this.#full = false;
    this.#outbox.length = 0;
    for (const outgoing of [...this.#pending.values()]) outgoing.settle(unconfirmed(outgoing.to, reason));
  }
}

function unconfirmed(to: Address, reason: string): BrokerUnavailable {
  return new BrokerUnavailable(`RabbitMQ didn't confirm a message for ${to.queue}: ${reason}`);
}
