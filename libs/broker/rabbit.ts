import type { Channel } from 'amqplib';
import type { Logger } from '#libs/telemetry/logger.js';
import {
  type Broker,
  BrokerUnavailable,
  type Consumer,
  type DeadLetter,
  type Delivery,
  type Lane,
  type Queue,
  type ReplayedLetters,
} from './broker.js';
import { DEFAULT_STOP_GRACE_MS } from './delivery.js';
import type { KeptChannel } from './kept-channel.js';
import { type Statement, serializeStatement } from './messages.js';
import { DEFAULT_PREFIX } from './names.js';
import { RabbitConnection } from './rabbit-connection.js';
import { RabbitConsumer } from './rabbit-consumer.js';
import { sortDeadLetters } from './rabbit-dead-letters.js';
import { listenForRings, serializeRing } from './rabbit-doorbell.js';
import { RabbitPublisher } from './rabbit-publisher.js';
import { Topology } from './rabbit-topology.js';

/** How long `close` waits for the confirms of what was published. */
const CLOSE_PATIENCE_MS = 2_000;

const DEFAULT_IDLE_RENEWAL_MS = 60_000;

/** How to reach a broker, and under which names. */
export interface RabbitOptions {
  /** `amqp[s]://user:password@host:port/vhost`; `?heartbeat=` in seconds, 10 by default. */
  readonly url: string;
  /** Begins the name of every queue and exchange; `event-monitor` by default. */
  readonly prefix?: string;
  readonly logger: Logger;
  /** Who connects, as the broker shows it. */
  readonly name: string;
  /** How long a stopped consumer may still settle what it holds, in ms; 5000 by default. */
  readonly stopGraceMs?: number;
  /** After how long without a message a consumer that holds none is opened anew, in ms; 60,000 by default. */
  readonly idleRenewalMs?: number;
  /** Gives up waiting for the broker. */
  readonly signal?: AbortSignal;
}

/**
 * Connects to RabbitMQ (3.10 or newer) and declares the topology; waits for a broker that isn't up yet.
 * @throws BrokerUnavailable when waiting can't help: unreadable URL, refused login, queues of these names with other arguments.
 */
export async function connectRabbit(options: RabbitOptions): Promise<Broker> {
  const { url, name, logger, signal } = options;
  const topology = new Topology(options.prefix ?? DEFAULT_PREFIX);
  // two connections: the broker stops reading one that publishes too much, and acks must not wait behind that
  const publishing = await RabbitConnection.open(url, `${name} publishes`, logger, signal);
  let consuming: RabbitConnection | undefined;
  try {
    consuming = await RabbitConnection.open(url, `${name} consumes`, logger, signal);
    const publisher = await RabbitPublisher.open(publishing, topology, logger);
    return new RabbitBroker({ publishing, consuming, publisher, topology }, options);
  } catch (error) {
    await Promise.all([publishing.close(), consuming?.close()]);
    throw error;
  }
}

interface BrokerParts {
  readonly publishing: RabbitConnection;
  readonly consuming: RabbitConnection;
  readonly publisher: RabbitPublisher;
  readonly topology: Topology;
}

class RabbitBroker implements Broker {
  readonly #parts: BrokerParts;
  readonly #logger: Logger;
  readonly #timing: { stopGraceMs: number; idleRenewalMs: number };
  readonly #consumers = new Set<RabbitConsumer>();
  readonly #listeners = new Set<KeptChannel<Channel>>();
  #closed = false;

  constructor(parts: BrokerParts, options: RabbitOptions) {
    this.#parts = parts;
    this.#logger = options.logger;
    this.#timing = {
      stopGraceMs: options.stopGraceMs ?? DEFAULT_STOP_GRACE_MS,
      idleRenewalMs: options.idleRenewalMs ?? DEFAULT_IDLE_RENEWAL_MS,
    };
  }

  async publish(lane: Lane, statement: Statement): Promise<void> {
    this.#checkOpen();
    const queue = this.#parts.topology.queue(lane);
    await this.#parts.publisher.publish(
      { exchange: '', routingKey: queue, queue },
      serializeStatement(statement),
    );
  }

  async consume(lane: Lane, prefetch: number, handler: (delivery: Delivery) => void): Promise<Consumer> {
    this.#checkOpen();
    const { consuming, publisher, topology } = this.#parts;
    const parts = { connection: consuming, publisher, topology, logger: this.#logger, ...this.#timing };
    const consumer = await RabbitConsumer.open(parts, lane, prefetch, handler);
    this.#consumers.add(consumer);
    return consumer;
  }

  ring(position: number): void {
    if (!this.#closed) this.#parts.publisher.tell(this.#parts.topology.doorbell, serializeRing(position));
  }

  async onRing(listener: (position: number) => void): Promise<() => Promise<void>> {
    this.#checkOpen();
    const kept = await listenForRings(this.#parts.consuming, this.#parts.topology, listener, this.#logger);
    this.#listeners.add(kept);
    return async () => {
      this.#listeners.delete(kept);
      await kept.close();
    };
  }

  async deadLetters(limit: number): Promise<DeadLetter[]> {
    const letters: DeadLetter[] = [];
    await this.sortDeadLetters((letter) => {
      if (letters.length < limit) letters.push(letter);
      return 'leave';
    });
    return letters;
  }

  async sortDeadLetters(visit: (letter: DeadLetter) => 'leave' | 'replay'): Promise<ReplayedLetters> {
    this.#checkOpen();
    const { publisher, topology } = this.#parts;
    return this.#ask((connection) => sortDeadLetters({ connection, publisher, topology }, visit));
  }

  async depth(queue: Queue): Promise<number> {
    return (await this.#look(queue)).messageCount;
  }

  async consumers(lane: Lane): Promise<number> {
    return (await this.#look(lane)).consumerCount;
  }

  get connected(): boolean {
    return this.#parts.publisher.ready && this.#parts.consuming.connected;
  }

  get trouble(): string | null {
    const { publisher, publishing } = this.#parts;
    if (!publishing.connected) return 'RabbitMQ is not connected; it is tried again by itself';
    if (publishing.blocked !== null) return `RabbitMQ takes no messages now: ${publishing.blocked}`;
    return publisher.ready ? null : 'RabbitMQ gives no channel to publish on; it is tried again by itself';
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const { publisher, publishing, consuming } = this.#parts;
    await Promise.all([...this.#consumers].map((consumer) => consumer.close()));
    await Promise.all([...this.#listeners].map((listener) => listener.close()));
    await publisher.settled(CLOSE_PATIENCE_MS);
    await publisher.close();
    await Promise.all([publishing.close(), consuming.close()]);
  }

  #look(queue: Queue): Promise<{ messageCount: number; consumerCount: number }> {
    this.#checkOpen();
    return this.#ask(async (connection) => {
      const channel = await connection.model.createChannel();
      channel.on('error', () => {});
      try {
        return await channel.checkQueue(this.#parts.topology.queue(queue));
      } finally {
        await channel.close().catch(() => {});
      }
    });
  }

  async #ask<T>(question: (connection: RabbitConnection) => Promise<T>): Promise<T> {
    try {
      return await question(this.#parts.consuming);
    } catch (error) {
      if (error instanceof BrokerUnavailable) throw error;
      throw new BrokerUnavailable(`RabbitMQ didn't answer: ${(error as Error).message}`, { cause: error });
    }
  }

  #checkOpen(): void {
    if (this.#closed) throw new BrokerUnavailable('this broker connection is closed');
  }
}
