import amqp from 'amqplib';
import { afterEach, expect, inject, test } from 'vitest';
import { liveLaneOf } from '#libs/broker/broker.js';
import { queueName } from '#libs/broker/names.js';
import { CHAIN_ID, Simulation } from './services/simulation.js';
import type { SystemProcess } from './services/system.js';
import { until } from './services/until.js';

const closing: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

test('a leader that hangs is replaced; awake again it has no effect, stands by, and leads when the other is killed', async () => {
  const simulation = await Simulation.start({
    seed: 'failover',
    head: 20_000,
    provider: { maxRange: 300 },
  });
  closing.push(() => simulation.stop());
  const { chain, system } = simulation;
  const worker = await system.start('worker');
  const first = await system.start('fetcher');
  const term = await untilLeads(simulation, first, 0);
  const second = await system.start('fetcher');
  await simulation.untilRows(1_000);
  await second.untilOutput(/standing by/, 60_000);

  // what the leader says from here on is in the queues when it falls asleep, in the middle of its history
  process.kill(worker.pid, 'SIGSTOP');
  await until('statements under way', async () => (await unapplied(first)) >= 8);
  process.kill(first.pid, 'SIGSTOP');
  const asleep = performance.now();
  const next = await untilLeads(simulation, second, term);
  const hungSeconds = (performance.now() - asleep) / 1_000;
  chain.reorg({ depth: 6, newHead: chain.head - 2 });
  process.kill(worker.pid, 'SIGCONT');
  await simulation.untilTipFollowed();
  process.kill(first.pid, 'SIGCONT');
  await first.untilOutput(new RegExp(`no longer leading: term ${term} is over`), 60_000);
  await simulation.untilTipFollowed();
  // not all 8: Postgres may commit what the worker had sent when it fell asleep
  expect(await ignoredNews(worker)).toBeGreaterThan(0);
  expect(await laneOf(simulation)).toMatchObject({
    term: next,
    holder: expect.stringContaining(`:${second.pid}:`),
  });

  await system.kill(second);
  const dead = performance.now();
  await untilLeads(simulation, first, next);
  const killedSeconds = (performance.now() - dead) / 1_000;
  chain.reorg({ depth: 3 });
  await simulation.untilTipFollowed();
  expect(await simulation.expectTableEqualsChain()).toBeGreaterThan(7_000);
  console.info(
    `takeover after SIGSTOP ${hungSeconds.toFixed(1)} s, after SIGKILL ${killedSeconds.toFixed(1)} s`,
  );
}, 240_000);

test('news that are lost with their queue are said again in a new term', async () => {
  const simulation = await Simulation.start({ seed: 'lost news', head: 600 });
  closing.push(() => simulation.stop());
  const { chain, system } = simulation;
  const worker = await system.start('worker');
  const fetcher = await system.start('fetcher');
  await simulation.untilTipFollowed();
  const { term } = await laneOf(simulation);
  await system.kill(worker);
  await until('statements under way', async () => (await unapplied(fetcher)) >= 8);
  const connection = await amqp.connect(inject('rabbitmqUrl'));
  const channel = await connection.createChannel();
  await channel.purgeQueue(queueName(system.queuePrefix, liveLaneOf(CHAIN_ID)));
  await connection.close();
  chain.reorg({ depth: 3 });
  await system.start('worker');
  await simulation.untilTipFollowed();
  expect((await laneOf(simulation)).term).toBeGreaterThan(term);
}, 180_000);

async function laneOf(simulation: Simulation): Promise<{ term: number; holder: string }> {
  const { term, holder } = await simulation.one<{ term: string; holder: string }>(
    'select term, holder from chain_lane',
  );
  return { term: Number(term), holder };
}

/** Waits until a process leads a term later than `after`. @returns the term. */
async function untilLeads(simulation: Simulation, process: SystemProcess, after: number): Promise<number> {
  return until(`process ${process.pid} to lead`, async () => {
    const { term, holder } = await laneOf(simulation);
    return term > after && holder.includes(`:${process.pid}:`) && term;
  });
}

async function unapplied(fetcher: SystemProcess): Promise<number> {
  return metric(fetcher, /^event_monitor_unapplied_statements\{.*\} (\d+)$/m);
}

/** News that a worker found void: of an old term, or after a lost statement. */
async function ignoredNews(worker: SystemProcess): Promise<number> {
  return metric(worker, /^event_monitor_statements_total\{lane="live",outcome="ignored"\} (\d+)$/m);
}

async function metric(process: SystemProcess, pattern: RegExp): Promise<number> {
  const [url] = await process.untilOutput(/http:\/\/127\.0\.0\.1:\d+/, 60_000);
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(pattern.exec(text)?.[1] ?? 0);
}
