import type { GetMessage } from 'amqplib';
import type { DeadLetter } from './broker.js';
import type { RabbitConnection } from './rabbit-connection.js';
import { DEAD_MAX_LENGTH, type Topology } from './rabbit-topology.js';

/** Headers have to fit into one frame. */
const REASON_MAX_CHARACTERS = 2_000;

/** The broker's own reasons (`x-death`), in our words. */
const BROKER_REASONS: Record<string, string> = {
  delivery_limit:
    'handed out too often without being acknowledged: it seems to kill its worker (delivery_limit)',
};

/** What a dead letter that we write tells of itself. */
export function deadLetterHeaders(queue: string, reason: string): Record<string, unknown> {
  return {
    'x-queue': queue,
    'x-reason': reason.slice(0, REASON_MAX_CHARACTERS),
    'x-time': new Date().toISOString(),
  };
}

/**
 * Looks at the dead-letter queue: gets the messages on a channel of its own and puts them back.
 * Always all of them: a quorum queue puts what comes back behind what came back before, so that looking at the first two of three
 * would turn the queue (seen on 3.10). Who looks at the same moment sees only what this one doesn't.
 */
export async function peekDeadLetters(
  connection: RabbitConnection,
  topology: Topology,
  limit: number,
): Promise<DeadLetter[]> {
  const channel = await connection.model.createChannel();
  channel.on('error', () => {});
  try {
    const letters: DeadLetter[] = [];
    for (let got = 0; got < DEAD_MAX_LENGTH; got++) {
      const message = await channel.get(topology.dead);
      if (!message) break;
      if (got < limit) letters.push(readDeadLetter(message));
    }
    channel.nackAll(true);
    return letters;
  } finally {
    await channel.close().catch(() => {});
  }
}

function readDeadLetter({ content, properties }: GetMessage): DeadLetter {
  const headers = (properties.headers ?? {}) as Record<string, unknown>;
  const death = (headers['x-death'] as { queue?: string; reason?: string }[] | undefined)?.[0];
  const ofBroker = death?.reason && (BROKER_REASONS[death.reason] ?? death.reason);
  return {
    queue: String(headers['x-queue'] ?? death?.queue ?? 'unknown'),
    reason: String(headers['x-reason'] ?? ofBroker ?? 'unknown'),
    body: content,
  };
}
