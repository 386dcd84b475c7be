import { afterEach, expect, inject, test } from 'vitest';
import { HealthServer } from '#libs/telemetry/health-server.js';
import { createDatabase } from './services/postgres.js';
import { query } from './services/query.js';
import { CHAIN_ID, Simulation } from './services/simulation.js';
import type { SystemProcess } from './services/system.js';
import { until } from './services/until.js';

const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function text(url: string): Promise<{ status: number; body: string }> {
  const response = await fetch(url);
  return { status: response.status, body: await response.text() };
}

/** Value of one series, or undefined when there is none. */
function series(metrics: string, name: string): number | undefined {
  const line = metrics.split('\n').find((one) => one.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length + 1));
}

async function healthUrl(child: SystemProcess): Promise<string> {
  const [, url] = await child.untilOutput(/metrics: (http:\/\/127\.0\.0\.1:\d+)/, 60_000);
  return url!;
}

/** A system over a chain that grows no more by itself. */
async function startSystem(env: Record<string, string> = {}): Promise<Simulation> {
  const simulation = await Simulation.start({ seed: 'health', head: 600, env });
  closing.push(() => simulation.stop());
  simulation.miner.stop();
  return simulation;
}

test('readiness says in words what is wrong, and takes a check that hangs for a failed one', async () => {
  const health = await HealthServer.listen({ host: '127.0.0.1', port: 0, portVariable: 'HEALTH_PORT' });
  closing.push(() => health.close());
  expect(await text(`${health.url}/readyz`)).toEqual({ status: 200, body: 'ready\n' });
  health.check('water', () => 'the pipe is broken');
  health.check('light', () => null);
  health.check('heat', () => Promise.reject(new Error('no fuel')));
  const undo = health.check('door', () => new Promise(() => {}));
  const { status, body } = await text(`${health.url}/readyz`);
  expect(status).toBe(503);
  expect(body).toBe('not ready\nwater: the pipe is broken\nheat: no fuel\ndoor: no answer within 2 s\n');
  undo();
  expect((await text(`${health.url}/readyz`)).body).not.toMatch(/door/);
  expect(await text(`${health.url}/healthz`)).toEqual({ status: 200, body: 'alive\n' });
  expect((await text(`${health.url}/else`)).status).toBe(404);
});

test('a taken health port is told with the variable to change', async () => {
  const options = { host: '127.0.0.1', port: 0, portVariable: 'HEALTH_PORT' };
  const health = await HealthServer.listen(options);
  closing.push(() => health.close());
  const port = Number(new URL(health.url).port);
  await expect(HealthServer.listen({ ...options, port })).rejects.toThrow(/set HEALTH_PORT/);
});

