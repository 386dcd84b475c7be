import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { spawnOwned } from '#apps/local/owned-process.js';
import { ask } from './services/graphql.js';
import { Subscriber } from './services/subscriber.js';
import { until } from './services/until.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const closing: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** What `npm start` runs, with data in a folder of the test's own and no service given. */
async function start(dataDirectory: string, env: Record<string, string> = {}) {
  const child = await spawnOwned(process.execPath, [`${root}dist/apps/local/main.js`], {
    cwd: root,
    env: { PATH: process.env.PATH, DATA_DIR: dataDirectory, PORT: '0', ...env },
  });
  closing.push(() => child.end('SIGKILL'));
  return child;
}

const untilUp = async (child: Awaited<ReturnType<typeof start>>) =>
  (await child.untilOutput(/(http:\/\/127\.0\.0\.1:\d+)\/status/, 90_000))[1]!;

/** A folder that isn't there yet: as root, Postgres's user could not enter a private one, and the data would go elsewhere. */
function folder(): string {
  const dir = join(tmpdir(), `event-monitor-start-${randomUUID()}`);
  closing.push(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** Command lines of processes that mention a folder, this test's own commands apart. */
function processesOf(dir: string): string[] {
  const all = execFileSync('ps', ['-eo', 'stat=,args=']).toString().split('\n');
  return all.filter((line) => line.includes(dir) && !line.startsWith('Z') && !line.includes('ps -eo'));
}

test('npm start needs no service: events are pushed to a subscriber, and stopping it leaves no process', async () => {
  const dir = folder();
  const child = await start(dir);
  const url = await untilUp(child);
  const subscriber = new Subscriber();
  await subscriber.connect(url);
  await until('events', () => subscriber.events.size > 100);
  await subscriber.disconnect();
  await child.end('SIGINT');
  expect(processesOf(dir)).toEqual([]);
}, 180_000);

test('after kill -9 the next start goes on with the same chain and the same data', async () => {
  const dir = folder();
  const first = await start(dir);
  const url = await untilUp(first);
  const count =
    '{ socketBridgeEvents(orderBy: [{field: blockNumber}], first: 1) { totalCount nodes { id } } chains { state } }';
  const read = async (api: string) => (await ask<Counted>(api, count)).data;
  await until(
    'the history to be stored',
    async () => (await read(url)).socketBridgeEvents.totalCount > 7_000,
  );
  const before = await read(url);
  await first.end('SIGKILL');
  const second = await start(dir);
  const again = await untilUp(second);
  const after = await until('the chain to be followed again', async () => {
    const state = await read(again);
    return state.chains[0]!.state === 'following' ? state : undefined;
  });
  expect(after.socketBridgeEvents.nodes).toEqual(before.socketBridgeEvents.nodes);
  expect(after.socketBridgeEvents.totalCount).toBeGreaterThanOrEqual(
    before.socketBridgeEvents.totalCount - 20,
  );
}, 180_000);

interface Counted {
  readonly socketBridgeEvents: { readonly totalCount: number; readonly nodes: { readonly id: string }[] };
  readonly chains: { readonly state: string }[];
}

test('a second start in the same folder is refused, naming the first', async () => {
  const dir = folder();
  const first = await start(dir);
  await untilUp(first);
  const second = await start(dir);
  await second.exited;
  expect(second.output()).toContain(String(first.pid));
}, 180_000);

test('bad settings are refused with exit code 2 and one message that names each', async () => {
  const child = await start(folder(), { CHAIN_ID: '1', RPC_URLS: 'nonsense', BATCH_SIZE: '0' });
  await child.exited;
  expect(child.output()).toMatch(/RPC_URLS: must be[\s\S]*BATCH_SIZE: must be/);
  expect(child.output()).not.toContain('    at ');
}, 60_000);
