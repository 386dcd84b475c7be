import { afterEach, describe, expect, inject, test } from 'vitest';
import { Simulation } from './services/simulation.js';
import type { SystemProcess } from './services/system.js';
import { Wire } from './services/wire.js';

/** What an orchestrator grants between SIGTERM and SIGKILL by default. */
const GRANTED_MS = 10_000;
const closing: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A fetcher and a worker in the middle of a long history, behind ways to their servers that can fail. */
async function busy(seed: string) {
  const [postgres, rabbitmq] = await Promise.all([
    Wire.to(inject('postgresUrl')),
    Wire.to(inject('rabbitmqUrl')),
  ]);
  const simulation = await Simulation.start({ seed, head: 200_000, provider: { maxRange: 100 } });
  closing.push(
    () => simulation.stop(),
    () => Promise.all([postgres.mend(), rabbitmq.mend()]),
  );
  const env = {
    DATABASE_URL: postgres.through(simulation.system.databaseUrl),
    RABBITMQ_URL: rabbitmq.through(inject('rabbitmqUrl')),
  };
  const { system } = simulation;
  return { simulation, postgres, rabbitmq, start: (app: 'fetcher' | 'worker') => system.start(app, env) };
}

/** Signals the processes and waits for their end. @returns how each ended, and after how long. */
async function stop(processes: readonly SystemProcess[], signal: NodeJS.Signals): Promise<string[]> {
  const since = performance.now();
  return Promise.all(
    processes.map(async (process) => {
      await process.end(signal);
      const ms = performance.now() - since;
      console.info(`ended after ${(ms / 1_000).toFixed(1)} s`);
      const [how] = /\(ended [^)]*\)/.exec(process.output()) ?? [process.output()];
      return ms < GRANTED_MS ? how : `${how} after ${ms} ms: ${process.output()}`;
    }),
  );
}

const WELL = '(ended with exit code 0)';
type Busy = Awaited<ReturnType<typeof busy>>;

describe('a fetcher and a worker in the middle of a history end with code 0 within 10 s when they are asked to', () => {
  const troubles: [string, (parts: Busy) => void | Promise<void>][] = [
    ['while Postgres is away', ({ postgres }) => postgres.cut()],
    ['while Postgres hangs', ({ postgres }) => postgres.hold()],
    ['while RabbitMQ is away', ({ rabbitmq }) => rabbitmq.cut()],
    [
      'while RabbitMQ and the RPC hang',
      ({ rabbitmq, simulation }) => {
        rabbitmq.hold();
        simulation.rpc.answering = () => null;
      },
    ],
  ];

  test.each(troubles)(
    '%s',
    async (name, trouble) => {
      const parts = await busy(name);
      const processes = await Promise.all([parts.start('fetcher'), parts.start('worker')]);
      await parts.simulation.untilRows(200);
      await trouble(parts);
      await parts.simulation.chain.mine();
      expect(await stop(processes, 'SIGTERM')).toEqual([WELL, WELL]);
    },
    120_000,
  );
});

test('processes that wait for Postgres or RabbitMQ at their start end with code 0 when they are asked to', async () => {
  const { postgres, rabbitmq, start } = await busy('waiting');
  await rabbitmq.cut();
  const forBroker = await Promise.all([start('fetcher'), start('worker')]);
  await Promise.all(
    forBroker.map((process) => process.untilOutput(/RabbitMQ at \S+ is tried again/, 60_000)),
  );
  await postgres.hold();
  const forDatabase = await Promise.all([start('fetcher'), start('worker')]);
  await Promise.all(forDatabase.map((process) => process.untilOutput(/health, readiness/, 60_000)));
  const ends = await stop([...forBroker, ...forDatabase], 'SIGTERM');
  expect(ends).toEqual([WELL, WELL, WELL, WELL]);
}, 120_000);

test('a second signal ends a process at once, with code 130', async () => {
  const { simulation, postgres, start } = await busy('second signal');
  const fetcher = await start('fetcher');
  const worker = await start('worker');
  await simulation.untilRows(200);
  postgres.hold();
  const ended = stop([worker, fetcher], 'SIGTERM');
  await Promise.all([worker.end('SIGINT'), fetcher.end('SIGINT')]);
  expect(await ended).toEqual(['(ended with exit code 130)', '(ended with exit code 130)']);
}, 120_000);

test('nothing is lost when a busy fetcher and worker are stopped and started, again and again', async () => {
  const simulation = await Simulation.start({
    seed: 'handed over',
    head: 25_000,
    provider: { maxRange: 300 },
  });
  closing.push(() => simulation.stop());
  const { system } = simulation;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const processes = await Promise.all([system.start('fetcher'), system.start('worker')]);
    await simulation.untilRows((await simulation.rows()) + 300);
    expect(await stop(processes, signal)).toEqual([WELL, WELL]);
  }
  await Promise.all([system.start('fetcher'), system.start('worker')]);
  await simulation.expectTableEqualsChain();
}, 180_000);
