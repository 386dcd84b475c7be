import { ROWS_PER_PAGE } from '#apps/api/feed/changes-reader.js';
import { limits } from '#apps/api/limits/limits.js';
import { DEFAULT_QUERY_TIMEOUT_MS, defaultApiLimits } from '#libs/config/api-config.js';
import { httpTimeouts } from '#libs/telemetry/health-server.js';

const seconds = (ms: number) => `${ms / 1_000} s`;
const thousands = (n: number) => n.toLocaleString('en').replaceAll(',', ' ');

type Row = readonly [limit: string, number: string, told: string, setting: string];

/** What a query may be. */
const queryRows: readonly Row[] = [
  ['characters of a query', thousands(limits.queryCharacters), '`QUERY_TOO_LONG`', ''],
  ['tokens of a query (words, numbers, brackets)', thousands(limits.queryTokens), '`TOO_MANY_TOKENS`', ''],
  ['levels of fields', String(limits.queryDepth), '`QUERY_TOO_DEEP`', ''],
  ['aliases', String(limits.queryAliases), '`TOO_MANY_ALIASES`', ''],
  ['fields of the answer, if every page is full', thousands(limits.queryCost), '`QUERY_TOO_EXPENSIVE`', ''],
  ['lists within lists of introspection', '2', '`GRAPHQL_VALIDATION_FAILED`', '`INTROSPECTION`'],
  [
    'rows of a page (`first`, `last`), changes of a message (`batchSize`)',
    thousands(limits.pageMax),
    '`BAD_USER_INPUT`',
    '',
  ],
  ['values of one `in` or `notIn`', thousands(limits.listMax), '`BAD_USER_INPUT`', ''],
  ['levels of `and`, `or`, `not`', String(limits.whereDepth), '`BAD_USER_INPUT`', ''],
  [
    'one statement of the database',
    seconds(DEFAULT_QUERY_TIMEOUT_MS),
    '`QUERY_TIMEOUT`',
    '`QUERY_TIMEOUT_MS`',
  ],
  [
    `pages, exports, totals and statistics of one client that are read at a time: ${limits.readsPerClient}; of all: ${limits.readsTotal}; of one client that wait`,
    String(limits.readsWaiting),
    '`TOO_MANY_READS`',
    '',
  ],
];

/** What a request and a connection may be. */
const requestRows: readonly Row[] = [
  ['bytes of a body', thousands(limits.bodyBytes), '413 `REQUEST_ENTITY_TOO_LARGE`', ''],
  ['characters of a URL', thousands(limits.urlCharacters), '414 `URI_TOO_LONG`', ''],
  ['bytes of all headers', thousands(httpTimeouts.maxHeaderSize), '431', ''],
  ['time to send the headers', seconds(httpTimeouts.headersTimeout), '408', ''],
  ['time to send a request', seconds(httpTimeouts.requestTimeout), '408', ''],
  ['time in which nothing moves on a connection', seconds(httpTimeouts.idleTimeout), 'cut', ''],
  [
    `requests of a client in ${limits.rateWindowSeconds} s`,
    thousands(defaultApiLimits.requestsPerSecond * limits.rateWindowSeconds),
    '429 `RATE_LIMITED`, `Retry-After`',
    '`REQUESTS_PER_SECOND`',
  ],
  [
    'connections of an address',
    thousands(defaultApiLimits.maxConnectionsPerClient),
    '429 `TOO_MANY_CONNECTIONS`',
    '`MAX_CONNECTIONS_PER_CLIENT`',
  ],
  [
    'connections',
    thousands(defaultApiLimits.maxConnections),
    '429 `TOO_MANY_CONNECTIONS`; a flood is cut',
    '`MAX_CONNECTIONS`',
  ],
  [
    'subscriptions of a client',
    thousands(defaultApiLimits.maxSubscriptionsPerClient),
    '429 `TOO_MANY_SUBSCRIPTIONS`',
    '`MAX_SUBSCRIPTIONS_PER_CLIENT`',
  ],
  [
    'subscriptions',
    thousands(defaultApiLimits.maxSubscriptions),
    '429 `TOO_MANY_SUBSCRIPTIONS`',
    '`MAX_SUBSCRIPTIONS`',
  ],
];

/** What a WebSocket may do. */
const socketRows: readonly Row[] = [
  ['time until `connection_init`', seconds(limits.connectionInitMs), 'close 4408', ''],
  ['operations that run on it', String(limits.operationsPerSocket), '`TOO_MANY_SUBSCRIPTIONS`', ''],
  [
    `messages that it sends in ${limits.rateWindowSeconds} s`,
    thousands(limits.messagesPerSocket),
    'close 1008',
    '',
  ],
  ['bytes of a message', thousands(limits.bodyBytes), 'close 1009', ''],
  [
    'bytes that it was sent and has not read: above it nothing more is read from it',
    thousands(limits.unreadBytes),
    `cut after ${seconds(limits.unreadMs)}`,
    '',
  ],
];

function table(rows: readonly Row[]): string {
  const all = [['limit', 'at most', 'told as', 'setting'], ['---', '---', '---', '---'], ...rows];
  return all.map((row) => `| ${row.join(' | ')} |`).join('\n');
}

