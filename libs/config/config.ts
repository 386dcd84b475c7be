import type { ChainDefinition } from './chain-definition.js';
import { chainById } from './chains.js';
import { choice, EnvReader, listOf, text, url, type Variable, wholeNumber } from './variables.js';

type Env = Readonly<Record<string, string | undefined>>;

const MAX_SAFE = Number.MAX_SAFE_INTEGER;
const RPC_RULE = 'one or more URLs (http, https, ws or wss), separated by commas';

const databaseUrl = url('DATABASE_URL', ['postgresql', 'postgres'], 'Postgres database of the monitor.');
const rabbitmqUrl = url('RABBITMQ_URL', ['amqp', 'amqps'], 'RabbitMQ broker.');
const queuePrefix: Variable<string> = {
  ...text('QUEUE_PREFIX', 'Beginning of all queue and exchange names, for several monitors on one broker.'),
  rule: '1 to 60 letters, digits, dots, dashes or underscores',
  parse: (value) => (/^[\w.-]{1,60}$/.test(value) ? value : undefined),
};
const logLevel = choice(
  'LOG_LEVEL',
  ['trace', 'debug', 'info', 'warn', 'error', 'silent'],
  'How much the process says.',
);
const host = text('HOST', 'Address that the HTTP server listens on.');
const port = wholeNumber('PORT', 0, 65_535, "The API's port; 0 picks a free one.");
const corsOrigins = listOf(
  text(
    'CORS_ORIGINS',
    'Origins that browsers may call the API from; default: any page of this machine (localhost).',
  ),
  'origins such as https://example.org, separated by commas, or *',
);
const chainId = wholeNumber('CHAIN_ID', 1, MAX_SAFE, 'Chain to follow.');
const chainName = text('CHAIN_NAME', 'Readable name of the chain; default from the chain list.');
const rpcUrls = listOf(
  url('RPC_URLS', ['http', 'https', 'ws', 'wss'], 'RPC endpoints of the chain, the preferred one first.'),
  RPC_RULE,
);
const address: Variable<string> = {
  name: 'CONTRACT_ADDRESSES',
  description: 'Contracts to follow; default from the chain list.',
  rule: '0x and 40 hex digits',
  parse: (value) => (/^0x[0-9a-f]{40}$/i.test(value) ? value.toLowerCase() : undefined),
};
const contractAddresses = listOf(
  address,
  'addresses of 20 bytes (0x and 40 hex digits), separated by commas',
);
const contractAddress = { ...contractAddresses, name: 'CONTRACT_ADDRESS' };
const startBlock: Variable<number | 'latest'> = {
  name: 'START_BLOCK',
  description: 'First block that is wanted, or `latest` to begin with the newest final block.',
  rule: 'a block number, or latest',
  parse: (value) =>
    value.toLowerCase() === 'latest' ? 'latest' : wholeNumber('', 0, MAX_SAFE, '').parse(value),
};
const batchSize = wholeNumber('BATCH_SIZE', 1, 1_000_000, 'Blocks per eth_getLogs at most.');
const pollingInterval = wholeNumber(
  'POLLING_INTERVAL_MS',
  50,
  3_600_000,
  'Time between two looks at the head.',
);
const confirmations = wholeNumber(
  'CONFIRMATIONS',
  0,
  1_000_000,
  "If set, finality is head − this; else the node's `finalized` tag; else the chain list's depth.",
);

/** Blocks per eth_getLogs to begin with; providers' own limits are learned. */
const DEFAULT_BATCH_SIZE = 2_000;
/** Depth that counts as final for a chain that no list knows and whose node has no `finalized` tag (as indexers elsewhere take). */
const DEFAULT_CONFIRMATIONS = 64;

export interface DatabaseConfig {
  readonly databaseUrl: string;
}
export interface BrokerConfig {
  readonly rabbitmqUrl: string;
  readonly queuePrefix: string;
}
export interface LogConfig {
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';
}
export interface ApiConfig {
  readonly host: string;
  readonly port: number;
  /** Origins allowed by CORS; `localhost` means any page of this machine. */
  readonly corsOrigins: readonly string[] | 'localhost';
}

/** One chain as its fetcher follows it. */
export interface ChainConfig {
  readonly chainId: number;
  readonly chainName: string;
  readonly rpcUrls: readonly string[];
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
}

const readDatabase = (env: EnvReader): DatabaseConfig => ({ databaseUrl: env.required(databaseUrl) });
const readBroker = (env: EnvReader): BrokerConfig => ({
  rabbitmqUrl: env.required(rabbitmqUrl),
  queuePrefix: env.withDefault(queuePrefix, 'event-monitor'),
});
const readLog = (env: EnvReader): LogConfig => ({ logLevel: env.withDefault(logLevel, 'info') });
const readApi = (env: EnvReader): ApiConfig => {
  const origins = env.optional(corsOrigins);
  return {
    host: env.withDefault(host, '127.0.0.1'),
    port: env.withDefault(port, 4000),
    corsOrigins: origins ?? 'localhost',
  };
};

