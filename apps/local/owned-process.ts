import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';

/** How a program is started; `uid` and `gid` only as root. */
export interface OwnedProcessOptions extends Pick<SpawnOptions, 'cwd' | 'env' | 'uid' | 'gid'> {
  /** Signal that the group gets when this process dies without having ended it; KILL follows 10 s later. Default KILL. */
  readonly orphanSignal?: 'INT' | 'KILL';
}

/** A running child that leads a process group of its own. */
export interface OwnedProcess {
  readonly pid: number;
  /** Resolves when the child has ended and its output is complete. */
  readonly exited: Promise<void>;
  /** The last 20,000 characters that it wrote to stdout and stderr, at last how it ended. */
  output(): string;
  /**
   * Resolves with the first match of `pattern` in the kept output.
   * @throws Error with the output when the child ends first, or says nothing like it within `patienceMs`.
   */
  untilOutput(pattern: RegExp, patienceMs: number): Promise<RegExpMatchArray>;
  /** Signals the whole group, unless the child has ended; resolves when it has. */
  end(signal: NodeJS.Signals): Promise<void>;
}

const KEPT_OUTPUT = 20_000;

/** A grandchild may hold the pipes open after the child's end; how long the rest of the output is waited for. */
const OUTPUT_PATIENCE_MS = 500;

/**
 * Starts a program that can't outlive this process, whatever ends it (SIGKILL too). It runs in a process group of its own: Ctrl-C
 * in the terminal doesn't reach it, so this process can end it in order.
 * @throws Error when the program can't be started.
 */
export async function spawnOwned(
  command: string,
  args: readonly string[],
  options: OwnedProcessOptions = {},
): Promise<OwnedProcess> {
  const { orphanSignal = 'KILL', ...spawnOptions } = options;
  const child = spawn(command, args, { ...spawnOptions, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  // in the same tick as the spawn: nothing that kills this process finds the child without its watchdog
  const release = child.pid ? whenOrphaned(endGroup(child.pid, orphanSignal)) : () => {};
  const kept = keepOutput(child);
  const exited = ended(child, kept.add);
  // a reused process id must not be killed later
  child.once('exit', release);
  await started(child, command);
  const pid = child.pid!;
  return {
    pid,
    exited,
    output: kept.text,
    untilOutput: (pattern, patienceMs) => untilMatch(pattern, patienceMs, { command, exited, ...kept }),
    async end(signal) {
      if (child.exitCode === null && child.signalCode === null) signalGroup(pid, signal);
      await exited;
    },
  };
}

/**
 * Runs a shell command when this process dies for any reason. A watchdog waits for the end of a pipe that only this process
 * holds; it leads a group of its own, so that Ctrl-C doesn't reach it.
 * @returns a function that calls it off.
 */
export function whenOrphaned(command: string): () => void {
  const watchdog = spawn('/bin/sh', ['-c', `read -r word && exit; ${command}`], {
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  const pipe = watchdog.stdin!;
  // the watchdog may be gone when it is called off
  pipe.on('error', () => {});
  watchdog.unref();
  (pipe as unknown as { unref(): void }).unref();
  return () => pipe.end('off\n');
}

/** dash knows `kill -s KILL -- -GROUP`, not `kill -KILL --`. */
function endGroup(pid: number, signal: 'INT' | 'KILL'): string {
  const send = (name: string) => `kill -s ${name} -- -${pid} 2>/dev/null`;
  if (signal === 'KILL') return send('KILL');
  return `${send(signal)}; n=0; while ${send('0')} && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done; ${send('KILL')}`;
}

function keepOutput(child: ChildProcess) {
  let text = '';
  const listeners = new Set<() => void>();
  const add = (chunk: Buffer | string) => {
    text = (text + chunk).slice(-KEPT_OUTPUT);
    for (const listener of listeners) listener();
  };
  child.stdout!.on('data', add);
  child.stderr!.on('data', add);
  return { add, text: () => text, listeners };
}

function ended(child: ChildProcess, add: (text: string) => void): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      const finish = () => {
        clearTimeout(timer);
        child.off('close', finish);
        add(signal ? `(ended by ${signal})\n` : `(ended with exit code ${code})\n`);
        resolve();
      };
      const timer = setTimeout(finish, OUTPUT_PATIENCE_MS);
      child.once('close', finish);
    });
  });
}

interface WatchedOutput {
  readonly command: string;
  readonly exited: Promise<void>;
  readonly text: () => string;
  readonly listeners: Set<() => void>;
}

async function untilMatch(
  pattern: RegExp,
  patienceMs: number,
  watched: WatchedOutput,
): Promise<RegExpMatchArray> {
  const { command, exited, text, listeners } = watched;
  let timer: NodeJS.Timeout | undefined;
  let look = () => {};
  try {
    return await new Promise((resolve, reject) => {
      const fail = (what: string) =>
        reject(new Error(`${command} ${what}. Its last output:\n${text().trim()}`));
      look = () => {
        const match = text().match(pattern);
        if (match) resolve(match);
      };
      listeners.add(look);
      void exited.then(() => fail('ended before it was ready'));
      timer = setTimeout(() => fail(`wasn't ready within ${patienceMs / 1000} s`), patienceMs);
      look();
    });
  } finally {
    clearTimeout(timer);
    listeners.delete(look);
  }
}

function started(child: ChildProcess, command: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (cause) =>
      reject(new Error(`${command} can't be started: ${cause.message}`, { cause })),
    );
  });
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
