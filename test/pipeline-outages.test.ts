import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { startEmbeddedPostgres } from '#apps/local/embedded-postgres.js';
import { startRabbitMq } from './services/rabbitmq.js';
import { Simulation } from './services/simulation.js';
import { Wire } from './services/wire.js';

const closing: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

test('RabbitMQ killed in the history and while live, back with its queues or with none: the table equals the chain', async () => {
  const [broker, empty] = await Promise.all([startRabbitMq(), startRabbitMq()]);
  closing.push(() => Promise.all([broker.stop(), empty.stop()]));
  const wire = await Wire.to(broker.url);
  const simulation = await Simulation.start({
    seed: 'broker',
    head: 60_000,
    chain: { eventsPerBlock: 0.2 },
    provider: { maxRange: 300 },
    rabbitmqUrl: wire.through(broker.url),
  });
  closing.push(
    () => wire.cut(),
    () => simulation.stop(),
  );
  const { chain, system } = simulation;
  await Promise.all([system.start('fetcher'), system.start('worker')]);
  await simulation.untilRows(500);

  await broker.kill();
  chain.reorg({ depth: 3 });
  await broker.restart();
  await simulation.untilRows((await simulation.rows()) + 300);
  await broker.kill();
  chain.reorg({ depth: 4, newHead: chain.head - 2 });
  await wire.redirect(empty.url);
  await simulation.untilTipFollowed();

  await empty.kill();
  chain.reorg({ depth: 2 });
  chain.mine(40);
  await empty.restart();
  await simulation.untilTipFollowed();
  expect(await simulation.expectTableEqualsChain()).toBeGreaterThan(10_000);
}, 240_000);

test('Postgres crashed in the history for longer than the lease, and again while live: the table equals the chain', async () => {
  const dir = join(tmpdir(), `event-monitor-postgres-${randomUUID()}`);
  const settings = { max_connections: '50' };
  let postgres = await startEmbeddedPostgres({ dir, settings });
  const folders = new Set([dir, postgres.dir]);
  closing.push(async () => {
    await postgres.stop('immediate');
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  });
  const simulation = await Simulation.start({
    seed: 'database',
    head: 60_000,
    chain: { eventsPerBlock: 0.2 },
    provider: { maxRange: 300 },
    postgresUrl: postgres.url,
  });
  closing.push(() => simulation.stop());
  const { chain, system } = simulation;
  const [fetcher, worker] = await Promise.all([system.start('fetcher'), system.start('worker')]);
  await simulation.untilRows(500);

  await postgres.stop('immediate');
  await worker.untilOutput(/holding \d+ messages/, 60_000);
  await fetcher.untilOutput(/no longer leading/, 60_000);
  chain.reorg({ depth: 3 });
  postgres = await startEmbeddedPostgres({ dir, settings, port: postgres.port });
  await simulation.untilTipFollowed();

  await postgres.stop('immediate');
  chain.reorg({ depth: 4, newHead: chain.head - 2 });
  chain.mine(40);
  postgres = await startEmbeddedPostgres({ dir, settings, port: postgres.port });
  await simulation.untilTipFollowed();
  expect(await simulation.expectTableEqualsChain()).toBeGreaterThan(10_000);
}, 240_000);
