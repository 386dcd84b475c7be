import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { rpcUrls } from '#libs/config/settings.js';
import { runProcess } from '#libs/telemetry/run-process.js';

/** What a command ends with. 2 is a refusal (bad arguments or settings, an RPC of another chain), as of every process. */
export const exitCode = {
  /** All is as it should be. */
  well: 0,
  /** It found something wrong, and it still is. */
  found: 1,
  /** A signal stopped it before it was done. */
  stopped: 3,
  /** It could not do its work: something that it needs is away. */
  unable: 4,
} as const;

type ExitCode = (typeof exitCode)[keyof typeof exitCode];

/** The arguments can't be used. `message` says what is wrong, and how the command is called. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  constructor(problem: string, usage: string) {
    super(`${problem}\n\n${usage}`);
  }
}

/** What is away comes back: no stack helps. */
const AWAY = new Set(['RpcUnavailable', 'BrokerUnavailable', 'DatabaseUnavailable', 'FinalityTakenBack']);

/** The database, or its schema, is not there. */
export class DatabaseUnavailable extends Error {
  override readonly name = 'DatabaseUnavailable';
}

/** Runs a command until it is done or a signal stops it. @param work returns the exit code. */
export function runCommand(work: (stop: AbortSignal) => Promise<ExitCode>): Promise<void> {
  return runProcess(async (stop) => {
    try {
      return await work(stop);
    } catch (error) {
      const { name, message, stack } = error as Error;
      if (stop.aborted) {
        process.stderr.write('stopped before it was done\n');
        return exitCode.stopped;
      }
      if (['ConfigError', 'UsageError', 'WrongChain'].includes(name)) throw error;
      process.stderr.write(`${AWAY.has(name) ? message : (stack ?? message)}\n`);
      return exitCode.unable;
    }
  });
}

/** Reads arguments by their declaration. @throws UsageError at the first one that doesn't fit. */
export function readArguments<T extends ParseArgsOptionsConfig>(
  args: readonly string[],
  options: T,
  usage: string,
  { positionals = false } = {},
) {
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: positionals });
  } catch (error) {
    throw new UsageError((error as Error).message, usage);
  }
}

/** A whole number from 0 on. @throws UsageError */
export function wholeNumberOf(name: string, text: string, usage: string): number {
  const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(number)) return number;
  throw new UsageError(`${name} must be a whole number, ${JSON.stringify(text.slice(0, 80))} is not`, usage);
}

/** The endpoints that an argument names; their text may hold a key and is never shown. @throws UsageError */
export function rpcUrlsOf(text: string | undefined, usage: string): readonly string[] | undefined {
  if (text === undefined) return undefined;
  const urls = rpcUrls.parse(text);
  if (urls) return urls;
  throw new UsageError(`--rpc must be ${rpcUrls.rule}; what was given is not`, usage);
}

/** The chain that is asked about: `--chain`, else CHAIN_ID. @throws UsageError */
export function chainIdOf(text: string | undefined, env: NodeJS.ProcessEnv, usage: string): number {
  const given = text ?? env.CHAIN_ID?.trim();
  if (!given) throw new UsageError('--chain is required: the id of a chain, e.g. --chain 1', usage);
  return wholeNumberOf(text === undefined ? 'CHAIN_ID' : '--chain', given, usage);
}
