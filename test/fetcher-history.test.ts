import fc from 'fast-check';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { HistoryLane } from '#apps/fetcher/history-lane.js';
import type { Ranges } from '#apps/fetcher/history-plan.js';
import { Lead } from '#apps/fetcher/lead.js';
import type { Broker, Queue } from '#libs/broker/broker.js';
import type { FinalStatement } from '#libs/broker/messages.js';
import { ChainClient, RpcUnavailable } from '#libs/chain/chain-client.js';
import { EventCatalog } from '#libs/database/event-catalog.js';
import type { ChainLog } from '#libs/events/log.js';
import { socketBridge } from '#libs/events/socket-bridge/event.js';
import { blockHash, rawBlock } from './services/recorded-blocks.js';
import { byMethod, RecordedRpc } from './services/recorded-rpc.js';
import { until } from './services/until.js';

const source = { address: `0x${'aa'.repeat(20)}`, event: 'SocketBridge' };
const MINUTE = 60_000;
/** Of the registry. */
const events = new EventCatalog();

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** What a leader finds that takes over a chain of which nothing is stored. */
const nothingStored = {
  ledger: 'l',
  term: 1,
  segment: new Map(),
  finalizedBlock: null,
  sources: [],
  emptyHeights: [],
};

/** A history lane over an RPC that has no logs and a broker that takes everything and keeps it from the workers. @param depth of a queue. */
function laneOf(depth: (queue: Queue) => number = () => 1) {
  const published: string[] = [];
  const endpoint = { logsFrom: async (_from: number, to: number) => ({ to, logs: [] }) };
  const client = { use: (work: (e: typeof endpoint) => unknown) => work(endpoint) } as unknown as ChainClient;
  const broker = {
    trouble: null,
    depth: async (queue: Queue) => depth(queue),
    publish: async (_lane: unknown, { from, to }: FinalStatement) => {
      published.push(`${from}-${to}`);
    },
  } as unknown as Broker;
  const lead = new Lead(1, [source], broker, nothingStored);
  const failed = (error: unknown) => {
    throw error;
  };
  const lane = new HistoryLane({ client, broker, events, batchSize: 10 }, { said: () => {}, failed });
  /** What is said when the ledger covers [1, `stored`] of [1, `upTo`], `after` ms later. */
  const said = async (after: number, stored = 0, upTo = 20) => {
    vi.advanceTimersByTime(after);
    published.length = 0;
    const coverage = stored ? [[1, stored + 1] as const] : [];
    lane.plan(lead, [{ ...source, startBlock: 1, coverage }], upTo);
    await new Promise(setImmediate);
    return published;
  };
  return said;
}

test('what no worker stores is said again ever more rarely, so that the queue does not fill; once something is stored, soon again', async () => {
  const said = laneOf();
  expect(await said(0)).toEqual(['1-10', '11-20']);
  expect(await said(MINUTE - 1)).toEqual([]);
  expect(await said(2)).toEqual(['1-10', '11-20']);
  expect(await said(2 * MINUTE - 1)).toEqual([]);
  expect(await said(2)).toEqual(['1-10', '11-20']);
  expect(await said(3 * MINUTE)).toEqual([]);
  // the first range is stored: the second may be lost, and waits no longer than at first
  expect(await said(0, 10)).toEqual([]);
  expect(await said(0, 10)).toEqual(['11-20']);
});

test('what is lost while nothing was stored for hours is said again in a minute once the queue is empty, and not while it holds messages', async () => {
  let waiting = 2;
  const said = laneOf(() => waiting);
  await said(0);
  // workers are away for a day: the same ranges are said a few times, not once a minute
  let times = 0;
  for (let minute = 0; minute < 24 * 60; minute++) times += (await said(MINUTE)).length / 2;
  expect(times).toBeLessThan(30);
  // the queue is deleted, and workers are back: there is nothing for them
  waiting = 0;
  const lost: string[] = [];
  for (let minute = 0; minute < 2; minute++) lost.push(...(await said(MINUTE)));
  expect(lost).toEqual(['1-10', '11-20']);
  waiting = 2;
  for (let minute = 0; minute < 30; minute++) expect(await said(MINUTE)).toEqual([]);
});

test('what a worker passed on is not lost: it is said again as rarely as what waits in the queue', async () => {
  const said = laneOf(({ lane }) => Number(lane === 'delayed'));
  await said(0);
  let times = 0;
  for (let minute = 0; minute < 24 * 60; minute++) times += (await said(MINUTE)).length / 2;
  expect(times).toBeLessThan(30);
});

