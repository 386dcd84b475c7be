import { randomUUID } from 'node:crypto';
import amqp from 'amqplib';
import { pino } from 'pino';
import { expect, inject, vi } from 'vitest';
import {
  type Broker,
  type DeadLetter,
  type DelayedQueue,
  type Delivery,
  type Lane,
  LIVE_QUEUES,
} from '#libs/broker/broker.js';
import { createInProcessBroker } from '#libs/broker/in-process.js';
import type { FinalityStatement, FinalStatement } from '#libs/broker/messages.js';
import { connectRabbit } from '#libs/broker/rabbit.js';
import { Topology } from '#libs/broker/rabbit-topology.js';

export const HISTORY: Lane = { lane: 'history' };
export const LIVE: Lane = { lane: 'live', index: 1 };
export const DELAYED: DelayedQueue = { lane: 'delayed' };
const LEDGER = randomUUID();
export const silent = pino({ level: 'silent' });

/** A broker under test, and a way past its port. */
export interface BrokerBench {
  readonly broker: Broker;
  /** What another process would hold: a broker on the same queues (in-process: the same one). */
  another(): Promise<Broker>;
  /** Puts any bytes into a lane's queue, a message each. */
  publishBody(lane: Lane, ...bodies: Buffer[]): Promise<void>;
  end(): Promise<void>;
}

/** Whoever stops leaves nothing in flight in these tests, or wants it back soon. */
const stopGraceMs = 200;

export async function inProcessBench(): Promise<BrokerBench> {
  const broker = createInProcessBroker({ logger: silent, stopGraceMs });
  return {
    broker,
    another: async () => broker,
    publishBody: async (lane, ...bodies) => {
      for (const body of bodies) await broker.publishBody(lane, body);
    },
    end: () => broker.close(),
  };
}

/** Queues of its own on a RabbitMQ; `end` deletes them. */
export async function rabbitBench(
  url = inject('rabbitmqUrl'),
): Promise<BrokerBench & { readonly prefix: string }> {
  const prefix = `test-${randomUUID()}`;
  const connect = () =>
    connectRabbit({ url, prefix, logger: silent, name: 'test', stopGraceMs, idleRenewalMs: 500 });
  const broker = await connect();
  const others: Broker[] = [];
  return {
    prefix,
    broker,
    another: async () => {
      const other = await connect();
      others.push(other);
      return other;
    },
    publishBody: (lane, ...bodies) => publishRaw(url, new Topology(prefix).queue(lane), bodies),
    end: async () => {
      await Promise.all([broker, ...others].map((b) => b.close()));
      await deleteQueues(url, prefix);
    },
  };
}

async function publishRaw(url: string, queue: string, bodies: readonly Buffer[]): Promise<void> {
  const connection = await amqp.connect(url);
  const channel = await connection.createConfirmChannel();
  for (const body of bodies) channel.sendToQueue(queue, body);
  await channel.waitForConfirms();
  await connection.close();
}

/** Deletes one queue, or all of a prefix. */
export async function deleteQueues(url: string, prefix: string, only?: Lane): Promise<void> {
  const topology = new Topology(prefix);
  const live = Array.from({ length: LIVE_QUEUES }, (_, index): Lane => ({ lane: 'live', index }));
  const connection = await amqp.connect(url);
  const channel = await connection.createChannel();
  for (const lane of only ? [only] : [HISTORY, ...live]) await channel.deleteQueue(topology.queue(lane));
  if (!only) {
    await channel.deleteQueue(topology.delayed);
    await channel.deleteQueue(topology.dead);
    await channel.deleteExchange(topology.dead);
    await channel.deleteExchange(topology.doorbell);
  }
  await connection.close();
}

/** History about block `n`. */
export function history(n: number): FinalStatement {
  const sources = [{ address: `0x${'11'.repeat(20)}`, event: 'SocketBridge' }];
  return { version: 1, ledger: LEDGER, chainId: 1, kind: 'final', sources, from: n, to: n, logs: [] };
}

/** News number `seq`. */
export function news(seq: number): FinalityStatement {
  return {
    version: 1,
    ledger: LEDGER,
    chainId: 1,
    kind: 'finality',
    term: 1,
    seq,
    number: seq,
    hash: `0x${'22'.repeat(32)}`,
  };
}

/** A handler that keeps what it is given. */
export class Inbox {
  readonly deliveries: Delivery[] = [];
  readonly #then: (delivery: Delivery) => void;

  constructor(then: (delivery: Delivery) => void = () => {}) {
    this.#then = then;
  }

  readonly handler = (delivery: Delivery): void => {
    this.deliveries.push(delivery);
    this.#then(delivery);
  };

  /** The numbers of what came, in order. */
  get numbers(): number[] {
    return this.deliveries.map(({ statement }) => numberOf(statement));
  }

  /** Waits until at least `count` have come. */
  async until(count: number): Promise<void> {
    await eventually(
      () =>
        this.deliveries.length >= count ||
        Promise.reject(new Error(`${this.deliveries.length} of ${count} came`)),
    );
  }
}

export function numberOf(statement: Delivery['statement']): number {
  return statement.kind === 'final' ? statement.from : statement.seq;
}

/** An inbox that acknowledges everything at once. */
export function ackingInbox(): Inbox {
  return new Inbox((delivery) => delivery.ack());
}

/** Waits until as many dead letters lie there. @returns them, the oldest first. */
export function untilDead(broker: Broker, count: number): Promise<DeadLetter[]> {
  return eventually(async () => {
    const letters = await broker.deadLetters(1_000);
    expect(letters).toHaveLength(count);
    return letters;
  });
}

/** Waits for a condition, as long as a broker on a busy machine may take. */
export function eventually<T>(check: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(check, { timeout: 30_000, interval: 20 });
}

/** 1, 2 … count. */
export function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1);
}
