import { ChainClient, RpcUnavailable } from '#libs/chain/chain-client.js';
import type { DatabaseConfig, LogConfig, RpcConfig } from '#libs/config/config.js';
import { Database } from '#libs/database/database.js';
import { databaseProblem } from '#libs/database/migrate.js';
import { createLogger } from '#libs/telemetry/logger.js';
import type { ProgressLine } from '#libs/telemetry/progress-line.js';
import { pause } from '#libs/telemetry/run-process.js';
import { DatabaseUnavailable } from './command.js';

/** Waits between tries while no endpoint answers, doubling; then the command gives up. */
const RETRY_MS = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000];

/** What a command about a chain works with. */
export interface ChainCommandParts {
  readonly database: Database;
  readonly client: ChainClient;
  close(): Promise<void>;
}

/** Opens the database for a command. @throws DatabaseUnavailable when it doesn't answer or lacks migrations. */
export async function openCommandDatabase(
  { databaseUrl }: DatabaseConfig,
  options: { readonly poolSize: number; readonly mayLoseCommits?: boolean },
): Promise<Database> {
  const database = Database.open(databaseUrl, options);
  const problem = await databaseProblem(database);
  if (problem) {
    await database.close();
    throw new DatabaseUnavailable(problem);
  }
  await database.events.load(database.statements);
  return database;
}

/** A client of the chain's endpoints for a command, closed when it is stopped; its log goes to stderr. */
export function openCommandClient(
  component: string,
  chainId: number,
  config: LogConfig & RpcConfig,
  stop: AbortSignal,
): ChainClient {
  const client = new ChainClient({
    chainId,
    urls: config.rpcUrls,
    batchSize: config.batchSize,
    limits: { maxRps: config.rpcMaxRps },
    logger: createLogger(component, config.logLevel, 'stderr'),
  });
  // an endpoint that hangs must not hold the stop up
  stop.addEventListener('abort', () => client.close(), { once: true });
  return client;
}

/**
 * Opens the database and the chain's endpoints for a command; its log goes to stderr.
 * @throws DatabaseUnavailable when the database doesn't answer or lacks migrations.
 */
export async function openChainCommand(
  component: string,
  chainId: number,
  config: DatabaseConfig & LogConfig & RpcConfig,
  stop: AbortSignal,
): Promise<ChainCommandParts> {
  const database = await openCommandDatabase(config, { poolSize: 2 });
  const client = openCommandClient(component, chainId, config, stop);
  const close = async () => {
    client.close();
    await database.close();
  };
  return { database, client, close };
}

/**
 * Asks the chain, and waits while no endpoint answers; the progress line says so.
 * @param isHopeless whether waiting is of no use.
 * @throws RpcUnavailable when none answers for a minute and a half, or waiting is of no use; AbortError on `stop`.
 */
export async function whenAnswered<T>(
  { progress, stop }: { readonly progress: ProgressLine; readonly stop: AbortSignal },
  ask: () => Promise<T>,
  isHopeless: (error: RpcUnavailable) => boolean = () => false,
): Promise<T> {
  for (const wait of [...RETRY_MS, null]) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof RpcUnavailable) || wait === null || isHopeless(error)) throw error;
      progress.show(`waiting: ${error.message}`);
      await pause(wait, stop);
      stop.throwIfAborted();
    }
  }
  throw new Error('unreachable');
}
