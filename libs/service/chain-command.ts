import { ChainClient } from '#libs/chain/chain-client.js';
import type { DatabaseConfig, LogConfig, RpcConfig } from '#libs/config/config.js';
import { Database } from '#libs/database/database.js';
import { databaseProblem } from '#libs/database/migrate.js';
import { createLogger } from '#libs/telemetry/logger.js';
import { DatabaseUnavailable } from './command.js';

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
