import { randomBytes, randomUUID } from 'node:crypto';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { spawnOwned } from './owned-process.js';
import { runningProcess } from './process-identity.js';
import type { UnixUser } from './unix-user.js';

/** Postgres's superuser in a cluster of ours. */
export const SUPERUSER = 'event_monitor';

/** In German or Turkish Postgres would be ready in other words. */
export const POSTGRES_ENV = { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' };

const INITDB_PATIENCE_MS = 120_000;

/** How long an orphan may take for each, gentler first, before the next. */
const ORPHAN_PATIENCE_MS = 10_000;

/** Where a folder of ours keeps Postgres's data. */
export function clusterIn(home: string): string {
  return join(home, 'cluster');
}

/**
 * Makes sure that `home` holds a cluster (PostgreSQL's word for a data folder) and its password, a file beside it with mode 0600.
 * @param options.sync false for data that may be lost with the machine: a second faster.
 * @returns the superuser's password.
 * @throws Error when initdb fails, or the password of an existing cluster is gone.
 */
export async function ensureCluster(
  home: string,
  options: { initdb: string; user: UnixUser | undefined; sync: boolean },
): Promise<string> {
  const passwordFile = join(home, 'password');
  if (existsSync(clusterIn(home))) return readPassword(passwordFile, home);
  removeDrafts(home);
  const password = randomBytes(16).toString('hex');
  rmSync(passwordFile, { force: true });
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  // a draft that takes its name when it is whole: a kill in the middle leaves nothing that the next start takes for a cluster
  const draft = `${clusterIn(home)}.${randomUUID()}`;
  mkdirSync(draft, { mode: 0o700 });
  if (options.user)
    for (const path of [passwordFile, draft]) chownSync(path, options.user.uid, options.user.gid);
  await runInitdb(draft, passwordFile, options);
  renameSync(draft, clusterIn(home));
  return password;
}

function readPassword(file: string, home: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new Error(
      `${home} holds a database, but its password file ${file} can't be read (${(cause as Error).message}): ` +
        'start as the user who made it, put the file back, or remove the folder to begin anew.',
      { cause },
    );
  }
}

/** What kills during initdb left behind. */
function removeDrafts(home: string): void {
  const drafts = readdirSync(home).filter((entry) => entry.startsWith('cluster.'));
  for (const entry of drafts) rmSync(join(home, entry), { recursive: true, force: true, maxRetries: 3 });
}

async function runInitdb(
  draft: string,
  passwordFile: string,
  options: { initdb: string; user: UnixUser | undefined; sync: boolean },
): Promise<void> {
  const { initdb, user, sync } = options;
  const settings = ['--auth=scram-sha-256', '--encoding=UTF8', '--locale=C', ...(sync ? [] : ['--no-sync'])];
  const args = ['-D', draft, '-U', SUPERUSER, `--pwfile=${passwordFile}`, ...settings];
  const run = await spawnOwned(initdb, args, { ...user, cwd: '/', env: POSTGRES_ENV });
  try {
    await run.untilOutput(/Success\. You can now start/, INITDB_PATIENCE_MS);
    await run.exited;
  } catch (error) {
    await run.end('SIGKILL');
    throw error;
  }
}

/**
 * Ends the Postgres that a killed run left on this cluster, and makes sure that a lock file whose process id belongs to another
 * program by now doesn't stop the next start.
 * @throws Error when the orphan can't be ended.
 */
export async function endOrphan(cluster: string): Promise<void> {
  const lockFile = join(cluster, 'postmaster.pid');
  const lines = readLockFile(lockFile);
  const pid = Number(lines[0]);
  if (!isPostgresOn(pid, cluster)) return disownLockFile(lockFile, lines);
  // fast, immediate, and what nothing withstands
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    process.kill(pid, signal);
    const deadline = Date.now() + ORPHAN_PATIENCE_MS;
    while (Date.now() < deadline) {
      if (!isPostgresOn(pid, cluster)) return disownLockFile(lockFile, readLockFile(lockFile));
      await delay(20);
    }
  }
  throw new Error(
    `A Postgres of an earlier run (pid ${pid}) still works on ${cluster} and doesn't end: end it, then start again.`,
  );
}

function readLockFile(lockFile: string): string[] {
  return existsSync(lockFile) ? readFileSync(lockFile, 'utf8').split('\n') : [];
}

function isPostgresOn(pid: number, cluster: string): boolean {
  const command = runningProcess(pid)?.command ?? '';
  return command.includes('postgres') && command.includes(` -D ${cluster} `);
}

/**
 * Postgres refuses to start while the lock file's process id is taken, whoever has it, except by its own parent. So the id becomes
 * ours. Removing the file would also remove its other check: that no server process of the old one still has the shared memory.
 */
function disownLockFile(lockFile: string, lines: string[]): void {
  if (lines.length === 0) return;
  writeFileSync(lockFile, [String(process.pid), ...lines.slice(1)].join('\n'));
}
