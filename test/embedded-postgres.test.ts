import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '#apps/local/embedded-postgres.js';
import { postgresBinaries } from '#apps/local/postgres-binaries.js';
import { fromPs, runningProcess } from '#apps/local/process-identity.js';

/** A kill must have its effect before the watchdog's patience (10 s) ends. */
const soon = { timeout: 20_000, interval: 20 };

/** What `npm test` has built: a process that is to be killed runs the program as people run it. */
const built = new URL('../dist/apps/local/embedded-postgres.js', import.meta.url).href;

const isRoot = process.getuid?.() === 0;

let dir: string;

beforeEach(() => {
  dir = join(tmpdir(), `event-monitor-test-${randomUUID()}`);
});

afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

async function start(options: { port?: number; in?: string } = {}): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({
    dir: options.in ?? dir,
    port: options.port,
    settings: { fsync: 'off' },
  });
  onTestFinished(() => server.stop('immediate'));
  return server;
}

async function query(server: { url: string }, statement: string): Promise<unknown[][]> {
  const client = new Client({ connectionString: server.url });
  await client.connect();
  try {
    return (await client.query<unknown[]>({ text: statement, rowMode: 'array' })).rows;
  } finally {
    await client.end();
  }
}

/** Another process that starts Postgres on the folder and stays; it leads a process group, and SIGINT doesn't end it. */
function startElsewhere(): ChildProcess {
  const program = `
    import { startEmbeddedPostgres } from ${JSON.stringify(built)};
    process.on('SIGINT', () => {});
    const { url, pid } = await startEmbeddedPostgres({ dir: ${JSON.stringify(dir)}, settings: { fsync: 'off' } });
    console.log(JSON.stringify({ url, pid }));
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

async function firstLine(child: ChildProcess): Promise<{ url: string; pid: number }> {
  for await (const line of createInterface({ input: child.stdout! })) return JSON.parse(line);
  throw new Error('the other process ended without a word');
}

async function kill(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

/** A program that isn't Postgres, run as the user whom Postgres would see. */
async function strangerAsOwnerOf(path: string): Promise<number> {
  const { uid, gid } = statSync(path);
  const stranger = spawn('/bin/sh', ['-c', 'echo up; read -r word'], {
    cwd: '/',
    stdio: ['pipe', 'pipe', 'inherit'],
    ...(isRoot && { uid, gid }),
  });
  onTestFinished(() => void stranger.kill('SIGKILL'));
  await once(stranger.stdout, 'data');
  return stranger.pid!;
}

/** A stopped cluster with a table `kept` of one row. */
async function stoppedCluster(): Promise<{ cluster: string; url: string; port: number }> {
  const server = await start();
  await query(server, 'create table kept as select 42 as answer');
  await server.stop();
  return { cluster: join(dir, 'cluster'), url: server.url, port: server.port };
}

describe('the embedded Postgres', () => {
  test('keeps its data and its password between starts, the password from other users', async () => {
    const first = await start();
    await query(first, 'create table kept as select 42 as answer');
    await first.stop();
    expect(statSync(join(dir, 'password')).mode & 0o777).toBe(0o600);
    const second = await start();
    expect(await query(second, 'select answer from kept')).toEqual([[42]]);
    expect(new URL(second.url).password).toBe(new URL(first.url).password);
    await expect(query({ url: second.url.replace(/:[^:@]+@/, ':wrong@') }, 'select 1')).rejects.toThrow(
      'password',
    );
  });

  test('listens on 127.0.0.1 only, and opens no socket file', async () => {
    const server = await start();
    expect(await query(server, 'show listen_addresses')).toEqual([['127.0.0.1']]);
    expect(await query(server, 'show unix_socket_directories')).toEqual([['']]);
  });

  test('keeps what was committed before an immediate stop', async () => {
    const server = await start();
    await query(server, 'create table kept as select 42 as answer');
    await server.stop('immediate');
    expect(await query(await start(), 'select answer from kept')).toEqual([[42]]);
  });

  test('tells its last words when it ends by itself, and gives the folder back', async () => {
    const server = await start();
    process.kill(server.pid, 'SIGQUIT');
    expect(await server.exited).toContain('immediate shutdown');
    await server.stop();
    expect(await query(await start(), 'select 1')).toEqual([[1]]);
  });

  test('says so when the wanted port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void other.close());
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    await expect(start({ port })).rejects.toThrow(`Port ${port} on 127.0.0.1 is taken`);
    expect(await query(await start(), 'select 1')).toEqual([[1]]);
  });

  test('names platform, package and alternative where there are no binaries', async () => {
    await expect(postgresBinaries(undefined, 'sunos-x64')).rejects.toThrow(/for sunos-x64.*DATABASE_URL/);
    const absent = process.platform === 'linux' ? 'darwin-arm64' : 'linux-arm64';
    const words = new RegExp(`for ${absent} is missing.*@embedded-postgres/${absent}.*DATABASE_URL`);
    await expect(postgresBinaries(undefined, absent)).rejects.toThrow(words);
  });
});

describe('a kill', () => {
  test('of the owning process ends its Postgres, too', async () => {
    const owner = startElsewhere();
    const { pid } = await firstLine(owner);
    await kill(owner);
    await vi.waitFor(() => expect(runningProcess(pid)).toBeUndefined(), soon);
    expect(await query(await start(), 'select 1')).toEqual([[1]]);
  });

  test('in the middle of initdb leaves nothing that stops the next start', async () => {
    const owner = startElsewhere();
    const drafts = () =>
      existsSync(dir) ? readdirSync(dir).filter((entry) => entry.startsWith('cluster.')) : [];
    await vi.waitFor(
      () => expect(drafts().map((draft) => existsSync(join(dir, draft, 'PG_VERSION')))).toEqual([true]),
      soon,
    );
    await kill(owner);
    expect(existsSync(join(dir, 'cluster'))).toBe(false);
    expect(await query(await start(), 'select 1')).toEqual([[1]]);
    expect(drafts()).toEqual([]);
  });

  test('of the owner and its watchdog leaves an orphan that the next start ends', async () => {
    const { cluster, url, port } = await stoppedCluster();
    const { uid, gid } = statSync(cluster);
    const { postgres } = await postgresBinaries(isRoot ? { uid, gid } : undefined);
    const flags = [
      '-D',
      cluster,
      '-p',
      String(port),
      '-c',
      'listen_addresses=127.0.0.1',
      '-c',
      'unix_socket_directories=',
    ];
    const options = { detached: true, cwd: '/', ...(isRoot && { uid, gid }) };
    const orphan = spawn(postgres, flags, { ...options, stdio: 'ignore' });
    onTestFinished(() => void orphan.kill('SIGKILL'));
    const gone = once(orphan, 'exit');
    await vi.waitFor(() => query({ url }, 'select 1'), soon);
    expect(await query(await start(), 'select answer from kept')).toEqual([[42]]);
    await gone;
  });

  test('of Postgres itself leaves a lock file that stops nothing, also when its process id is another program’s by now', async () => {
    const { cluster } = await stoppedCluster();
    const lockFile = join(cluster, 'postmaster.pid');
    const pid = await strangerAsOwnerOf(cluster);
    const server = await start();
    const lines = readFileSync(lockFile, 'utf8').split('\n');
    process.kill(server.pid, 'SIGKILL');
    await server.exited;
    writeFileSync(lockFile, [pid, ...lines.slice(1)].join('\n'));
    expect(await query(await start(), 'select answer from kept')).toEqual([[42]]);
    expect(runningProcess(pid)).toBeDefined();
  });
});

test('Ctrl-C in the terminal reaches the owner, not its Postgres', async () => {
  const owner = startElsewhere();
  const server = await firstLine(owner);
  process.kill(-owner.pid!, 'SIGINT');
  expect(await query(server, 'select pg_backend_pid() > 0')).toEqual([[true]]);
  expect(runningProcess(server.pid)).toBeDefined();
});

describe('a folder', () => {
  test('with a living owner is refused to a second one, who learns its pid', async () => {
    const owner = startElsewhere();
    const server = await firstLine(owner);
    await expect(start()).rejects.toThrow(`already running (pid ${owner.pid})`);
    expect(await query(server, 'select 1')).toEqual([[1]]);
  });

  test('goes to one of two that start at once', async () => {
    const both = await Promise.allSettled([start(), start()]);
    expect(both.map((result) => result.status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  test('whose dead owner’s process id belongs to another program is free', async () => {
    mkdirSync(dir);
    const pid = await strangerAsOwnerOf(dir);
    writeFileSync(join(dir, 'owner.json'), JSON.stringify({ pid, started: 'long ago' }));
    expect(await query(await start(), 'select 1')).toEqual([[1]]);
  });

  test.runIf(isRoot)(
    'that Postgres’s user can’t enter is replaced by one that it can, the same each time',
    async () => {
      mkdirSync(dir);
      chmodSync(dir, 0o700);
      const inside = join(dir, 'data');
      const first = await start({ in: inside });
      onTestFinished(() => rmSync(first.dir, { recursive: true, force: true }));
      expect(first.dir).not.toBe(inside);
      await query(first, 'create table kept as select 42 as answer');
      await first.stop();
      const second = await start({ in: inside });
      expect(second.dir).toBe(first.dir);
      expect(await query(second, 'select answer from kept')).toEqual([[42]]);
      await second.stop();
    },
  );
});

test('ps and /proc tell the same of a process', () => {
  const byPs = fromPs(process.pid);
  expect(byPs?.command).toContain('node');
  expect(byPs?.command).toBe(
    process.platform === 'linux' ? runningProcess(process.pid)?.command : byPs?.command,
  );
  expect(fromPs(2 ** 22 + 1)).toBeUndefined();
  expect(runningProcess(2 ** 22 + 1)).toBeUndefined();
});
