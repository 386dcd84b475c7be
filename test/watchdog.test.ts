import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { RabbitMqNode } from './services/rabbitmq.js';
import { startRabbitMq } from './services/rabbitmq.js';
import type { ArrivedCall } from './services/recorded-rpc.js';
import { CHAIN_ID, GATEWAY, Simulation } from './services/simulation.js';
import type { SystemProcess } from './services/system.js';
import { until } from './services/until.js';
import { Wire } from './services/wire.js';

/** Less than a test's: it then says what is still wrong. */
const PATIENCE_MS = 40_000;

/** A running process and where it tells its health. */
interface Watched {
  readonly process: SystemProcess;
  readonly url: string;
}

async function readiness({ url }: Watched): Promise<{ status: number; body: string }> {
  const response = await fetch(`${url}/readyz`);
  return { status: response.status, body: await response.text() };
}

/** Waits until a process says that it isn't ready for this reason. */
async function untilUnready(watched: Watched, reason: RegExp): Promise<void> {
  await until(
    `readiness to say ${reason}`,
    async () => {
      const { status, body } = await readiness(watched);
      return status === 503 && reason.test(body) ? true : Promise.reject(new Error(body));
    },
    PATIENCE_MS,
  );
}

async function untilReady(watched: Watched): Promise<void> {
  await until(
    'readiness',
    async () => {
      const { status, body } = await readiness(watched);
      return status === 200 ? true : Promise.reject(new Error(body));
    },
    PATIENCE_MS,
  );
}

