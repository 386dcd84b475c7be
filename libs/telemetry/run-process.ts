/**
 * Exit codes: 0 stopped by a signal, 1 failed, 2 bad configuration, arguments or wrong chain, 3 asked to stop and not done in
 * time, 130 ended by a second signal. A command has codes of its own for what it found (libs/service/command.ts).
 */
const EXIT_FAILED = 1;
const EXIT_REFUSED = 2;
const EXIT_UNFINISHED = 3;
const EXIT_SECOND_SIGNAL = 130;

/** Docker and Kubernetes kill after 10 s and 30 s; a process that hangs should say so before. */
const STOP_PATIENCE_MS = 9_500;

/** What is still open when all is closed (a connection that hangs, a request nobody waits for) may hold the process no longer than this. */
const LINGER_MS = 250;

/** Errors that say: the operator must change something first. They are shown without a stack. */
const REFUSALS = new Set(['ConfigError', 'WrongChain', 'FragmentRefused', 'NameTaken', 'UsageError']);

/**
 * Runs a process's main function until it returns; SIGINT and SIGTERM abort `stop`, a second one ends the process at once,
 * and so does time when the function hasn't returned by then (what it held goes back to the queues).
 * An error ends the process: a refusal (bad configuration, wrong chain) with its message only, anything else with its stack.
 * @param main a number that it returns is the exit code.
 */
export async function runProcess(main: (stop: AbortSignal) => Promise<unknown>): Promise<void> {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => (stop.signal.aborted ? process.exit(EXIT_SECOND_SIGNAL) : stop.abort()));
  }
  stop.signal.addEventListener('abort', () => setTimeout(endUnfinished, STOP_PATIENCE_MS).unref());
  try {
    const code = await main(stop.signal);
    end(typeof code === 'number' ? code : 0);
  } catch (error) {
    if (stop.signal.aborted && (error as Error).name === 'AbortError') return end(0);
    const refused = REFUSALS.has((error as Error).name);
    process.stderr.write(`${refused ? (error as Error).message : ((error as Error).stack ?? error)}\n`);
    process.exit(refused ? EXIT_REFUSED : EXIT_FAILED);
  }
}

function end(code: number): void {
  process.exitCode = code;
  setTimeout(() => process.exit(), LINGER_MS).unref();
}

function endUnfinished(): void {
  process.stderr.write(`not stopped after ${STOP_PATIENCE_MS / 1_000} s: ending\n`);
  process.exit(EXIT_UNFINISHED);
}

/** Resolves when the process is asked to stop. */
export function untilStopped(stop: AbortSignal): Promise<void> {
  if (stop.aborted) return Promise.resolve();
  return new Promise((resolve) => stop.addEventListener('abort', () => resolve(), { once: true }));
}

/**
 * The result of `work`, if it comes in time.
 * @param missing what is missing when it doesn't, e.g. `no answer`.
 * @throws Error `no answer within 2 s`, and whatever `work` throws.
 */
export async function within<T>(ms: number, missing: string, work: () => Promise<T> | T): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${missing} within ${ms / 1_000} s`)), ms);
  });
  try {
    return await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits, but not longer than until the process is asked to stop. */
export function pause(ms: number, stop?: AbortSignal): Promise<void> {
  if (stop?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      stop?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    stop?.addEventListener('abort', done, { once: true });
  });
}
