import { type ApiConfig, type HttpConfig, readApi } from './api-config.js';
import type { ChainDefinition } from './chain-definition.js';
import { chainById } from './chains.js';
import * as settings from './settings.js';
import { EnvReader, type ReadVariable, variablesReadBy } from './variables.js';

type Env = Readonly<Record<string, string | undefined>>;

/** Blocks per eth_getLogs to begin with; providers' own limits are learned. */
const DEFAULT_BATCH_SIZE = 2_000;
/** Depth that counts as final for a chain that no list knows and whose node has no `finalized` tag (as indexers elsewhere take). */
const DEFAULT_CONFIRMATIONS = 64;
/** Some block times of every chain, and more than a broker or worker takes to be replaced. */
const DEFAULT_STALLED_AFTER_SECONDS = 60;
/** Chains that prove themselves to another one move finality in steps of up to an hour. */
const DEFAULT_FINALITY_STALLED_AFTER_SECONDS = 7_200;

/** Longer than any client is away that would not rather read a page; some 100 bytes for each commit. */
const DEFAULT_FEED_RETENTION_DAYS = 30;

export interface DatabaseConfig {
  readonly databaseUrl: string;
}
/** How a chain is asked by a command, which learns from its arguments which chain. */
export interface RpcConfig {
  readonly rpcUrls: readonly string[];
  /** Calls per second to each endpoint at most; null: no cap. */
  readonly rpcMaxRps: number | null;
  readonly batchSize: number;
}
interface BrokerConfig {
  readonly rabbitmqUrl: string;
  readonly queuePrefix: string;
}
export interface LogConfig {
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';
}
/** What holds where the environment says nothing, for a chain that isn't configured by it. */
export const defaultStallPatience = {
  stalledAfterMs: DEFAULT_STALLED_AFTER_SECONDS * 1_000,
  finalityStalledAfterMs: DEFAULT_FINALITY_STALLED_AFTER_SECONDS * 1_000,
};

/** One chain as its fetcher follows it. */
export interface ChainConfig {
  readonly chainId: number;
  readonly chainName: string;
  readonly rpcUrls: readonly string[];
  /** Calls per second to each endpoint at most; null: no cap. */
  readonly rpcMaxRps: number | null;
  /** Contracts, lower-case hex. */
  readonly addresses: readonly string[];
  /** Names of the event registry. */
  readonly events: readonly string[];
  readonly startBlock: number | 'latest';
  readonly batchSize: number;
  readonly pollingIntervalMs: number;
  /** Set: finality is head − this. */
  readonly confirmations: number | null;
  /** Depth to use when the node has no `finalized` tag. */
  readonly fallbackConfirmations: number;
  readonly bloomProvesAbsence: boolean;
  /** Without progress for this long, though there is something to store, the chain is stuck. */
  readonly stalledAfterMs: number;
  /** The same for the final block, while the head moves. */
  readonly finalityStalledAfterMs: number;
}

const readDatabase = (env: EnvReader): DatabaseConfig => ({
  databaseUrl: env.required(settings.databaseUrl),
});
const readBroker = (env: EnvReader): BrokerConfig => ({
  rabbitmqUrl: env.required(settings.rabbitmqUrl),
  queuePrefix: env.withDefault(settings.queuePrefix, 'event-monitor'),
});
const readLog = (env: EnvReader): LogConfig => ({ logLevel: env.withDefault(settings.logLevel, 'info') });
const readHealth = (env: EnvReader): HttpConfig => ({
  host: env.withDefault(settings.host, '127.0.0.1'),
  // not one fixed port: two fetchers on one host must not collide
  port: env.withDefault(settings.healthPort, 0),
  portVariable: settings.healthPort.name,
});
/** What every process on its own has. */
const readService = (env: EnvReader) => ({ ...readDatabase(env), ...readBroker(env), ...readLog(env) });

/** What every long-running process has. */
export type ServiceConfig = DatabaseConfig &
  BrokerConfig &
  LogConfig &
  HttpConfig & {
    /** A statement is ended after this time; unset: never. */
    readonly queryTimeoutMs?: number;
  };
