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

/** A history lane over an RPC that has no logs and a broker that takes everything and keeps it from the workers. */
function laneOf() {
  const published: string[] = [];
  const endpoint = { logsFrom: async (_from: number, to: number) => ({ to, logs: [] }) };
  const client = { use: (work: (e: typeof endpoint) => unknown) => work(endpoint) } as unknown as ChainClient;
  const broker = {
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
  const lane = new HistoryLane({ client, broker, batchSize: 10 }, (error) => {
    throw error;
  });
  /** What is said when the ledger covers [1, `stored`] of [1, 20], `after` ms later. */
  const said = async (after: number, stored = 0) => {
    vi.advanceTimersByTime(after);
    published.length = 0;
    const coverage = stored ? [[1, stored + 1] as const] : [];
    lane.plan(lead, [{ ...source, startBlock: 1, coverage }], 20);
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
