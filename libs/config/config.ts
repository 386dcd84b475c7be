import { type ApiConfig, type HttpConfig, readApi } from './api-config.js';
import {
  type ChainConfig,
  DEFAULT_BATCH_SIZE,
  isChainSet,
  type OwnChain,
  readChains,
  readOwnChain,
  readStalledAfterMs,
  unique,
} from './chain-config.js';
import type { EventSyntax } from './chain-sources.js';
import { chainById } from './chains.js';
import * as settings from './settings.js';
import { EnvReader, type ReadVariable, variablesReadBy } from './variables.js';

type Env = Readonly<Record<string, string | undefined>>;

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
/** Settings of `npm run derive`; `rpc` is null where the chain isn't asked. */
type DeriveConfig = DatabaseConfig & LogConfig & { readonly rpc: (LogConfig & RpcConfig) | null };

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
export interface FetcherConfig extends ServiceConfig {
  /** One at least. */
  readonly chains: readonly ChainConfig[];
}
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
const readFetcher = (env: EnvReader, syntax: EventSyntax): FetcherConfig => ({
  chains: readChains(env, syntax),
  ...readService(env),
  ...readHealth(env),
});
const readLocal = (env: EnvReader, syntax: EventSyntax, own: OwnChain | null) => ({
  ...readApi(env),
  databaseUrl: env.optional({ ...settings.databaseUrl, unset: 'its own Postgres' }) ?? null,
  rabbitmqUrl: env.optional({ ...settings.rabbitmqUrl, unset: 'queues in the process' }) ?? null,
  queuePrefix: env.withDefault(settings.queuePrefix, 'event-monitor'),
  dataDirectory: env.withDefault(settings.dataDirectory, '.data'),
  feedRetentionDays: readFeedRetention(env),
  logLevel: env.withDefault(settings.logLevel, 'warn' as const),
  stalledAfterMs: readStalledAfterMs(env),
  chains: own === null ? readChains(env, syntax) : [],
  /** Followed instead, once it has endpoints. */
  ownChain: own === null ? null : readOwnChain(env, syntax, own),
});

/** What a command logs on stderr beside what it says on stdout. */
const readCommandLog = (env: EnvReader): LogConfig => ({
  logLevel: env.withDefault(settings.logLevel, 'warn' as const),
});
/** Only columns from the chain ask it, and then of one chain. */
const readDerive = (env: EnvReader, chain: AskedChain | null): DeriveConfig => ({
  ...readDatabase(env),
  ...readCommandLog(env),
  rpc: chain && readChainCommand(env, chain),
});
const readDeadLetters = (env: EnvReader) => ({ ...readBroker(env), ...readCommandLog(env) });
const readChainCommand = (env: EnvReader, asked: AskedChain): DatabaseConfig & LogConfig & RpcConfig => {
  const chain = env.ofChain({ id: asked.chainId, alone: true });
  return {
    ...readDatabase(env),
    ...readCommandLog(env),
    rpcUrls: unique(asked.rpcUrls ?? chain.required(settings.rpcUrls, chainById(asked.chainId)?.rpcUrls)),
    rpcMaxRps: chain.optional(settings.rpcMaxRps) ?? null,
    batchSize: chain.withDefault(settings.batchSize, DEFAULT_BATCH_SIZE),
  };
};

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

/**
 * Settings of `npm run derive`.
 * @param chain the chain that is asked; null: none is.
 * @throws ConfigError naming every bad variable.
 */
export function deriveConfig(env: Env, chain: AskedChain | null): DeriveConfig {
  const reader = new EnvReader(env);
  return reader.finish(readDerive(reader, chain));
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
 * @param syntax how events are written.
 * @throws ConfigError naming every bad variable.
 */
export function fetcherConfig(env: Env, syntax: EventSyntax): FetcherConfig {
  const reader = new EnvReader(env);
  return reader.finish(readFetcher(reader, syntax));
}

/**
 * Settings of everything in one process; without CHAIN_ID, CHAINS and RPC_URLS it follows the simulated chain.
 * @param syntax how events are written. @param own the chain that it brings along. @throws ConfigError
 */
export function localConfig(env: Env, syntax: EventSyntax, own: OwnChain) {
  const reader = new EnvReader(env);
  return reader.finish(readLocal(reader, syntax, isChainSet(env) ? null : own));
}

/** The variables that a process reads, in order, for docs/configuration.md. */
export interface ProcessVariables {
  /** Name of its npm script. */
  readonly process: string;
  readonly variables: readonly ReadVariable[];
}

/** What each process reads, `start` last. @param syntax how events are written. */
export function processVariables(syntax: EventSyntax): ProcessVariables[] {
  const variablesOf = (process: string, read: (env: EnvReader) => unknown) => {
    return { process, variables: variablesReadBy(read) };
  };
  return [
    variablesOf('migrate', readMigrate),
    variablesOf('fetcher', (env) => readFetcher(env, syntax)),
    variablesOf('worker', readWorker),
    variablesOf('api', readApiProcess),
    variablesOf('verify', (env) => readChainCommand(env, { chainId: 0 })),
    variablesOf('repair', (env) => readChainCommand(env, { chainId: 0 })),
    variablesOf('derive', (env) => readDerive(env, { chainId: 0 })),
    variablesOf('dead-letters', readDeadLetters),
    variablesOf('start', (env) => readLocal(env, syntax, null)),
  ];
}
