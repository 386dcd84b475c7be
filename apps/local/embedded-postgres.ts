import { createHash } from 'node:crypto';
import { accessSync, chmodSync, constants, mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { claimFolder } from './folder-claim.js';
import { type OwnedProcess, spawnOwned } from './owned-process.js';
import { makeSharedFolder, postgresBinaries, SHARED_FOLDER } from './postgres-binaries.js';
import { clusterIn, endOrphan, ensureCluster, POSTGRES_ENV, SUPERUSER } from './postgres-cluster.js';
import { canReach, postgresUser, type UnixUser } from './unix-user.js';

export interface EmbeddedPostgresOptions {
  /** Folder for data, password and lock, kept between starts; made when it isn't there. */
  readonly dir: string;
  /** Port on 127.0.0.1; a free one by default. */
  readonly port?: number;
  /** Server settings (postgresql.conf), such as `{ max_connections: '200' }`. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface EmbeddedPostgres {
  /** `postgresql://user:password@127.0.0.1:port/postgres`, as superuser. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Where the data is: `dir`, or a folder that Postgres's user can reach, when we are root and it can't reach `dir`. */
  readonly dir: string;
  /** Resolves when the server has ended, for whatever reason, with its last output. */
  readonly exited: Promise<string>;
  /** `fast` (default) ends sessions and writes everything down; `immediate` is a crash that the next start recovers from. */
  stop(mode?: 'fast' | 'immediate'): Promise<void>;
}

/** Recovery after a crash reads the write-ahead log again; with the default settings it is at most a few GB. */
const START_PATIENCE_MS = 300_000;

/** A fast shutdown takes 0.1 s and a checkpoint; what takes longer hangs. */
const STOP_PATIENCE_MS = 30_000;

/** How long a start is tried again that another program's port or a killed server's leftovers stopped. */
const RETRY_PATIENCE_MS = 10_000;

/**
 * Starts the Postgres of the optional npm package for this platform: no installation, TCP on 127.0.0.1 only. It ends with this process,
 * also when that is killed, and not by Ctrl-C, so that this process can end it last.
 * @throws Error that says what to do: no package for the platform, folder in use, port taken, start failed (with the server's words).
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const home = makeHome(resolve(options.dir));
  const release = claimFolder(home);
  try {
    const cluster = clusterIn(home);
    const user = postgresUser(cluster);
    const binaries = await postgresBinaries(user);
    await endOrphan(cluster);
    const sync = options.settings?.fsync !== 'off';
    const password = await ensureCluster(home, { initdb: binaries.initdb, user, sync });
    const { server, port } = await startServer({ postgres: binaries.postgres, cluster, user }, options);
    // a server that ends by itself gives the folder back, too
    const exited = server.exited.then(() => {
      release();
      return server.output();
    });
    return {
      url: `postgresql://${SUPERUSER}:${password}@127.0.0.1:${port}/postgres`,
      port,
      pid: server.pid,
      dir: home,
      exited,
      async stop(mode = 'fast') {
        await endServer(server, mode);
        await exited;
      },
    };
  } catch (error) {
    release();
    throw error;
  }
}

/** Makes our folder; another one, always the same for `dir`, when Postgres's user can't get there (a checkout in root's private home). */
function makeHome(dir: string): string {
  const user = postgresUser(clusterIn(dir));
  makeFolder(dir);
  if (!user || canReach(user, dir)) return dir;
  makeSharedFolder();
  const name = createHash('sha256').update(dir).digest('hex').slice(0, 16);
  const home = join(SHARED_FOLDER, `data-${name}`);
  makeFolder(home);
  if (canReach(user, home)) return home;
  throw new Error(
    `Postgres must run as user id ${user.uid}, who can enter neither ${dir} nor ${home}: ` +
      'choose a folder that this user can reach, or set DATABASE_URL.',
  );
}

/** A folder that was there already keeps its mode: it is somebody's decision. */
function makeFolder(dir: string): void {
  try {
    if (mkdirSync(dir, { recursive: true })) chmodSync(dir, 0o755);
    accessSync(dir, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new Error(
      `The folder ${dir} for the embedded Postgres can't be made or written (${(cause as Error).message}): ` +
        'start as the user who owns it, choose another folder, or set DATABASE_URL.',
      { cause },
    );
  }
}

interface Installed {
  readonly postgres: string;
  readonly cluster: string;
  readonly user: UnixUser | undefined;
}

async function startServer(installed: Installed, options: EmbeddedPostgresOptions) {
  const deadline = Date.now() + RETRY_PATIENCE_MS;
  while (true) {
    const port = options.port ?? (await freePort());
    const server = await spawnServer(installed, port, options.settings ?? {});
    const failure = await failureOf(server);
    if (!failure) return { server, port };
    const portTaken = /Address already in use/.test(server.output());
    if (portTaken && options.port) {
      throw new Error(`Port ${port} on 127.0.0.1 is taken: choose another one for Postgres.`, {
        cause: failure,
      });
    }
    // the last server processes of a killed server hold its shared memory until they notice
    const leftovers = /shared memory block .* is still in use/.test(server.output());
    if (!(portTaken || leftovers) || Date.now() > deadline) throw failure;
    await delay(100);
    await endOrphan(installed.cluster);
  }
}

async function failureOf(server: OwnedProcess): Promise<Error | undefined> {
  try {
    await server.untilOutput(/database system is ready to accept connections/, START_PATIENCE_MS);
    return undefined;
  } catch (error) {
    await server.end('SIGKILL');
    return error as Error;
  }
}

function spawnServer(
  installed: Installed,
  port: number,
  settings: Readonly<Record<string, string>>,
): Promise<OwnedProcess> {
  const all = { listen_addresses: '127.0.0.1', unix_socket_directories: '', ...settings };
  const flags = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  return spawnOwned(installed.postgres, ['-D', installed.cluster, '-p', String(port), ...flags], {
    ...installed.user,
    cwd: '/',
    env: POSTGRES_ENV,
    orphanSignal: 'INT',
  });
}

/** Postgres calls SIGINT a fast shutdown and SIGQUIT an immediate one. */
async function endServer(server: OwnedProcess, mode: 'fast' | 'immediate'): Promise<void> {
  const tooLong = setTimeout(() => void server.end('SIGQUIT'), STOP_PATIENCE_MS);
  const far = setTimeout(() => void server.end('SIGKILL'), 2 * STOP_PATIENCE_MS);
  await server.end(mode === 'fast' ? 'SIGINT' : 'SIGQUIT');
  clearTimeout(tooLong);
  clearTimeout(far);
}

function freePort(): Promise<number> {
  return new Promise((settle, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => settle(port));
    });
  });
}
