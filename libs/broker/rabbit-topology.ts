import type { Channel, Options } from 'amqplib';
import { type Lane, LIVE_QUEUES, type Queue } from './broker.js';
import { DELAY_MS, DELIVERY_LIMIT, QUEUE_MAX_BYTES } from './delivery.js';
import { laneOfQueue, queueName } from './names.js';

/** Dead letters kept for a human to look at; the oldest give way. Looking reads all of them. */
const DEAD_MAX_LENGTH = 1_000;
const DEAD_MAX_BYTES = 100_000_000;

/**
 * The dead-letter queue is only ever looked at (got and put back), which the broker counts as deliveries. Without a limit 3.10 may put
 * such messages at the queue's end; 4.x has a limit of 20 by default and knows −1, which 3.10 refuses.
 */
const DEAD_DELIVERY_LIMIT = 1_000_000_000;

/** A ring is news for seconds only, and the newest says all. */
const RING_TTL_MS = 5_000;
const RINGS_MAX = 100;

/**
 * How long a deleted queue stays deleted. RabbitMQ 3.10 takes some 30 ms to cancel the consumers of a deleted quorum queue; declared again
 * before that, it cancels nobody and goes on assigning messages to consumers that will never see them.
 */
export const REDECLARE_AFTER_MS = 1_000;

/** Names of everything that one installation has on a broker. */
export class Topology {
  readonly dead: string;
  readonly doorbell: string;
  readonly delayed: string;
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
    /** The dead-letter exchange and the one queue bound to it share this name. */
    this.dead = queueName(prefix, { lane: 'dead' });
    this.doorbell = `${prefix}.doorbell`;
    this.delayed = queueName(prefix, { lane: 'delayed' });
  }

  /** A queue's name. */
  queue(queue: Queue): string {
    return queueName(this.#prefix, queue);
  }

  /** Whether a queue of this name is one of the lanes'. */
  isLane(name: string): boolean {
    return laneOfQueue(this.#prefix, name) !== undefined;
  }

  /**
   * Declares everything that outlives a connection; declaring again changes nothing.
   * The dead-letter queue comes first: a message dead-lettered while the exchange has no binding is retried by the broker minutes later.
   * @throws Error with code 406 (the channel is closed) when something of that name exists with other arguments.
   */
  async declare(channel: Channel): Promise<void> {
    await channel.assertExchange(this.dead, 'fanout', { durable: true });
    await channel.assertQueue(this.dead, deadQueue);
    await channel.bindQueue(this.dead, this.dead, '');
    await channel.assertExchange(this.doorbell, 'fanout', { durable: true });
    await this.#declareLane(channel, { lane: 'history' });
    await this.#declareDelayed(channel);
    for (let index = 0; index < LIVE_QUEUES; index++)
      await this.#declareLane(channel, { lane: 'live', index });
  }

  /** Declares and binds a listener's own queue `name`, which goes with the connection. */
  async declareListener(channel: Channel, name: string): Promise<void> {
    await channel.assertExchange(this.doorbell, 'fanout', { durable: true });
    await channel.assertQueue(name, listenerQueue);
    await channel.bindQueue(name, this.doorbell, '');
  }

  async #declareLane(channel: Channel, lane: Lane): Promise<void> {
    const args = {
      ...laneArguments,
      'x-dead-letter-exchange': this.dead,
      ...(lane.lane === 'live' && { 'x-single-active-consumer': true }),
    };
    await channel.assertQueue(this.queue(lane), { durable: true, arguments: args });
  }

  /** What expires in it is dead-lettered to the queue that it came from. */
  async #declareDelayed(channel: Channel): Promise<void> {
    const args = {
      ...boundedArguments,
      'x-message-ttl': DELAY_MS,
      'x-dead-letter-exchange': '',
      'x-dead-letter-routing-key': this.queue({ lane: 'history' }),
    };
    await channel.assertQueue(this.delayed, { durable: true, arguments: args });
  }
}

const boundedArguments = {
  'x-queue-type': 'quorum',
  // at-least-once asks for reject-publish: a full queue must refuse, not drop
  'x-dead-letter-strategy': 'at-least-once',
  'x-overflow': 'reject-publish',
  'x-max-length-bytes': QUEUE_MAX_BYTES,
};

const laneArguments = { ...boundedArguments, 'x-delivery-limit': DELIVERY_LIMIT };

// drop-head, not reject-publish: with at-least-once dead-lettering a dead-letter queue that refuses would make every other queue keep
// its dead letters, and grow, until somebody empties it
const deadQueue: Options.AssertQueue = {
  durable: true,
  arguments: {
    'x-queue-type': 'quorum',
    'x-delivery-limit': DEAD_DELIVERY_LIMIT,
    'x-max-length': DEAD_MAX_LENGTH,
    'x-max-length-bytes': DEAD_MAX_BYTES,
    'x-overflow': 'drop-head',
  },
};

const listenerQueue: Options.AssertQueue = {
  exclusive: true,
  autoDelete: true,
  durable: false,
  arguments: {
    // said because a virtual host may have another default type, which can't be exclusive
    'x-queue-type': 'classic',
    'x-message-ttl': RING_TTL_MS,
    'x-max-length': RINGS_MAX,
    'x-overflow': 'drop-head',
  },
};
