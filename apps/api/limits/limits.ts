import { PAGE_DEFAULT, PAGE_MAX } from '../reads/event-reads.js';
import { MAX_DEPTH, MAX_LIST } from '../reads/where.js';

/**
 * Every limit that is the same in all installations; those that an operator may move are settings (libs/config). docs/limits.md
 * is written from here.
 */
export const limits = {
  /** Rows of a page, or changes of a message, that a cost is reckoned with when none are asked for; and at most. */
  pageDefault: PAGE_DEFAULT,
  pageMax: PAGE_MAX,
  listMax: MAX_LIST,
  whereDepth: MAX_DEPTH,
  /** The longest sensible query is a tenth of it; parsed queries are kept, so that text costs memory. */
  queryCharacters: 20_000,
  /** A word, a number, a brace each: some 300 fields. GraphiQL's introspection has about 400. The time of validation grows with its square. */
  queryTokens: 1_000,
  /** The deepest useful field, `socketBridgeEvents.edges.node.toChain.explorer.url`, is at 6. */
  queryDepth: 10,
  /** As many panels of a dashboard in one request; more of them belong into several. */
  queryAliases: 20,
  /** Fields of the answer: one page of 1000 rows with every field, as nodes and as edges, is some 82 000; it takes 0.15 s of one core. */
  queryCost: 100_000,
  /** One request more is counted per so many fields of its answer, and per so many bytes that it has. */
  fieldsPerRequest: 1_000,
  bytesPerRequest: 1_000,
  /** Elements that a list without an argument (`chains`) is reckoned with. */
  listLength: 25,
  /** Parsed queries that are kept: 100 of the largest are some 50 MB; a page asks about ten. */
  keptQueries: 100,
  /** Three `in` lists of 1000 hashes. The same for a message of a WebSocket. */
  bodyBytes: 256_000,
  /** What proxies let through, too. */
  urlCharacters: 8_000,
  /** A WebSocket that has not said `connection_init` by then is closed. */
  connectionInitMs: 5_000,
  /** Queries and subscriptions that run on one WebSocket. */
  operationsPerSocket: 100,
  /** Messages of one WebSocket in `rateWindowSeconds`, pings too: ten times what the operations need. */
  messagesPerSocket: 2_000,
  /** What a client is sent and hasn't taken; above it nothing more is read from it, and after a time it is cut. */
  unreadBytes: 1_000_000,
  unreadMs: 30_000,
  /** Requests are counted over this time, so that a page that asks for much at once isn't refused. */
  rateWindowSeconds: 10,
  /**
   * Snapshots of the database at a time (pages, exports, totals, statistics): of one client, and of all; the pool's other three are
   * the feed's, the status's and those of what takes no turns: single events, chains, subscriptions that catch up.
   */
  readsPerClient: 3,
  readsTotal: 7,
  /** Reads of one client that wait for their turn. */
  readsWaiting: 200,
} as const;