test('however long the history, no more than 32 ranges are published and not stored', async () => {
  const said = laneOf();
  let ranges = 0;
  for (let plan = 0; plan < 100; plan++) ranges += (await said(1, 0, 1_000_000)).length;
  expect(ranges).toBe(32);
  for (let plan = 0; plan < 100; plan++) ranges += (await said(1, 50, 1_000_000)).length;
  expect(ranges).toBe(37);
});

const ALL_FINAL = 60;
const addresses = [`0x${'01'.repeat(20)}`, `0x${'02'.repeat(20)}`];
const history = fc.record({
  /** Of each source: its start block, and what is stored at first. */
  starts: fc.tuple(fc.nat(20), fc.nat(20)),
  stored: fc.array(fc.tuple(fc.nat(1), fc.nat(ALL_FINAL)), { maxLength: 40 }),
  /** Logs by block, with their size: a few of them fill a message. */
  logs: fc.uniqueArray(
    fc.record({ block: fc.nat(ALL_FINAL), of: fc.nat(1), bytes: fc.constantFrom(1, 1, 400_000) }),
    { maxLength: 12, selector: ({ block, of }) => block * 2 + of },
  ),
  batchSize: fc.integer({ min: 1, max: 30 }),
  /** What the world does, drawn as the run goes. */
  draws: fc.infiniteStream(fc.nat(99)),
});
type History = typeof history extends fc.Arbitrary<infer H> ? H : never;

/** A chain of 60 final blocks whose history is fetched from an endpoint that clamps ranges, and stored by slow workers. */
class HistoryWorld {
  /** Blocks that are stored, of each source. */
  readonly covered: readonly Set<number>[];
  /** How often each block of each source was said. */
  readonly said = new Map<string, number>();
  readonly lane: HistoryLane;
  /** In percent: calls of the endpoint and of the broker that fail, messages that are lost. */
  faults = 0;
  private queue: FinalStatement[] = [];
  private readonly lead: Lead;
  private readonly logs: readonly ChainLog[];

  constructor(private readonly given: History) {
    this.covered = addresses.map(
      (_, i) => new Set(given.stored.filter(([of]) => of === i).map(([, n]) => n)),
    );
    this.logs = given.logs
      .map(({ block, of, bytes }) => logOf(block, addresses[of]!, bytes))
      .sort((a, b) => a.blockNumber - b.blockNumber);
    const endpoint = { logsFrom: async (from: number, to: number) => this.logsFrom(from, to) };
    const client = {
      use: async (work: (e: typeof endpoint) => unknown) => work(endpoint),
    } as unknown as ChainClient;
    const broker = {
      trouble: null,
      depth: async () => this.queue.length,
      publish: async (_: unknown, s: FinalStatement) => this.publish(s),
    } as unknown as Broker;
    this.lead = new Lead(1, [], broker, nothingStored);
    const listener = { said: () => {}, failed: () => {} };
    this.lane = new HistoryLane({ client, broker, events, batchSize: given.batchSize }, listener);
  }

  get isComplete(): boolean {
    return this.covered.every((blocks, i) => {
      for (let n = this.given.starts[i]!; n <= ALL_FINAL; n++) if (!blocks.has(n)) return false;
      return true;
    });
  }

  /** Plans, lets what is under way be published, and stores some of it. */
  async round(): Promise<void> {
    const sources = addresses.map((address, i) => {
      const coverage = [...this.covered[i]!].sort((a, b) => a - b).map((n) => [n, n + 1] as const);
      return {
        address,
        event: 'SocketBridge',
        startBlock: this.given.starts[i]!,
        coverage: coverage as Ranges,
      };
    });
    this.lane.plan(this.lead, sources as never, ALL_FINAL);
    for (let i = 0; i < 8; i++) await new Promise(setImmediate);
    const waiting = this.queue;
    this.queue = [];
    for (const statement of waiting) {
      if (this.draw() < 40) this.queue.push(statement);
      else if (this.draw() >= this.faults) this.store(statement);
    }
  }

  private store({ sources, from, to, logs }: FinalStatement): void {
    const wanted = this.logsOf(
      sources.map((s) => s.address),
      from,
      to,
    );
    expect(logs.map((log) => log.txHash)).toEqual(wanted.map((log) => log.txHash));
    for (const [i, address] of addresses.entries()) {
      if (!sources.some((s) => s.address === address)) continue;
      for (let n = from; n <= to; n++) this.covered[i]!.add(n);
    }
  }

  private publish(statement: FinalStatement): void {
    if (this.draw() < this.faults) throw new Error('the broker is away');
    for (const { address } of statement.sources) {
      for (let n = statement.from; n <= statement.to; n++) {
        const key = `${addresses.indexOf(address)}/${n}`;
        this.said.set(key, (this.said.get(key) ?? 0) + 1);
      }
    }
    this.queue.push(statement);
  }