export type FetcherConfig = ServiceConfig & ChainConfig;
export interface WorkerConfig extends ServiceConfig {
  /** With messages in hand and none stored for this long it isn't ready. */
  readonly stalledAfterMs: number;
  /** Null: the commit log is kept for ever. */
  readonly feedRetentionDays: number | null;
}

const readMigrate = (env: EnvReader): DatabaseConfig & LogConfig => ({
  ...readDatabase(env),
  ...readLog(env),
});
const readStalledAfterMs = (env: EnvReader): number =>
  env.withDefault(settings.stalledAfter, DEFAULT_STALLED_AFTER_SECONDS) * 1_000;
const readFeedRetention = (env: EnvReader): number | null => {
  const days = env.withDefault(settings.feedRetention, DEFAULT_FEED_RETENTION_DAYS);
  return days === 'forever' ? null : days;
};
const readWorker = (env: EnvReader): WorkerConfig => ({
  ...readService(env),
  ...readHealth(env),
  stalledAfterMs: readStalledAfterMs(env),
  feedRetentionDays: readFeedRetention(env),
});
const readApiProcess = (env: EnvReader): ServiceConfig & ApiConfig => ({
  ...readService(env),
  ...readApi(env),
});
const readFetcher = (env: EnvReader, knownEvents: readonly string[]): FetcherConfig => ({
  ...readChain(env, knownEvents),
  ...readService(env),
  ...readHealth(env),
});
const readLocal = (env: EnvReader, knownEvents: readonly string[], wantsChain: boolean) => ({
  ...readApi(env),
  databaseUrl: env.optional({ ...settings.databaseUrl, unset: 'its own Postgres' }) ?? null,
  rabbitmqUrl: env.optional({ ...settings.rabbitmqUrl, unset: 'queues in the process' }) ?? null,
  queuePrefix: env.withDefault(settings.queuePrefix, 'event-monitor'),
  dataDirectory: env.withDefault(settings.dataDirectory, '.data'),
  feedRetentionDays: readFeedRetention(env),
  logLevel: env.withDefault(settings.logLevel, 'warn' as const),
  chain: wantsChain ? readChain(env, knownEvents) : null,
});

/** What a command logs on stderr beside what it says on stdout. */
const readCommandLog = (env: EnvReader): LogConfig => ({
  logLevel: env.withDefault(settings.logLevel, 'warn' as const),
});
const readDeadLetters = (env: EnvReader) => ({ ...readBroker(env), ...readCommandLog(env) });
const readChainCommand = (env: EnvReader, chain: AskedChain): DatabaseConfig & LogConfig & RpcConfig => ({
  ...readDatabase(env),
  ...readCommandLog(env),
  rpcUrls: unique(chain.rpcUrls ?? env.required(settings.rpcUrls, chainById(chain.chainId)?.rpcUrls)),
  rpcMaxRps: env.optional(settings.rpcMaxRps) ?? null,
  batchSize: env.withDefault(settings.batchSize, DEFAULT_BATCH_SIZE),
});

/** The chain that a command is asked about, and the endpoints if they are given as an argument. */
interface AskedChain {
  readonly chainId: number;
  readonly rpcUrls?: readonly string[] | undefined;
}

/** Settings of `npm run dead-letters`. @throws ConfigError naming every bad variable. */
export function deadLettersConfig(env: Env): BrokerConfig & LogConfig {
  const reader = new EnvReader(env);
  return reader.finish(readDeadLetters(reader));
}

/** Settings of `npm run verify` and `npm run repair`. @throws ConfigError naming every bad variable. */
export function chainCommandConfig(env: Env, chain: AskedChain): DatabaseConfig & LogConfig & RpcConfig {
  const reader = new EnvReader(env);
  return reader.finish(readChainCommand(reader, chain));
}

/** Settings of `npm run migrate`. @throws ConfigError naming every bad variable. */
export function migrateConfig(env: Env): DatabaseConfig & LogConfig {
  const reader = new EnvReader(env);
  return reader.finish(readMigrate(reader));
}

/** Settings of a worker. @throws ConfigError naming every bad variable. */
export function workerConfig(env: Env): WorkerConfig {
  const reader = new EnvReader(env);
  return reader.finish(readWorker(reader));
}

