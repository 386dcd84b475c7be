import type { Statement } from './messages.js';

/** The lanes of DESIGN §3.1: one queue for history, and for news a few queues that keep a chain's order. */
export type Lane = { readonly lane: 'history' } | { readonly lane: 'live'; readonly index: number };

/** History that was passed on: it comes back to the history queue after some seconds. */
export type DelayedQueue = { readonly lane: 'delayed' };

/** The dead-letter queue. */
export type DeadQueue = { readonly lane: 'dead' };

export type Queue = Lane | DelayedQueue | DeadQueue;

/** Number of live queues; a chain's news go to queue (chain id modulo this). Changing it needs drained live queues. */
export const LIVE_QUEUES = 4;

/** Every queue of the monitor. */
export const allQueues: readonly Queue[] = [
  { lane: 'history' },
  { lane: 'delayed' },
  ...Array.from({ length: LIVE_QUEUES }, (_, index) => ({ lane: 'live', index }) as const),
  { lane: 'dead' },
];

/** A queue's name without the installation's prefix: `history`, `history.delayed`, `live.3`, `dead`. */
export function shortName(queue: Queue): string {
  if (queue.lane === 'delayed') return 'history.delayed';
  return queue.lane === 'live' ? `live.${queue.index}` : queue.lane;
}

/** The live queue that carries a chain's news. */
export function liveLaneOf(chainId: number): Lane {
  return { lane: 'live', index: chainId % LIVE_QUEUES };
}

/**
 * One message in a consumer's hand. Settle it once, in one of four ways; a delivery left alone goes back to the queue when the
 * consumer stops. All are no-ops when the connection that it came over is gone: it comes again.
 */
export interface Delivery {
  readonly statement: Statement;
  /** Size of the message body in bytes. */
  readonly bytes: number;
  /** True when the broker handed the message out before. */
  readonly redelivered: boolean;
  /** The statement is stored or void: forget it. */
  ack(): void;
  /** No worker will ever be able to use it: to the dead-letter queue, with the reason. */
  reject(reason: string): void;
  /**
   * This worker can't use it, another one may.
   * History comes again after DELAY_MS, to whichever worker, until it has been passed on for PASSED_ON_AT_MOST_MS: then it is forgotten.
   * News: this message, and all that the consumer holds of the lane, go back to the front of the queue, for the next consumer in
   * line; this one waits behind the others from then on.
   */
  passOn(): void;
  /**
   * No worker seems to be able to use these news: forget them, so that those of other chains needn't wait. Who said them says them
   * again. The next consumer in line gets the lane as soon as this one holds nothing of it, this one waits behind the others.
   */
  giveUp(): void;
}

export interface Consumer {
  /** Takes no more messages; resolves when no handler runs any more. Messages neither acked nor rejected go back to the queue. */
  stop(): Promise<void>;
}

export interface DeadLetter {
  /** Twelve hex digits, of its content and how it came here: the same at every look. */
  readonly id: string;
  /** Queue it came from, e.g. `event-monitor.history`. */
  readonly queue: string;
  readonly reason: string;
  /** When it came here, in ISO 8601; null: unknown. */
  readonly time: string | null;
  readonly body: Buffer;
}

/** What became of the dead letters that were to be replayed. */
export interface ReplayedLetters {
  readonly replayed: number;
  /** Left, since the queue that they came from is none of the monitor's. */
  readonly unplaced: number;
}

/**
 * What the system needs of a message broker. Two implementations: RabbitMQ, and an in-process one for a single process.
 * One contract suite (test/broker-contract.test.ts) runs over both.
 */
export interface Broker {
  /**
   * Hands a statement to the lane's queue, durably.
   * @returns when the broker has confirmed it.
   * @throws BrokerUnavailable when it isn't confirmed (connection lost, queue gone, nacked). The statement may or may not
   *   have arrived; whoever said it says it again from the ledger, duplicates are harmless.
   */
  publish(lane: Lane, statement: Statement): Promise<void>;
  /**
   * Delivers the lane's messages to `handler` in order, at most `prefetch` unacknowledged at a time. Malformed bodies never reach
   * the handler: they go to the dead-letter queue with the reason. Survives broker restarts and deleted queues by itself.
   * A live lane has one active consumer at a time among all processes; another takes over when it goes away.
   */
  consume(lane: Lane, prefetch: number, handler: (delivery: Delivery) => void): Promise<Consumer>;
  /** Tells every listener in every process that the commit log has reached `position`. Best effort, never throws. */
  ring(position: number): void;
  /** Calls `listener` for every ring from now on; rings may be lost. Returns a function that stops it. */
  onRing(listener: (position: number) => void): Promise<() => Promise<void>>;
  /** Dead letters now in the dead-letter queue, oldest first, at most `limit`; they stay there. */
  deadLetters(limit: number): Promise<DeadLetter[]>;
  /**
   * Shows every dead letter once to `visit`, oldest first, one at a time in memory, and sends those that it wants replayed to the
   * queue that they came from. One is taken away only when that queue has confirmed it: a crash between doubles it and loses
   * nothing. What fails again comes back with its reason, and isn't shown again.
   * @throws BrokerUnavailable as `publish`; what was not replayed by then stays.
   */
  sortDeadLetters(visit: (letter: DeadLetter) => 'leave' | 'replay'): Promise<ReplayedLetters>;
  /** Number of messages that wait in a queue (not those handed out). */
  depth(queue: Queue): Promise<number>;
  /** Number of consumers, in all processes, that a lane's queue has. */
  consumers(lane: Lane): Promise<number>;
  /** True while the connection is up. */
  readonly connected: boolean;
  /** Why nothing can be published now, in words (no connection; the broker's memory or disk alarm), or null. */
  readonly trouble: string | null;
  close(): Promise<void>;
}

/** The broker can't be reached or didn't confirm; try again later. */
export class BrokerUnavailable extends Error {
  override readonly name = 'BrokerUnavailable';
}
