import amqp, { type ChannelModel, type ConfirmChannel, type ConsumeMessage } from 'amqplib';
import { LIVE_QUEUES } from '#libs/broker/broker.js';
import { queueName } from '#libs/broker/names.js';
import type { Wire } from '../services/wire.js';
import { shuffled } from './schedule.js';
import { lasting } from './world.js';

/** How long messages are collected, at most. */
const COLLECT_MS = 1_500;
const MOST = 200;

/** What it does with the messages that it got hold of. */
export type Mischief = 'duplicated' | 'delayed' | 'reordered';

/**
 * A consumer that stores nothing: it takes messages that were meant for workers and hands them in again, twice, late or in
 * another order. An ordinary client, so that it works with any broker.
 */
export class Courier {
  constructor(
    private readonly url: string,
    private readonly prefix: string,
    /** The workers' way to the broker: cut for a moment, they line up behind us for the live queues. */
    private readonly workers: Wire,
  ) {}

  /** @returns how many messages it was done to. */
  async run(mischief: Mischief, draw: (n: number) => number): Promise<number> {
    const connection = await amqp.connect(this.url, { timeout: 5_000 });
    connection.on('error', () => {});
    try {
      const channel = await connection.createConfirmChannel();
      channel.on('error', () => {});
      const taken = await this.collect(connection, channel);
      const again = mischief === 'reordered' ? shuffled(taken, draw) : taken;
      if (mischief === 'delayed') await lasting(2_000 + draw(4_000));
      for (const message of again) {
        const { properties, content } = message.message;
        const copies = mischief === 'duplicated' ? 2 : 1;
        for (let i = 0; i < copies; i++) channel.sendToQueue(message.queue, content, { ...properties });
      }
      await channel.waitForConfirms();
      for (const { message } of taken) channel.ack(message);
      // an ack has no answer; closing the channel has one, and comes after it
      await channel.close();
      return taken.length;
    } finally {
      await connection.close().catch(() => {});
    }
  }

  private async collect(
    connection: ChannelModel,
    channel: ConfirmChannel,
  ): Promise<{ queue: string; message: ConsumeMessage }[]> {
    const taken: { queue: string; message: ConsumeMessage }[] = [];
    const queues = [
      queueName(this.prefix, { lane: 'history' }),
      ...Array.from({ length: LIVE_QUEUES }, (_, index) => queueName(this.prefix, { lane: 'live', index })),
    ];
    await channel.prefetch(MOST / queues.length);
    let lost = false;
    connection.once('close', () => {
      lost = true;
    });
    const tags: string[] = [];
    for (const queue of queues) {
      const take = (message: ConsumeMessage | null) => {
        if (message) taken.push({ queue, message });
      };
      tags.push((await channel.consume(queue, take)).consumerTag);
    }
    await this.workers.cut();
    await lasting(200);
    await this.workers.mend();
    for (let waited = 0; waited < COLLECT_MS && taken.length < MOST && !lost; waited += 50) await lasting(50);
    // what is sent again must not come back to us
    for (const tag of tags) await channel.cancel(tag);
    return taken;
  }
}
