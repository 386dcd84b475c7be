import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runningProcess } from './process-identity.js';

/** File in a claimed folder that names the process which works in it. */
const OWNER_FILE = 'owner.json';

interface Owner {
  readonly pid: number;
  readonly started: string;
}

/**
 * Claims a folder for this process. A claim of a process that is gone doesn't count, also when its id belongs to another by now.
 * @returns a function that gives the claim up.
 * @throws Error `already running (pid N)` when a living process holds it.
 */
export function claimFolder(dir: string): () => void {
  const file = join(dir, OWNER_FILE);
  const mine: Owner = { pid: process.pid, started: runningProcess(process.pid)?.started ?? 'unknown' };
  const draft = join(dir, `${OWNER_FILE}.${randomUUID()}`);
  writeFileSync(draft, `${JSON.stringify(mine)}\n`, { mode: 0o644 });
  try {
    // a link is made whole or not at all, and only one of two that try at once succeeds
    while (!linked(draft, file)) refuseIfAlive(file, dir);
  } finally {
    rmSync(draft, { force: true });
  }
  return () => rmSync(file, { force: true });
}

function linked(draft: string, file: string): boolean {
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Clears a dead owner's claim out of the way. */
function refuseIfAlive(file: string, dir: string): void {
  throwIfAlive(readOwner(file), dir);
  // two may clear the same dead claim: the slower one must not throw away what the faster one has put there since
  const aside = `${file}.${randomUUID()}`;
  try {
    renameSync(file, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  try {
    throwIfAlive(readOwner(aside), dir, () => linked(aside, file));
  } finally {
    rmSync(aside, { force: true });
  }
}

function throwIfAlive(owner: Owner | undefined, dir: string, restore = () => {}): void {
  if (!owner || runningProcess(owner.pid)?.started !== owner.started) return;
  restore();
  throw new Error(
    `Event Monitor is already running (pid ${owner.pid}) with its data in ${dir}: stop that one, or choose another folder.`,
  );
}

function readOwner(file: string): Owner | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Owner;
  } catch {
    return undefined;
  }
}