/** Settings of `npm run migrate`. @throws ConfigError naming every bad variable. */
export function migrateConfig(env: Env): DatabaseConfig & LogConfig {
  const reader = new EnvReader(env);
  return reader.finish({ ...readDatabase(reader), ...readLog(reader) });
}

/** Settings of a worker. @throws ConfigError naming every bad variable. */
export function workerConfig(env: Env): DatabaseConfig & BrokerConfig & LogConfig {
  const reader = new EnvReader(env);
  return reader.finish({ ...readDatabase(reader), ...readBroker(reader), ...readLog(reader) });
}

/** Settings of the API. @throws ConfigError naming every bad variable. */
export function apiConfig(env: Env): DatabaseConfig & BrokerConfig & LogConfig & ApiConfig {
  const reader = new EnvReader(env);
  return reader.finish({
    ...readDatabase(reader),
    ...readBroker(reader),
    ...readLog(reader),
    ...readApi(reader),
  });
}

/**
 * Settings of a fetcher.
 * @param knownEvents names of the event registry.
 * @throws ConfigError naming every bad variable.
 */
export function fetcherConfig(
  env: Env,
  knownEvents: readonly string[],
): DatabaseConfig & BrokerConfig & LogConfig & ChainConfig {
  const reader = new EnvReader(env);
  const config = {
    ...readDatabase(reader),
    ...readBroker(reader),
    ...readLog(reader),
    ...readChain(reader, knownEvents),
  };
  return reader.finish(config);
}

/** Settings of everything in one process; without RPC_URLS it follows the simulated chain. @throws ConfigError */
export function localConfig(env: Env, knownEvents: readonly string[]) {
  const reader = new EnvReader(env);
  const wantsChain = ['RPC_URLS', 'CHAIN_ID'].some((name) => env[name]?.trim());
  return reader.finish({
    databaseUrl: reader.optional(databaseUrl) ?? null,
    rabbitmqUrl: reader.optional(rabbitmqUrl) ?? null,
    queuePrefix: reader.withDefault(queuePrefix, 'event-monitor'),
    dataDirectory: reader.withDefault(text('DATA_DIR', 'Folder of the embedded database.'), '.data'),
    chain: wantsChain ? readChain(reader, knownEvents) : null,
    logLevel: reader.withDefault(logLevel, 'warn'),
    ...readApi(reader),
  });
}

function readChain(reader: EnvReader, knownEvents: readonly string[]): ChainConfig {
  const id = reader.required(chainId);
  const known: ChainDefinition | undefined = id === undefined ? undefined : chainById(id);
  const addresses =
    reader.optional(contractAddresses) ?? reader.optional(contractAddress) ?? (known && [known.contract]);
  if (id !== undefined && !addresses) reader.required(contractAddresses);
  return {
    chainId: id,
    chainName: reader.withDefault(chainName, known?.name ?? `Chain ${id}`),
    rpcUrls: unique(reader.required(rpcUrls, id === undefined ? [] : known?.rpcUrls)),
    addresses: unique(addresses ?? []),
    events: unique(reader.withDefault(eventNames(knownEvents), ['SocketBridge'])),
    startBlock: reader.required(startBlock, id === undefined ? 0 : known?.startBlock),
    batchSize: reader.withDefault(batchSize, DEFAULT_BATCH_SIZE),
    pollingIntervalMs: reader.withDefault(pollingInterval, defaultPolling(known?.blockTimeMs)),
    confirmations: reader.optional(confirmations) ?? null,
    fallbackConfirmations: known?.confirmations ?? DEFAULT_CONFIRMATIONS,
    bloomProvesAbsence: known?.bloomProvesAbsence ?? true,
  };
}

/** Twice per block, between 4 times a second and every 2 s: a public endpoint's rate limit is worth more than a second. */
function defaultPolling(blockTimeMs: number | undefined): number {
  return Math.min(2_000, Math.max(250, Math.round((blockTimeMs ?? 2_000) / 2)));
}

function eventNames(known: readonly string[]): Variable<readonly string[]> {
  const one: Variable<string> = {
    name: 'EVENTS',
    description: 'Events to follow, by their names in the registry.',
    rule: `one of ${known.join(', ')}`,
    parse: (value) => known.find((name) => name === value),
  };
  return listOf(one, `names of known events, separated by commas (known: ${known.join(', ')})`);
}

function unique<T>(values: readonly T[] | undefined): readonly T[] {
  return [...new Set(values ?? [])];
}