test('each process tells its health, its readiness and its numbers, and the numbers are those of the tables', async () => {
  const { chain, system } = await startSystem();
  const worker = await healthUrl(await system.start('worker'));
  const fetcher = await healthUrl(await system.start('fetcher'));
  const standby = await healthUrl(await system.start('fetcher'));
  const { url: api } = await system.startApi();
  await system.untilCovered(CHAIN_ID, 1, () => chain.head);
  for (const url of [worker, fetcher, standby, api]) {
    await until(`${url} to be ready`, async () => (await text(`${url}/readyz`)).status === 200);
    expect((await text(`${url}/healthz`)).status).toBe(200);
  }
  chain.reorg({ depth: 3, newHead: chain.head + 1 });
  await system.untilCovered(CHAIN_ID, 1, () => chain.head);
  const rows = await query<{ added: string; removed: string }>(
    system.databaseUrl,
    'select sum(rows_added) as added, sum(rows_removed) as removed from feed_commit',
  );
  const stored = (await text(`${worker}/metrics`)).body;
  const event = `chain_id="${CHAIN_ID}",event="SocketBridge"`;
  expect(series(stored, `event_monitor_events_stored_total{${event}}`)).toBe(Number(rows[0]!.added));
  expect(series(stored, `event_monitor_events_removed_total{${event}}`) ?? 0).toBe(Number(rows[0]!.removed));
  expect(series(stored, 'event_monitor_queue_messages{queue="dead"}')).toBe(0);
  const chainLabel = `{chain_id="${CHAIN_ID}"}`;
  expect(series(stored, `event_monitor_block_to_commit_seconds_count${chainLabel}`)).toBeGreaterThan(0);
  const both = await Promise.all([fetcher, standby].map(async (url) => (await text(`${url}/metrics`)).body));
  const leading = both.map((body) => series(body, `event_monitor_leading${chainLabel}`));
  expect(leading.toSorted()).toEqual([0, 1]);
  const leader = both[leading.indexOf(1)]!;
  expect(series(leader, `event_monitor_reorgs_total${chainLabel}`)).toBe(1);
  expect(series(leader, `event_monitor_reorg_depth_blocks_sum${chainLabel}`)).toBe(3);
  const following = `event_monitor_chain_state{chain_id="${CHAIN_ID}",state="following"}`;
  // a leader says its state every 2 s
  const seen = await until('the state to be told', async () => {
    const { body } = await text(`${api}/metrics`);
    return series(body, following) === 1 && body;
  });
  expect(series(seen, `event_monitor_last_processed_block${chainLabel}`)).toBe(chain.head);
  expect(series(seen, `event_monitor_backfill_progress_ratio${chainLabel}`)).toBe(1);
  expect(series(seen, 'event_monitor_process_resident_memory_bytes')).toBeGreaterThan(1e7);
}, 120_000);

test('a fetcher whose RPC is away is alive and not ready, names host and reason, and keeps the key of the URL to itself', async () => {
  const { system } = await startSystem({ RPC_URLS: 'http://127.0.0.1:1/v3/secretsecretsecret' });
  const child = await system.start('fetcher');
  const fetcher = await healthUrl(child);
  const { body } = await until('the reason', async () => {
    const ready = await text(`${fetcher}/readyz`);
    return ready.body.includes('unreachable') ? ready : undefined;
  });
  expect(body).toMatch(new RegExp(`chain ${CHAIN_ID}: unreachable: 127\\.0\\.0\\.1:1 .*can't be reached`));
  expect((await text(`${fetcher}/healthz`)).status).toBe(200);
  const metrics = (await text(`${fetcher}/metrics`)).body;
  const [row] = await query<{ endpoints: unknown; state: string }>(
    system.databaseUrl,
    'select endpoints, state from chain',
  );
  expect(row).toMatchObject({ state: 'unreachable', endpoints: [{ host: '127.0.0.1:1', healthy: false }] });
  expect(`${body}${metrics}${JSON.stringify(row)}`).not.toMatch(/secret/);
}, 60_000);

test('an API answers before there is a schema or a broker, and says what it waits for', async () => {
  const { system } = await startSystem();
  const { url } = await system.startApi({
    RABBITMQ_URL: 'amqp://127.0.0.1:1',
    DATABASE_URL: 'postgresql://nobody:hidden@127.0.0.1:1/none',
  });
  expect((await text(`${url}/healthz`)).status).toBe(200);
  const { status, body } = await text(`${url}/readyz`);
  expect({ status, body }).toEqual({
    status: 503,
    body: expect.stringMatching(/^not ready\npostgres: Postgres does not answer/),
  });
  expect(body).not.toMatch(/hidden|nobody/);
}, 60_000);

test('a database without its schema is told once, with the command that makes it', async () => {
  const { system } = await startSystem();
  const { url, drop } = await createDatabase(inject('postgresUrl'));
  const worker = await healthUrl(await system.start('worker', { DATABASE_URL: url }));
  const { body } = await until('the reason', async () => {
    const ready = await text(`${worker}/readyz`);
    return ready.body.includes('migrations') ? ready : undefined;
  });
  expect(body.match(/npm run migrate/g)).toHaveLength(1);
  await system.stop();
  await drop();
}, 60_000);
