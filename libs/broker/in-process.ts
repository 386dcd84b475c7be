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
import { deadLetter } from './dead-letter.js';
import { DEFAULT_STOP_GRACE_MS, Handout } from './delivery.js';
import { callListener } from './doorbell.js';
import { InProcessQueue } from './in-process-queue.js';
import { type Statement, serializeStatement } from './messages.js';
import { DEFAULT_PREFIX, laneOfQueue, queueName } from './names.js';

/** Dead letters kept for a human to look at; the oldest give way. */
const DEAD_MAX_LENGTH = 1_000;

/** What an in-process broker needs. */
export interface InProcessOptions {
  readonly logger: Logger;
  /** How long a stopped consumer may still settle what it holds, in ms; 5000 by default. */
  readonly stopGraceMs?: number;
}

/**
 * A broker for one process that needs no service. Same promises as RabbitMQ's but one: it forgets everything when the process
 * ends, which costs time and never an event (the ledger has it fetched again).
 */
export function createInProcessBroker(options: InProcessOptions): InProcessBroker {
  return new InProcessBroker(options);
}

export class InProcessBroker implements Broker {
  readonly #logger: Logger;
  readonly #stopGraceMs: number;
  readonly #queues = new Map<string, InProcessQueue>();
  readonly #consumers = new Set<InProcessConsumer>();
  readonly #listeners = new Set<{ call(position: number): void }>();
  readonly #dead: DeadLetter[] = [];
  #closed = false;

  constructor(options: InProcessOptions) {
    this.#logger = options.logger;
    this.#stopGraceMs = options.stopGraceMs ?? DEFAULT_STOP_GRACE_MS;
  }

  async publish(lane: Lane, statement: Statement): Promise<void> {
    await this.publishBody(lane, serializeStatement(statement));
  }

  /** Puts any body into a lane's queue, as a foreign program could with RabbitMQ. @throws BrokerUnavailable when closed or full. */
  async publishBody(lane: Lane, body: Buffer): Promise<void> {
    this.#checkOpen();
    this.#queue(lane).add(body);
  }

  async consume(lane: Lane, prefetch: number, handler: (delivery: Delivery) => void): Promise<Consumer> {
    this.#checkOpen();
    const consumer = new InProcessConsumer(
      this.#queue(lane),
      prefetch,
      this.#stopGraceMs,
      handler,
      this.#logger,
    );
    this.#consumers.add(consumer);
    return consumer;
  }

  ring(position: number): void {
    // in a turn of its own: who rings has just committed and must not run the listeners' work
    for (const listener of this.#listeners)
      setImmediate(() => this.#listeners.has(listener) && listener.call(position));
  }

  async onRing(listener: (position: number) => void): Promise<() => Promise<void>> {
    this.#checkOpen();
    const entry = { call: (position: number) => callListener(listener, position, this.#logger) };
    this.#listeners.add(entry);
    return async () => void this.#listeners.delete(entry);
  }

  async deadLetters(limit: number): Promise<DeadLetter[]> {
    this.#checkOpen();
    return this.#dead.slice(0, limit);
  }

  async sortDeadLetters(visit: (letter: DeadLetter) => 'leave' | 'replay'): Promise<ReplayedLetters> {
    this.#checkOpen();
    let [replayed, unplaced] = [0, 0];
    // a copy: what fails again comes back at the end
    for (const letter of [...this.#dead]) {
      if (visit(letter) === 'leave') continue;
      const lane = laneOfQueue(DEFAULT_PREFIX, letter.queue);
      if (!lane) {
        unplaced++;
        continue;
      }
      this.#queue(lane).add(letter.body);
      this.#dead.splice(this.#dead.indexOf(letter), 1);
      replayed++;
    }
    return { replayed, unplaced };
  }

  async depth(queue: Queue): Promise<number> {
    this.#checkOpen();
    if (queue.lane === 'delayed') return this.#queue({ lane: 'history' }).delayed;
    return queue.lane === 'dead' ? this.#dead.length : this.#queue(queue).depth;
  }

  async consumers(lane: Lane): Promise<number> {
    this.#checkOpen();
    return this.#queue(lane).consumers;
  }

  get connected(): boolean {
    return !this.#closed;
  }

  get trouble(): string | null {
    return this.#closed ? 'this broker is closed' : null;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#listeners.clear();
    await Promise.all([...this.#consumers].map((consumer) => consumer.close()));
    for (const queue of this.#queues.values()) queue.close();
  }

  #queue(lane: Lane): InProcessQueue {
    const name = queueName(DEFAULT_PREFIX, lane);
    let queue = this.#queues.get(name);
    if (!queue) {
      queue = new InProcessQueue(name, lane.lane === 'live', (from, reason, body) =>
        this.#bury(from, reason, body),
      );
      this.#queues.set(name, queue);
    }
    return queue;
  }

  #bury(queue: string, reason: string, body: Buffer): void {
    this.#dead.push(deadLetter({ queue, reason, time: new Date().toISOString(), body }));
    if (this.#dead.length > DEAD_MAX_LENGTH) this.#dead.shift();
  }

  #checkOpen(): void {
    if (this.#closed) throw new BrokerUnavailable('this broker is closed');
  }
}

class InProcessConsumer implements Consumer {
  readonly #queue: InProcessQueue;
  readonly #handout: Handout;
  readonly #stopGraceMs: number;
  #leaving: Promise<void> | undefined;

  constructor(
    queue: InProcessQueue,
    prefetch: number,
    stopGraceMs: number,
    handler: (delivery: Delivery) => void,
    logger: Logger,
  ) {
    this.#queue = queue;
    this.#stopGraceMs = stopGraceMs;
    this.#handout = new Handout(handler, logger.child({ queue: queue.name }));
    queue.join(prefetch, this.#handout);
  }

  async stop(): Promise<void> {
    this.#leaving ??= this.#handout.stop(this.#stopGraceMs).then(() => this.#queue.leave(this.#handout));
  }

  /** Leaves now: everything unsettled goes back. */
  async close(): Promise<void> {
    await this.stop();
    this.#handout.drop();
    await this.#leaving;
  }
}
