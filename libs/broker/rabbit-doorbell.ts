import { randomUUID } from 'node:crypto';
import type { Channel } from 'amqplib';
import type { Logger } from '#libs/telemetry/logger.js';
import { callListener } from './doorbell.js';
import { KeptChannel } from './kept-channel.js';
import type { RabbitConnection } from './rabbit-connection.js';
import type { Topology } from './rabbit-topology.js';

/** The body of a ring: the position as JSON. */
export function serializeRing(position: number): Buffer {
  return Buffer.from(JSON.stringify({ position }));
}

/** Listens with a queue of its own, which is made anew after every interruption: rings of the gap are lost. */
export function listenForRings(
  connection: RabbitConnection,
  topology: Topology,
  listener: (position: number) => void,
  logger: Logger,
): Promise<KeptChannel<Channel>> {
  return KeptChannel.open<Channel>(
    {
      purpose: 'listening to the doorbell',
      connection,
      open: (connected) => connected.createChannel(),
      setup: async (channel) => {
        // a fresh name: the broker may not yet know that the connection which owned the last one is dead
        const queue = `${topology.doorbell}.${randomUUID()}`;
        await topology.declareListener(channel, queue);
        await channel.consume(
          queue,
          (message) => {
            const position = message ? readRing(message.content) : undefined;
            if (position !== undefined) callListener(listener, position, logger);
            if (!message) channel.close().catch(() => {});
          },
          { noAck: true },
        );
      },
    },
    logger,
  );
}

/** @returns the position, undefined when the body isn't a ring: it is best effort, and the next one says more. */
function readRing(body: Buffer): number | undefined {
  try {
    const { position } = JSON.parse(body.toString('utf8'));
    return Number.isSafeInteger(position) ? position : undefined;
  } catch {
    return undefined;
  }
}