describe('a fetcher says in words why its chain does not progress, also in the status, and is ready by itself once it does', () => {
  let broker: RabbitMqNode;
  let postgres: Wire;
  let rabbitmq: Wire;
  let simulation: Simulation;
  let fetcher: Watched;
  let worker: Watched;
  let api: Watched;

  async function start(app: 'fetcher' | 'worker'): Promise<Watched> {
    const process = await simulation.system.start(app);
    const [, url] = await process.untilOutput(/metrics: (http:\/\/127\.0\.0\.1:\d+)/, 60_000);
    return { process, url: url! };
  }

  /** What the status query says of the chain. */
  async function status(): Promise<{ state: string; reason: string | null }> {
    const body = JSON.stringify({ query: `{ chain(id: ${CHAIN_ID}) { state reason } }` });
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${api.url}/graphql`, { method: 'POST', headers, body });
    return ((await response.json()) as { data: { chain: { state: string; reason: string | null } } }).data
      .chain;
  }

  async function untilStatus(state: string, reason: RegExp | null): Promise<void> {
    await until(
      `the status ${state} ${reason}`,
      async () => {
        const told = await status();
        const fits = told.state === state && (reason ? reason.test(told.reason ?? '') : true);
        return fits ? true : Promise.reject(new Error(JSON.stringify(told)));
      },
      PATIENCE_MS,
    );
  }

  /** The fetcher and the status say so; afterwards both say that all is well. */
  async function expectTold(reason: RegExp, state: string, mend: () => Promise<unknown> | unknown) {
    await untilUnready(fetcher, reason);
    await untilStatus(state, reason);
    await mend();
    await untilReady(fetcher);
    await untilStatus('following', null);
  }

  beforeAll(async () => {
    broker = await startRabbitMq();
    rabbitmq = await Wire.to(broker.url);
    postgres = await Wire.to(inject('postgresUrl'));
    simulation = await Simulation.start({
      seed: 'watchdog',
      head: 3_000,
      provider: { maxRange: 300 },
      postgresUrl: postgres.through(inject('postgresUrl')),
      rabbitmqUrl: rabbitmq.through(broker.url),
      env: { STALLED_AFTER_SECONDS: '3', FINALITY_STALLED_AFTER_SECONDS: '5' },
    });
    const { process, url } = await simulation.system.startApi();
    api = { process, url };
    fetcher = await start('fetcher');
    worker = await start('worker');
    await untilReady(fetcher);
  }, 120_000);

  afterAll(async () => {
    await postgres.mend();
    await simulation.stop();
    await rabbitmq.cut();
    await postgres.cut();
    await broker.stop();
  });

  test('no worker', async () => {
    await simulation.system.kill(worker.process);
    await expectTold(
      /no worker has stored a statement for \d+ s, \d+ wait: no worker consumes/,
      'stuck',
      async () => {
        worker = await start('worker');
      },
    );
  });

  test('a worker that hangs', async () => {
    process.kill(worker.process.pid, 'SIGSTOP');
    await expectTold(/no worker has stored .*: a worker consumes the queue and stores nothing/, 'stuck', () =>
      process.kill(worker.process.pid, 'SIGCONT'),
    );
  });

  test('RabbitMQ away', async () => {
    await rabbitmq.cut();
    await expectTold(/nothing can be published: RabbitMQ is not connected/, 'stuck', () => rabbitmq.mend());
    await untilReady(worker);
  });

  test('RabbitMQ that blocks publishers: no room on its disk', async () => {
    await broker.control('set_disk_free_limit', '9000GB');
    await expectTold(/nothing can be published: RabbitMQ takes no messages now: low on disk/, 'stuck', () =>
      broker.control('set_disk_free_limit', '50MB'),
    );
  });

  test('a queue that is full and refuses', async () => {
    await simulation.system.kill(worker.process);
    await broker.control('set_policy', 'full', '.*live.*', '{"max-length":1}', '--apply-to', 'queues');
    await expectTold(
      /nothing can be published: RabbitMQ didn't confirm a message for .*live/,
      'stuck',
      async () => {
        await broker.control('clear_policy', 'full');
        worker = await start('worker');
      },
    );
  });

  test('an RPC that answers errors', async () => {
    const { rpc } = simulation;
    const { answering } = rpc;
    rpc.answering = () => ({ status: 503, body: 'no backend' });
    await expectTold(/127\.0\.0\.1:\d+ .*HTTP 503/, 'unreachable', () => {
      rpc.answering = answering;
    });
  });

  test('a chain whose finality stands while its head moves', async () => {
    const { rpc, chain } = simulation;
    const { answering } = rpc;
    const final = `0x${chain.finalized.toString(16)}`;
    const standing = (call: ArrivedCall): ArrivedCall => ({
      ...call,
      params: call.params.map((param) => (param === 'finalized' ? final : param)),
    });
    rpc.answering = (request) =>
      answering(Array.isArray(request) ? request.map(standing) : standing(request));
    await expectTold(
      /waiting for finality: the final block stands at \d+ for \d+ s while the head moved/,
      'stuck',
      () => {
        rpc.answering = answering;
      },
    );
  });

  test('Postgres away, also for worker and API', async () => {
    await postgres.cut();
    for (const one of [fetcher, worker, api]) await untilUnready(one, /postgres: Postgres does not answer/);
    await postgres.mend();
    for (const one of [fetcher, worker, api]) await untilReady(one);
    await untilStatus('following', null);
  });

  test('history that is published and not stored, and the worker that can’t store it says so, too', async () => {
    const { system, rpc, chain } = simulation;
    await simulation.system.kill(fetcher.process);
    // all of the history is missing, and one of its rows is locked by somebody else
    const locker = new Client({ connectionString: system.databaseUrl });
    await locker.connect();
    await locker.query('begin');
    await locker.query(
      `select * from socket_bridge_event where block_number < ${chain.finalized - 1_000} limit 1 for update`,
    );
    await simulation.one(`update source set coverage = '{}' returning id`);
    fetcher = await start('fetcher');
    const asked = rpc.requests.length;
    await untilUnready(
      worker,
      /storing: history: \d+ messages wait and none was stored for \d+ s: .*lock timeout/,
    );
    await expectTold(/the history stands: \d+ published ranges, none of them stored for \d+ s/, 'stuck', () =>
      locker.end(),
    );
    await untilReady(worker);
    expect(rpc.requests.length).toBeGreaterThan(asked);
    expect(await simulation.expectTableEqualsChain(1, GATEWAY)).toBeGreaterThan(1_000);
  });
});