  private logsFrom(from: number, to: number): { to: number; logs: ChainLog[] } {
    if (this.draw() < this.faults) throw new Error('the endpoint is away');
    const clamped = this.draw() < 50 ? to : from + (this.draw() % (to - from + 1));
    return { to: clamped, logs: this.logsOf(addresses, from, clamped) };
  }

  private logsOf(of: readonly string[], from: number, to: number): ChainLog[] {
    return this.logs.filter((l) => of.includes(l.address) && l.blockNumber >= from && l.blockNumber <= to);
  }

  private draw(): number {
    return this.given.draws.next().value!;
  }
}

function logOf(blockNumber: number, address: string, bytes: number): ChainLog {
  const name = `${blockNumber}${address.slice(-1)}`;
  return {
    address,
    topics: [socketBridge.topic0],
    data: `0x${'00'.repeat(bytes)}`,
    blockNumber,
    blockHash: `0x${'bb'.repeat(32)}`,
    blockTimestamp: blockNumber,
    txHash: `0x${name.padStart(64, '0')}`,
    txIndex: 0,
    logIndex: 0,
  };
}

test('every missing block of every source is said exactly once, with exactly its logs, whatever ranges the endpoint allows', async () => {
  await fc.assert(
    fc.asyncProperty(history, async (given) => {
      const world = new HistoryWorld(given);
      const missing = addresses.flatMap((_, i) =>
        Array.from({ length: ALL_FINAL + 1 }, (_, n) => n)
          .filter((n) => n >= given.starts[i]! && !world.covered[i]!.has(n))
          .map((n) => `${i}/${n}`),
      );
      for (let i = 0; i < 1_000 && !world.isComplete; i++) await world.round();
      expect([...world.said.keys()].sort()).toEqual(missing.sort());
      expect([...world.said.values()].filter((times) => times !== 1)).toEqual([]);
    }),
    { numRuns: 30 },
  );
});

test('all of the history is stored in the end, whatever the endpoint and the broker refuse and the queue loses', async () => {
  await fc.assert(
    fc.asyncProperty(history, async (given) => {
      const world = new HistoryWorld(given);
      world.faults = 30;
      for (let i = 0; i < 1_000 && !world.isComplete; i++) {
        if (i === 40) world.faults = 0;
        await world.round();
        vi.advanceTimersByTime(i % 10 ? 1_001 : 64 * MINUTE);
      }
      expect(world.isComplete).toBe(true);
    }),
    { numRuns: 30 },
  );
});

test('the history of an endpoint that has another block where ours is final is never said, though no other endpoint answers', async () => {
  const node = (branch: string) =>
    byMethod({
      eth_chainId: () => '0x7',
      eth_getBlockByNumber: (block: string) =>
        rawBlock(Number(block), [], { hash: blockHash(Number(block), branch) }),
      eth_getLogs: () => [],
    });
  const own = await RecordedRpc.start(() => ({ status: 502, body: 'Bad Gateway' }));
  const fork = await RecordedRpc.start(node('b'));
  const urls = [own.url, fork.url];
  let clock = 0;
  const client = new ChainClient({
    chainId: 7,
    urls,
    batchSize: 10,
    logger: pino({ level: 'silent' }),
    now: () => clock,
  });
  const published: FinalStatement[] = [];
  const failures: unknown[] = [];
  const broker = { trouble: null, publish: async (_: unknown, s: FinalStatement) => void published.push(s) };
  const parts = { client, broker: broker as unknown as Broker, events, batchSize: 10 };
  const lane = new HistoryLane(parts, { said: () => {}, failed: (error) => failures.push(error) });
  const taken = { ...nothingStored, segment: new Map([[30, blockHash(30)]]), finalizedBlock: 30 };
  const lead = new Lead(7, [source], parts.broker, taken);
  const plan = () => lane.plan(lead, [{ ...source, startBlock: 1, coverage: [] }] as never, 30);
  try {
    plan();
    await until('the history to fail', () => failures.length);
    expect(failures[0]).toBeInstanceOf(RpcUnavailable);
    const kinds = (failures[0] as RpcUnavailable).failures.map(({ kind }) => kind);
    expect(kinds).toEqual(['transient', 'other_final_block']);
    expect(published).toEqual([]);
    own.answering = node('a');
    await until('the history', () => {
      clock += 60_000;
      vi.advanceTimersByTime(MINUTE / 2);
      plan();
      return published.length >= 3;
    });
    expect(published.slice(0, 3).map(({ from }) => from)).toEqual([1, 11, 21]);
  } finally {
    client.close();
    await Promise.all([own.stop(), fork.stop()]);
  }
});
