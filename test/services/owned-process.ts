import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';

/** A running child, its process group's id, and a promise of its end. */
export interface OwnedProcess {
  readonly pid: number;
  readonly exited: Promise<void>;
  /** The last 20,000 characters it wrote to stdout and stderr. */
  output(): string;
  /** Signals the whole group; resolves when the child has ended. */
  end(signal: NodeJS.Signals): Promise<void>;
}

const KEPT_OUTPUT = 20_000;

/**
 * Starts a program in a process group of its own that can't outlive this process, whatever ends it (SIGKILL too).
 * @throws Error when the program can't be started.
 */
export async function spawnOwned(
  command: string,
  args: readonly string[],
  options: Pick<SpawnOptions, 'cwd' | 'env'> = {},
): Promise<OwnedProcess> {
  const child = spawn(command, args, { ...options, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  await started(child, command);
  const pid = child.pid!;
  const release = whenOrphaned(`kill -s KILL -- -${pid}`);
  let output = '';
  const keep = (chunk: Buffer) => {
    output = (output + chunk).slice(-KEPT_OUTPUT);
  };
  child.stdout!.on('data', keep);
  child.stderr!.on('data', keep);
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  // a reused process id must not be killed later
  void exited.then(release);
  return {
    pid,
    exited,
    output: () => output,
    async end(signal) {
      if (child.exitCode === null && child.signalCode === null) signalGroup(pid, signal);
      await exited;
    },
  };
}

/**
 * Runs a shell command when this process dies for any reason. The watchdog waits for the end of a pipe that only this process holds;
 * it sits in a group of its own, so that Ctrl-C doesn't reach it.
 * @returns a function that calls it off.
 */
export function whenOrphaned(command: string): () => void {
  const watchdog = spawn('/bin/sh', ['-c', `read -r word && exit; ${command}`], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  const pipe = watchdog.stdin!;
  pipe.on('error', () => {});
  watchdog.unref();
  (pipe as unknown as { unref(): void }).unref();
  return () => pipe.end('off\n');
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