/** docs/limits.md, with the numbers that the code has. */
export function limitsPage(): string {
  return `# Limits, keys and errors

The API bounds everything that a client can ask for, so that no client stops another. Every refusal says what was found, what is allowed and what to do, and has a code in \`extensions.code\`
(REST: \`error.code\`). The numbers hold for each API process; settings are in [configuration.md](configuration.md).

## Who a client is

With \`API_KEYS\` set, a client is its key; else, and for what needs no key, its address (of IPv6 the network of 64 bits). \`X-Forwarded-For\` counts only where the connection comes from one of \`TRUSTED_PROXIES\`:
set it when the API stands behind a proxy, or all clients share one proxy's limits. Connections are counted by address in any case, those of trusted proxies only in total.

## Queries

The same over HTTP, SSE and WebSocket. A query that breaks a rule is not executed.

${table(queryRows)}

The cost of a query is the number of fields its answer would have: a field counts 1; what a field with \`first\`, \`last\` or \`batchSize\` selects counts as often as it says (${limits.pageDefault} where it says nothing), what another list selects ${limits.listLength} times.
Aliases don't make it cheaper. Introspection costs nothing.

Only what the last row names takes turns at the database. Not so:

| what | is bounded by |
| --- | --- |
| one event by its id, \`chains\` and \`chain\`: a few small statements each | requests and the cost of a query |
| what a subscription or stream that begins in the past (\`since\`, \`Last-Event-ID\`) has to catch up with | the number of subscriptions; each reads ${ROWS_PER_PAGE} rows at a time, and no faster than its client takes them |

Many that catch up at once therefore slow down everybody's reads: with 150 streams of one client that began far back, a small page took 40 to 60 ms instead of 3 to 5. Where that is too much, lower \`MAX_SUBSCRIPTIONS_PER_CLIENT\`.

## Requests and connections

${table(requestRows)}

An operation over a WebSocket counts as a request, and large ones count as several: one more per ${thousands(limits.bytesPerRequest)} bytes, and per ${thousands(limits.fieldsPerRequest)} fields of cost. A message is a request, not each of a subscription's changes.

## WebSockets

${table(socketRows)}

| close code | because | come back |
| --- | --- | --- |
| 1001 | the server is closing | at once, with the last cursor |
| 1002, 1007, 1009 | what was sent is not the protocol, or too large | after mending the client |
| 1008 | too many messages | after mending the client |
| 4400 | a message that is none of graphql-transport-ws | after mending the client |
| 4401 | an operation before \`connection_ack\` | after mending the client |
| 4403 | no valid API key | with a key |
| 4406 | another subprotocol than graphql-transport-ws | after mending the client |
| 4408 | no \`connection_init\` in time | at once |
| 4409 | the id of an operation was used twice | after mending the client |
| 4410 | the client did not read for 30 s | with the last cursor |
| 4429 | a second \`connection_init\` | after mending the client |

An upgrade is refused with 401, 403 (an origin that may not call), 404 or 429, and a body like that of a request.

## API keys

\`API_KEYS=key1,key2\` makes the API ask for one of them, in \`Authorization: Bearer <key>\` or \`X-API-Key: <key>\`; a WebSocket may bring it in its headers or, since browsers can't, in the payload of \`connection_init\`:

\`\`\`js
createClient({ url: 'wss://…/graphql', connectionParams: { authorization: 'Bearer <key>' } });
\`\`\`

| without a key | why |
| --- | --- |
| \`/healthz\`, \`/readyz\`, \`/metrics\` | for the platform and Prometheus; they tell states, counts and hosts of RPC endpoints, no events. Don't route \`/metrics\` to the public |
| \`/status\`, GraphiQL (\`/graphql\` in a browser), \`/api/docs\` and \`/api/openapi.json\` | pages without data; what they ask for needs the key: the status page has a field for it, GraphiQL its tab "Headers" (its subscriptions then go over SSE) |
| preflight requests (\`OPTIONS\`) | browsers send them without |

A browser's own \`EventSource\` can't send a key: use a client with headers ([graphql-sse](https://the-guild.dev/graphql/sse), the npm package \`eventsource\`, \`fetch\`). A key is never taken from a URL, where logs and histories would keep it.
Keys are compared in constant time and never logged. To change one without a gap, set both, move the clients, remove the old one.

\`INTROSPECTION=off\` hides the schema (suggestions of field names, too), \`GRAPHIQL=off\` the page.

## Errors

| code | means |
| --- | --- |
| \`BAD_REQUEST\`, \`OPERATION_RESOLUTION_FAILURE\` | not a GraphQL request, or not an operation of it; \`BAD_REQUEST\` also: the header \`Host\` and the path make no URL |
| \`GRAPHQL_PARSE_FAILED\`, \`GRAPHQL_VALIDATION_FAILED\` | the query is not GraphQL, or does not fit the schema |
| \`BAD_USER_INPUT\` | a value can't be used: a filter, a cursor of another kind, order or database, a page size |
| \`CURSOR_EXPIRED\` | the place in the feed is gone: read a page and go on from its \`asOf\` |
| \`SERVER_CLOSING\` | come back with the last cursor |
| \`UNAUTHENTICATED\` | 401, no valid API key |
| \`RATE_LIMITED\`, \`TOO_MANY_READS\`, \`TOO_MANY_CONNECTIONS\`, \`TOO_MANY_SUBSCRIPTIONS\` | 429; where waiting helps, \`Retry-After\` and \`extensions.retryAfterSeconds\` say how long |
| \`QUERY_TIMEOUT\` | the database took too long: ask for less |
| \`EVENT_MOVED\` | the event is just getting a table of its own ([events-without-code.md](events-without-code.md)), or has one that this server's version doesn't know: ask again a little later |
| \`DATABASE_UNAVAILABLE\` | try again |
| \`INTERNAL_SERVER_ERROR\` | our fault; the log has the cause under the request's id |

Every HTTP answer has \`X-Request-Id\`: the request's own, or a new one. What is masked (the last four) tells it as \`extensions.requestId\`, and the log line has it as \`requestId\`.
\`event_monitor_refusals_total\` counts refusals by code.
`;
}
