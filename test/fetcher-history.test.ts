import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { HistoryLane } from '#apps/fetcher/history-lane.js';
import { Lead } from '#apps/fetcher/lead.js';
import type { Broker } from '#libs/broker/broker.js';
import type { FinalStatement } from '#libs/broker/messages.js';
import type { ChainClient } from '#libs/chain/chain-client.js';

const source = { address: `0x${'aa'.repeat(20)}`, event: 'SocketBridge' };
const MINUTE = 60_000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A history lane over an RPC that has no logs and a broker that takes everything and keeps it from the workers. @param depth of its queue. */
function laneOf(depth = () => 1) {
  const published: string[] = [];
  const endpoint = { logsFrom: async (_from: number, to: number) => ({ to, logs: [] }) };
  const client = { use: (work: (e: typeof endpoint) => unknown) => work(endpoint) } as unknown as ChainClient;
  const broker = {
    trouble: null,
    depth: async () => depth(),
    publish: async (_lane: unknown, { from, to }: FinalStatement) => {
      published.push(`${from}-${to}`);
    },
  } as unknown as Broker;
  const taken = {
    ledger: 'l',
    term: 1,
    segment: new Map(),
    finalizedBlock: null,
    sources: [],
    emptyHeights: [],
  };
  const lead = new Lead(1, [source], broker, taken);
  const failed = (error: unknown) => {
    throw error;
  };
  const lane = new HistoryLane({ client, broker, batchSize: 10 }, { said: () => {}, failed });
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

test('however long the history, no more than 32 ranges are published and not stored', async () => {
  const said = laneOf();
  let ranges = 0;
  for (let plan = 0; plan < 100; plan++) ranges += (await said(1, 0, 1_000_000)).length;
  expect(ranges).toBe(32);
  for (let plan = 0; plan < 100; plan++) ranges += (await said(1, 50, 1_000_000)).length;
  expect(ranges).toBe(37);
});
