import { pino } from 'pino';
import { expect, test } from 'vitest';
import { DeliveryQueue } from '#apps/worker/delivery-queue.js';
import type { Delivery } from '#libs/broker/broker.js';
import { UnknownEvents } from '#libs/database/event-catalog.js';
import { until } from './services/until.js';

/** Postgres's errors as its driver throws them. */
const away = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
const badData = Object.assign(new Error('invalid byte sequence'), { code: '22021' });

/**
 * Deliveries by name, a queue that stores them as `store` says, and what becomes of each, in order.
 * @param isOrdered whether what is behind one that is left goes back with it.
 */
function queueOf(store: (names: readonly string[]) => Promise<void>, isOrdered = false) {
  const happened: string[] = [];
  const nameOf = new Map<Delivery, string>();
  const queue = new DeliveryQueue(
    {
      name: 'history',
      groupSize: (waiting) => waiting.length,
      store: async (group) => {
        await store(group.map((delivery) => nameOf.get(delivery)!));
        happened.push(`stored ${group.map((delivery) => nameOf.get(delivery)).join()}`);
      },
      leave(delivery, { events }) {
        happened.push(`left ${nameOf.get(delivery)} with ${events.join()}`);
        return isOrdered;
      },
    },
    pino({ level: 'silent' }),
  );
  const push = (name: string) => {
    const delivery = {
      ack: () => void happened.push(`ack ${name}`),
      reject: (reason: string) => void happened.push(`reject ${name}: ${reason}`),
    } as Delivery;
    nameOf.set(delivery, name);
    queue.push(delivery);
  };
  return { queue, push, happened };
}

test('a delivery is acknowledged once its transaction is committed, and not before', async () => {
  const { queue, push, happened } = queueOf(async () => {});
  push('a');
  push('b');
  await until('both', () => happened.length === 3);
  expect(happened).toEqual(['stored a,b', 'ack a', 'ack b']);
  await queue.stop();
});

test('while the database is away deliveries are held, neither acknowledged nor given up, and stored once it is back', async () => {
  let tries = 0;
  let isAway = true;
  const { queue, push, happened } = queueOf(async () => {
    tries++;
    if (isAway) throw away;
  });
  push('a');
  await until('some tries', () => tries >= 3);
  expect(happened).toEqual([]);
  expect(queue.problem(0)).toMatch(
    /^history: 1 messages wait and none was stored for \d+ s: connect ECONNREFUSED$/,
  );
  isAway = false;
  await until('the message to be stored', () => happened.length === 2);
  expect(happened).toEqual(['stored a', 'ack a']);
  expect(queue.problem(0)).toBeNull();
  await queue.stop();
});

test('a message that can never be stored goes to the dead letters alone; the others of its group are stored', async () => {
  const { queue, push, happened } = queueOf(async (names) => {
    if (names.includes('bad')) throw badData;
  });
  for (const name of ['a', 'bad', 'b']) push(name);
  await until('all', () => happened.length === 5);
  expect(happened).toEqual([
    'stored a',
    'ack a',
    "reject bad: can't be stored: invalid byte sequence",
    'stored b',
    'ack b',
  ]);
  await queue.stop();
});

test('a message with an event that is not known here is left alone, and those around it are stored', async () => {
  const { queue, push, happened } = queueOf(async (names) => {
    if (names.includes('new')) throw new UnknownEvents(['NewEvent']);
  });
  for (const name of ['a', 'new', 'b']) push(name);
  await until('all', () => happened.length === 5);
  expect(happened).toEqual(['stored a', 'ack a', 'left new with NewEvent', 'stored b', 'ack b']);
  await queue.stop();
});

test('where order counts, what is behind a message that is left is not stored: it goes back with it', async () => {
  const store = async (names: readonly string[]) => {
    if (names.includes('new')) throw new UnknownEvents(['NewEvent']);
  };
  const { queue, push, happened } = queueOf(store, true);
  for (const name of ['a', 'new', 'b']) push(name);
  await until('the first two', () => happened.length === 3);
  push('c');
  await until('what came later', () => happened.length === 5);
  expect(happened).toEqual(['stored a', 'ack a', 'left new with NewEvent', 'stored c', 'ack c']);
  await queue.stop();
});
