import { isIP } from 'node:net';
import { choice, listOf, text, url, type Variable, wholeNumber } from './variables.js';

const MAX_SAFE = Number.MAX_SAFE_INTEGER;
const RPC_RULE = 'one or more URLs (http, https, ws or wss), separated by commas';

export const databaseUrl = url(
  'DATABASE_URL',
  ['postgresql', 'postgres'],
  'Postgres database of the monitor.',
);
export const rabbitmqUrl = url('RABBITMQ_URL', ['amqp', 'amqps'], 'RabbitMQ broker.');
export const queuePrefix: Variable<string> = {
  ...text('QUEUE_PREFIX', 'Beginning of all queue and exchange names, for several monitors on one broker.'),
  rule: '1 to 60 letters, digits, dots, dashes or underscores',
  parse: (value) => (/^[\w.-]{1,60}$/.test(value) ? value : undefined),
};
export const logLevel = choice(
  'LOG_LEVEL',
  ['trace', 'debug', 'info', 'warn', 'error', 'silent'],
  'How much the process says.',
);
export const host = text('HOST', 'Address that the HTTP server listens on.');
export const port = wholeNumber('PORT', 0, 65_535, "The API's port; 0 picks a free one.");
export const healthPort = wholeNumber(
  'HEALTH_PORT',
  0,
  65_535,
  'Port of /healthz, /readyz and /metrics; 0 picks a free one and says which.',
);
export const corsOrigins = {
  ...listOf(
    text('CORS_ORIGINS', 'Origins of web pages that may call the API.'),
    'origins such as https://example.org, separated by commas, or *',
  ),
  unset: 'pages of this machine (localhost)',
};
const apiKey: Variable<string> = {
  name: 'API_KEYS',
  description:
    'Keys that clients of the API must show, on HTTP, WebSocket, SSE and REST alike ([limits.md](limits.md)).',
  rule: '',
  secret: true,
  parse: (value) => (/^[\w.~+/=-]{16,200}$/.test(value) ? value : undefined),
};
export const apiKeys = {
  ...listOf(
    apiKey,
    'keys of 16 to 200 letters, digits or -._~+/=, separated by commas (make one by `openssl rand -hex 32`)',
  ),
  unset: 'no key is needed',
};
export const trustedProxies = {
  ...listOf(
    {
      name: 'TRUSTED_PROXIES',
      description:
        "Addresses of reverse proxies whose `X-Forwarded-For` tells the client's address, which limits are counted by.",
      rule: '',
      parse: proxyOf,
    },
    'addresses, networks such as 10.0.0.0/8, or loopback, linklocal, uniquelocal, separated by commas',
  ),
  unset: 'none: the address of the connection counts',
};
export const introspection = choice(
  'INTROSPECTION',
  ['on', 'off'],
  'Whether clients may read the GraphQL schema.',
);
export const graphiql = choice('GRAPHIQL', ['on', 'off'], 'Whether /graphql shows GraphiQL to browsers.');
export const queryTimeout = wholeNumber(
  'QUERY_TIMEOUT_MS',
  100,
  600_000,
  'A statement that the API asks the database is ended after this many milliseconds (`QUERY_TIMEOUT`).',
);
export const requestsPerSecond = wholeNumber(
  'REQUESTS_PER_SECOND',
  1,
  100_000,
  'Requests, and operations of WebSockets, of one client (a key, else an address) to one API process, as a mean over 10 s.',
);
export const maxConnections = wholeNumber(
  'MAX_CONNECTIONS',
  1,
  1_000_000,
  'Connections to one API process, WebSockets too.',
);
export const maxConnectionsPerClient = wholeNumber(
  'MAX_CONNECTIONS_PER_CLIENT',
  1,
  1_000_000,
  'The same, from one address (of IPv6 a network of 64 bits).',
);
export const maxSubscriptions = wholeNumber(
  'MAX_SUBSCRIPTIONS',
  1,
  1_000_000,
  'Subscriptions and event streams that are open on one API process.',
);
export const maxSubscriptionsPerClient = wholeNumber(
  'MAX_SUBSCRIPTIONS_PER_CLIENT',
  1,
  1_000_000,
  'The same, of one client (a key, else an address).',
);
export const stalledAfter = wholeNumber(
  'STALLED_AFTER_SECONDS',
  1,
  86_400,
  'A fetcher or worker is not ready once it has waited this long for progress though there is something to store.',
);
export const finalityStalledAfter = wholeNumber(
  'FINALITY_STALLED_AFTER_SECONDS',
  1,
  604_800,
  'A fetcher is not ready once the final block has stood still for this long though the head moved on.',
);
export const chainId = wholeNumber('CHAIN_ID', 1, MAX_SAFE, 'Chain to follow.');
export const chains: Variable<readonly number[]> = {
  ...listOf(
    wholeNumber(
      'CHAINS',
      1,
      MAX_SAFE,
      'Chains to follow in one process ([several-chains.md](several-chains.md)).',
    ),
    'chain ids, separated by commas',
  ),
  unset: 'the chain of `CHAIN_ID`',
};
const LISTED = 'from the chain list, else required';
export const chainName = {
  ...text('CHAIN_NAME', 'Readable name of the chain.'),
  fitsOneChain: () => true,
  unset: 'from the chain list, else "Chain" and its id',
};
export const rpcUrls = {
  ...listOf(
    url('RPC_URLS', ['http', 'https', 'ws', 'wss'], 'RPC endpoints of the chain, the preferred one first.'),
    RPC_RULE,
  ),
  fitsOneChain: () => true,
  unset: LISTED,
};
export const startBlock: Variable<number | 'latest'> = {
  name: 'START_BLOCK',
  description: 'First block that is wanted, or `latest` to begin with the newest final block.',
  rule: 'a block number, or latest',
  fitsOneChain: (value) => value !== 'latest',
  unset: LISTED,
  parse: (value) =>
    value.toLowerCase() === 'latest' ? 'latest' : wholeNumber('', 0, MAX_SAFE, '').parse(value),
};
export const rpcMaxRps: Variable<number> = {
  name: 'RPC_MAX_RPS',
  description:
    'Calls per second to each RPC endpoint at most, each call of a batch counted; news go before history.',
  rule: 'a number from 1 to 100000',
  unset: 'no cap',
  parse: (value) => {
    const number = /^\d{1,6}(\.\d{1,3})?$/.test(value) ? Number(value) : Number.NaN;
    return number >= 1 && number <= 100_000 ? number : undefined;
  },
};
export const batchSize = wholeNumber('BATCH_SIZE', 1, 1_000_000, 'Blocks per eth_getLogs at most.');
export const pollingInterval = {
  ...wholeNumber('POLLING_INTERVAL_MS', 50, 3_600_000, 'Milliseconds between two looks at the head.'),
  unset: 'half a block time, between 250 and 2000',
};
export const confirmations = {
  ...wholeNumber('CONFIRMATIONS', 0, 1_000_000, 'If set, the block this far below the head counts as final.'),
  unset: "the node's `finalized` tag; where it has none, the chain list's depth",
};
export const feedRetention: Variable<number | 'forever'> = {
  name: 'FEED_RETENTION_DAYS',
  description:
    'Days that the commit log is kept: a subscriber may come back with a cursor as old as that. Rows stay for ever.',
  rule: 'a whole number from 1 to 36500, or forever',
  parse: (value) =>
    value.toLowerCase() === 'forever' ? 'forever' : wholeNumber('', 1, 36_500, '').parse(value),
};
export const dataDirectory = text('DATA_DIR', 'Folder of the embedded database and the simulated chain.');

/** An address, a network, or a name that stands for some. */
function proxyOf(text: string): string | undefined {
  if (['loopback', 'linklocal', 'uniquelocal'].includes(text)) return text;
  const [address, bits, more] = text.split('/');
  const version = isIP(address!);
  if (!version || more !== undefined) return undefined;
  if (bits === undefined) return text;
  return /^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128) ? text : undefined;
}
