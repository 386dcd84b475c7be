import { ask } from '../services/graphql.js';
import { seeded } from '../services/random-ledger.js';
import { type StreamFilter, Subscriber } from '../services/subscriber.js';
import { until } from '../services/until.js';
import type { Crew } from './crew.js';
import { shuffled } from './schedule.js';
import { type EVENTS, GATEWAY, lasting } from './world.js';

/** How long a subscriber stays before it hangs up and goes elsewhere, in milliseconds. */
const STAY_MS = { least: 1_500, most: 6_000 };

/** What a subscriber asks for, and the same in SQL, for the judge. */
interface Interest extends StreamFilter {
  readonly name: string;
  readonly event: (typeof EVENTS)[number];
  readonly sql: string;
}

const USDC = '0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48';
const bytea = (hex: string) => `'\\x${hex.slice(2)}'::bytea`;

/** One subscriber for each kind of filter, one without, and those who want final rows only. */
const BRIDGES: readonly Omit<Interest, 'event'>[] = [
  { name: 'all', sql: 'true' },
  { name: 'all finalized', sql: 'true', finality: 'FINALIZED' },
  { name: 'one chain', where: { chainId: { eq: 1337 } }, sql: 'chain_id = 1337' },
  { name: 'text', where: { bridge: { in: ['Hop', 'Synapse'] } }, sql: `bridge in ('Hop', 'Synapse')` },
  { name: 'amount', where: { amount: { gte: '1000000000' } }, sql: 'amount >= 1000000000' },
  { name: 'address', where: { token: { eq: USDC } }, sql: `token = ${bytea(USDC)}` },
  { name: 'block number', where: { blockNumber: { gt: 9_900 } }, sql: 'block_number > 9900' },
  {
    name: 'or and not',
    where: { or: [{ not: { toChainId: { in: ['8453', '42161'] } } }, { logIndex: { lt: 1 } }] },
    sql: 'not to_chain_id in (8453, 42161) or log_index < 1',
  },
  {
    name: 'finalized of a text',
    where: { bridge: { eq: 'CBridge' } },
    sql: `bridge = 'CBridge'`,
    finality: 'FINALIZED',
  },
];

const SWAPS: readonly Omit<Interest, 'event'>[] = [
  { name: 'all swaps', sql: 'true' },
  {
    name: 'finalized swaps of a route to the gateway',
    where: { route: { eq: 'zerox' }, receiver: { eq: GATEWAY } },
    sql: `route = 'Zerox' and receiver = ${bytea(GATEWAY)}`,
    finality: 'FINALIZED',
  },
];

const ROUTES: readonly Omit<Interest, 'event'>[] = [
  { name: 'all routes', sql: 'true' },
  {
    name: 'finalized routes',
    where: { routeId: { lte: 300 } },
    sql: 'route_id <= 300',
    finality: 'FINALIZED',
  },
];

const INTERESTS: readonly Interest[] = [
  ...BRIDGES.map((one) => ({ ...one, event: 'SocketBridge' as const })),
  ...SWAPS.map((one) => ({ ...one, event: 'SocketSwapTokens' as const })),
  ...ROUTES.map((one) => ({ ...one, event: 'NewRouteAdded' as const })),
];

/** A page's reader follows an interest with few rows: a page holds all of them. */
const PAGE: Interest = {
  name: 'page and stream',
  event: 'SocketBridge',
  where: { and: [{ bridge: { eq: 'Hyphen' } }, { chainId: { eq: 1338 } }] },
  sql: `bridge = 'Hyphen' and chain_id = 1338`,
};

/** A subscriber that comes and goes. */
export interface Listener extends Interest {
  readonly subscriber: Subscriber;
  /** API that it was on last. */
  at: string | null;
}

/** Clients that connect, drop, and resume with their cursor on the other API, for as long as they are let. */
export class Audience {
  readonly listeners: Listener[] = INTERESTS.map((interest) => ({
    ...interest,
    subscriber: new Subscriber(interest),
    at: null,
  }));
  /** Resumes with a cursor on another API than before. */
  resumedElsewhere = 0;
  private readonly stop = new AbortController();
  private running: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly crew: Crew,
    private readonly seed: number,
  ) {}

  /** Lets them come and go. */
  start(): void {
    this.running = Promise.all(this.listeners.map((listener, i) => this.comeAndGo(listener, i)));
  }

  /** Reads a page of few rows and follows the stream from its `asOf`. @returns the rows of the page. */
  async readPage(): Promise<number> {
    const { data } = await until('a page', async () => {
      const api = this.crew.apis[0];
      if (!api) return null;
      const answer = await ask<{ events: Page }>(api, PAGE_QUERY, { where: PAGE.where });
      return !answer.errors && answer;
    });
    const { nodes, asOf, totalCount } = data.events;
    if (totalCount > nodes.length) throw new Error(`${totalCount} rows don't fit on a page`);
    const subscriber = new Subscriber({ ...PAGE, cursor: asOf, events: nodes });
    const listener = { ...PAGE, name: `${PAGE.name} (${asOf})`, subscriber, at: null };
    this.listeners.push(listener);
    this.running = Promise.all([this.running, this.comeAndGo(listener, this.listeners.length)]);
    return nodes.length;
  }

  /** Nobody leaves any more; all that are away come back. */
  async settle(): Promise<void> {
    this.stop.abort();
    await this.running;
    await Promise.all(
      this.listeners.map(async (listener) => {
        const api = await until('an API', () => this.crew.apis[0]);
        await this.join(listener, api);
      }),
    );
  }

  async end(): Promise<void> {
    this.stop.abort();
    await this.running;
    await Promise.all(this.listeners.map(({ subscriber }) => subscriber.disconnect()));
  }

  private async comeAndGo(listener: Listener, index: number): Promise<void> {
    const draw = seeded(this.seed * 100 + index);
    while (!this.stop.signal.aborted) {
      const [api] = shuffled(
        this.crew.apis.filter((url) => this.crew.apis.length < 2 || url !== listener.at),
        draw,
      );
      if (api) await this.join(listener, api);
      await lasting(STAY_MS.least + draw(STAY_MS.most - STAY_MS.least));
    }
  }

  private async join(listener: Listener, api: string): Promise<void> {
    const { subscriber, at } = listener;
    if (at && at !== api && subscriber.cursor !== '0') this.resumedElsewhere++;
    listener.at = api;
    await subscriber.connect(api);
  }
}

interface Page {
  readonly nodes: readonly { id: string; blockHash: string }[];
  readonly asOf: string;
  readonly totalCount: number;
}

const PAGE_QUERY = `query ($where: SocketBridgeEventWhere) {
  events: socketBridgeEvents(where: $where, first: 1000) { nodes { id blockHash } asOf totalCount }
}`;
