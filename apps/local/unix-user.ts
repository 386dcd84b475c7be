import { execFileSync, spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';

/** Whom a program runs as. */
export interface UnixUser {
  readonly uid: number;
  readonly gid: number;
}

/** The user made when the machine has no fitting one. */
const OWN_USER = 'event-monitor';

/**
 * Whom Postgres must run as, which refuses to run as root: undefined (as we are) for an ordinary user; for root the owner of the data
 * if there is some, else the user `postgres`, else a system user of our own, else `nobody`.
 * @param data the data folder, which may not exist yet.
 * @throws Error when root finds and makes none.
 */
export function postgresUser(data: string): UnixUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const user =
    ownerOf(data) ?? userNamed('postgres') ?? userNamed(OWN_USER) ?? createdUser() ?? userNamed('nobody');
  if (user) return user;
  throw new Error(
    'Postgres refuses to run as root, and there is no other user for it: the users postgres and nobody do not exist, ' +
      `and \`useradd --system ${OWN_USER}\` failed. Start Event Monitor as an ordinary user, create a user postgres, or set DATABASE_URL.`,
  );
}

/** Whether a user can read a file or enter a folder, through all its parents. Only the system itself knows (modes, groups, ACLs). */
export function canReach(user: UnixUser | undefined, path: string): boolean {
  const test = 'test -r "$1" && { test ! -d "$1" || test -x "$1"; }';
  return spawnSync('/bin/sh', ['-c', test, 'sh', path], { ...user, cwd: '/' }).status === 0;
}

function ownerOf(data: string): UnixUser | undefined {
  const stat = statSync(data, { throwIfNoEntry: false });
  return stat && stat.uid !== 0 ? { uid: stat.uid, gid: stat.gid } : undefined;
}

function userNamed(name: string): UnixUser | undefined {
  try {
    const id = (flag: string) =>
      Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: 'pipe' }));
    const user = { uid: id('-u'), gid: id('-g') };
    return user.uid > 0 && user.gid >= 0 ? user : undefined;
  } catch {
    return undefined;
  }
}

function createdUser(): UnixUser | undefined {
  const flags = [
    '--system',
    '--user-group',
    '--no-create-home',
    '--home-dir',
    '/nonexistent',
    '--shell',
    '/bin/false',
  ];
  spawnSync('useradd', [...flags, OWN_USER], { stdio: 'ignore' });
  return userNamed(OWN_USER);
}