/** Settings of the API. @throws ConfigError naming every bad variable. */
export function apiConfig(env: Env): ServiceConfig & ApiConfig {
  const reader = new EnvReader(env);
  return reader.finish(readApiProcess(reader));
}

/**
 * Settings of a fetcher.
 * @param knownEvents names of the event registry.
 * @throws ConfigError naming every bad variable.
 */
export function fetcherConfig(env: Env, knownEvents: readonly string[]): FetcherConfig {
  const reader = new EnvReader(env);
  return reader.finish(readFetcher(reader, knownEvents));
}

/** Settings of everything in one process; without CHAIN_ID and RPC_URLS it follows the simulated chain. @throws ConfigError */
export function localConfig(env: Env, knownEvents: readonly string[]) {
  const reader = new EnvReader(env);
  const wantsChain = ['RPC_URLS', 'CHAIN_ID'].some((name) => env[name]?.trim());
  return reader.finish(readLocal(reader, knownEvents, wantsChain));
}

/** The variables that a process reads, in order, for docs/configuration.md. */
export interface ProcessVariables {
  /** Name of its npm script. */
  readonly process: string;
  readonly variables: readonly ReadVariable[];
}

/** What each process reads, `start` last. @param knownEvents names of the event registry. */
export function processVariables(knownEvents: readonly string[]): ProcessVariables[] {
  const variablesOf = (process: string, read: (env: EnvReader) => unknown) => {
    return { process, variables: variablesReadBy(read) };
  };
  return [
    variablesOf('migrate', readMigrate),
    variablesOf('fetcher', (env) => readFetcher(env, knownEvents)),
    variablesOf('worker', readWorker),
    variablesOf('api', readApiProcess),
    variablesOf('verify', (env) => readChainCommand(env, { chainId: 0 })),
    variablesOf('repair', (env) => readChainCommand(env, { chainId: 0 })),
    variablesOf('dead-letters', readDeadLetters),
    variablesOf('start', (env) => readLocal(env, knownEvents, true)),
  ];
}

function readChain(reader: EnvReader, knownEvents: readonly string[]): ChainConfig {
  const id = reader.required(settings.chainId);
  const known: ChainDefinition | undefined = id === undefined ? undefined : chainById(id);
  const addresses =
    reader.optional(settings.contractAddresses) ??
    reader.optional(settings.contractAddress) ??
    (known && [known.contract]);
  if (id !== undefined && !addresses) reader.required(settings.contractAddresses);
  return {
    chainId: id,
    chainName: reader.withDefault(settings.chainName, known?.name ?? `Chain ${id}`),
    rpcUrls: unique(reader.required(settings.rpcUrls, id === undefined ? [] : known?.rpcUrls)),
    addresses: unique(addresses ?? []),
    events: unique(reader.withDefault(settings.eventNames(knownEvents), ['SocketBridge'])),
    startBlock: reader.required(settings.startBlock, id === undefined ? 0 : known?.startBlock),
    rpcMaxRps: reader.optional(settings.rpcMaxRps) ?? null,
    batchSize: reader.withDefault(settings.batchSize, DEFAULT_BATCH_SIZE),
    pollingIntervalMs: reader.withDefault(settings.pollingInterval, defaultPolling(known?.blockTimeMs)),
    confirmations: reader.optional(settings.confirmations) ?? null,
    fallbackConfirmations: known?.confirmations ?? DEFAULT_CONFIRMATIONS,
    bloomProvesAbsence: known?.bloomProvesAbsence ?? true,
    stalledAfterMs: readStalledAfterMs(reader),
    finalityStalledAfterMs:
      reader.withDefault(settings.finalityStalledAfter, DEFAULT_FINALITY_STALLED_AFTER_SECONDS) * 1_000,
  };
}

/** Twice per block, between 4 times a second and every 2 s: a public endpoint's rate limit is worth more than a second. */
function defaultPolling(blockTimeMs: number | undefined): number {
  return Math.min(2_000, Math.max(250, Math.round((blockTimeMs ?? 2_000) / 2)));
}

function unique<T>(values: readonly T[] | undefined): readonly T[] {
  return [...new Set(values ?? [])];
}
