import { randomUUID } from 'node:crypto';
import amqp from 'amqplib';
import { afterEach, expect, inject, test } from 'vitest';
import { queueName } from '#libs/broker/names.js';
import { Simulation } from './services/simulation.js';
import { until } from './services/until.js';

const closing: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

test('messages that no worker can read go to the dead letters with the reason, the others are stored, and the hole is fetched again', async () => {
  const prefix = `test-${randomUUID()}`;
  const simulation = await Simulation.start({
    seed: 'unreadable',
    head: 40_000,
    chain: { eventsPerBlock: 0.2 },
    provider: { maxRange: 300 },
    env: { QUEUE_PREFIX: prefix },
  });
  closing.push(() => simulation.stop());
  const { system } = simulation;
  const broker = await amqp.connect(inject('rabbitmqUrl'));
  closing.push(() => broker.close());
  const channel = await broker.createConfirmChannel();
  const [history, dead] = [queueName(prefix, { lane: 'history' }), queueName(prefix, { lane: 'dead' })];

  // the first news make a finality, and with it history; then there is nobody to store it
  const [, worker] = await Promise.all([system.start('fetcher'), system.start('worker')]);
  await simulation.untilTipFollowed();
  await simulation.untilRows(200);
  await system.kill(worker);
  // not one that the worker had stored and not acknowledged
  const message = await until('a message of history that is not stored', async () => {
    const got = await channel.get(history);
    if (!got) return null;
    const { from, to } = JSON.parse(String(got.content)) as { from: number; to: number };
    const { stored } = await simulation.one<{ stored: boolean }>(
      `select coverage @> int8range(${from}, ${to} + 1) as stored from source`,
    );
    if (!stored) return got;
    channel.ack(got);
    return null;
  });
  const { content, properties } = message;
  const spoilt = {
    'cut off': content.subarray(0, content.length / 2),
    'of another version': Buffer.from(String(content).replace('"version":1', '"version":99')),
  };
  for (const body of Object.values(spoilt)) channel.sendToQueue(history, body, properties);
  await channel.waitForConfirms();
  channel.ack(message);

  await system.start('worker');
  await until('two dead letters', async () => (await channel.checkQueue(dead)).messageCount === 2);
  expect(await simulation.expectTableEqualsChain()).toBeGreaterThan(500);
  const reasons: unknown[] = [];
  for (let i = 0; i < 2; i++) {
    const letter = await channel.get(dead);
    if (letter) reasons.push(letter.properties.headers?.['x-reason']);
  }
  expect(reasons).toEqual([expect.stringMatching(/JSON/), expect.stringMatching(/version/)]);
}, 300_000);
