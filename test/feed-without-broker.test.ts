import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { afterEach, expect, inject, test } from 'vitest';
import { connectRabbit } from '#libs/broker/rabbit.js';
import { Follower, startTestApi } from './services/api.js';
import { block, hashOf, LedgerFixture } from './services/ledger-fixture.js';
import { startRabbitMq } from './services/rabbitmq.js';
import { until } from './services/until.js';

const closing: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

test('two APIs, one whose RabbitMQ dies and one that never had any, tell what is stored all the same', async () => {
  const ledger = await LedgerFixture.create(inject('postgresUrl'));
  closing.push(() => ledger.close());
  const node = await startRabbitMq();
  closing.push(() => node.stop());
  const gone = new AbortController();
  const connection = { prefix: `test-${randomUUID()}`, logger: pino({ level: 'silent' }), name: 'api' };
  const broker = await connectRabbit({ ...connection, url: node.url });
  // its broker is dead by then and answers no goodbye
  closing.push(() => void broker.close().catch(() => {}));
  // nobody listens on the discard port
  const never = connectRabbit({ ...connection, url: 'amqp://guest:guest@127.0.0.1:9', signal: gone.signal });
  never.catch(() => {});
  closing.push(() => gone.abort());
  const followers: Follower[] = [];
  for (const one of [broker, never]) {
    const api = await startTestApi({ database: ledger.database, broker: one });
    closing.push(() => api.close());
    const follower = new Follower(api.url, {});
    closing.push(() => follower.close());
    await until('the first cursor', () => follower.messages.length > 0);
    followers.push(follower);
  }
  const { term } = await ledger.lead();
  await ledger.apply(term, 1, { above: 9, blocks: [block(10, 'a')] }, { final: 10, hash: hashOf(10, 'a') });
  const say = async (number: number, seq: number) => {
    const blocks = [block(number, 'a', [{ tx: `t${number}` }])];
    const { position } = await ledger.apply(term, seq, { above: number - 1, blocks });
    broker.ring(position!);
    await until(`block ${number}`, () =>
      followers.every((f) => f.changes.some((c) => c.node.blockNumber === number)),
    );
  };
  await say(11, 3);
  await node.kill();
  await until('the loss of the broker', () => !broker.connected);
  await say(12, 4);
  const told = followers.map((f) => f.changes.map(({ node: { blockNumber } }) => blockNumber));
  expect(told).toEqual([
    [11, 12],
    [11, 12],
  ]);
});
