import { setTimeout } from 'node:timers/promises';
import type { Channel, GetMessage } from 'amqplib';
import type { DeadLetter, ReplayedLetters } from './broker.js';
import { deadLetter } from './dead-letter.js';
import type { RabbitConnection } from './rabbit-connection.js';
import type { RabbitPublisher } from './rabbit-publisher.js';
import type { Topology } from './rabbit-topology.js';

/** Headers have to fit into one frame. */
const REASON_MAX_CHARACTERS = 2_000;

/** How often it is looked whether what was put back is back (on an idle broker at the first or second time), and the pause between. */
const BACK_TRIES = 100;
const BACK_PAUSE_MS = 20;

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
 * Gets the dead letters one after the other on a channel of its own, replays those that `visit` wants, and puts the rest back.
 * Always all of them: a quorum queue puts what comes back behind what came back before, so that looking at the first two of three
 * would turn the queue (seen on 3.10). Who looks at the same moment sees only what this one doesn't.
 */
export async function sortDeadLetters(
  parts: { connection: RabbitConnection; publisher: RabbitPublisher; topology: Topology },
  visit: (letter: DeadLetter) => 'leave' | 'replay',
): Promise<ReplayedLetters> {
  const { connection, publisher, topology } = parts;
  const channel = await connection.model.createChannel();
  channel.on('error', () => {});
  let [replayed, unplaced] = [0, 0];
  try {
    // counted before the first replay: what fails again comes back at the end, and must not be replayed for ever
    const { messageCount } = await channel.checkQueue(topology.dead);
    for (let got = 0; got < messageCount; got++) {
      const message = await channel.get(topology.dead);
      if (!message) break;
      const letter = readDeadLetter(message);
      if (visit(letter) === 'leave') continue;
      if (!topology.isLane(letter.queue)) {
        unplaced++;
        continue;
      }
      await publisher.publish({ exchange: '', routingKey: letter.queue, queue: letter.queue }, letter.body);
      channel.ack(message);
      replayed++;
    }
    channel.nackAll(true);
    await untilBack(channel, topology.dead, messageCount - replayed);
    return { replayed, unplaced };
  } finally {
    // also where it failed: what is unacknowledged goes back with the channel
    await channel.close().catch(() => {});
  }
}

/**
 * A negative acknowledgement has no answer: without this wait, who looks right after would find some of the letters missing. Not for
 * ever: meanwhile others may take letters away, or the queue's limit drop them.
 */
async function untilBack(channel: Channel, queue: string, count: number): Promise<void> {
  for (let tries = 0; tries < BACK_TRIES; tries++) {
    const { messageCount } = await channel.checkQueue(queue);
    if (messageCount >= count) return;
    await setTimeout(BACK_PAUSE_MS);
  }
}

function readDeadLetter({ content, properties }: GetMessage): DeadLetter {
  const headers = (properties.headers ?? {}) as Record<string, unknown>;
  const death = (headers['x-death'] as BrokersNote[] | undefined)?.[0];
  const ofBroker = death?.reason && (BROKER_REASONS[death.reason] ?? death.reason);
  return deadLetter({
    queue: String(headers['x-queue'] ?? death?.queue ?? 'unknown'),
    reason: String(headers['x-reason'] ?? ofBroker ?? 'unknown'),
    time: typeof headers['x-time'] === 'string' ? headers['x-time'] : timeOf(death),
    body: content,
  });
}

/** What the broker notes of a message that it dead-letters by itself. */
interface BrokersNote {
  readonly queue?: string;
  readonly reason?: string;
  /** Unix seconds, as amqplib reads a timestamp. */
  readonly time?: { readonly value?: unknown };
}

function timeOf(death: BrokersNote | undefined): string | null {
  const seconds = Number(death?.time?.value);
  return Number.isSafeInteger(seconds) ? new Date(seconds * 1_000).toISOString() : null;
}
