import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { id } from 'ethers';
import { EventSource } from 'eventsource';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { RunningApi } from '#apps/api/server.js';
import { takeOver } from '#libs/database/ledger.js';
import { storeHistory } from '#libs/database/store-history.js';
import { socketBridge } from '#libs/events/socket-bridge/event.js';
import { startTestApi } from './services/api.js';
import { LedgerFixture } from './services/ledger-fixture.js';
import { query } from './services/query.js';
import { until } from './services/until.js';

const page = readFileSync(new URL('../docs/rest.md', import.meta.url), 'utf8');
const USDC = '0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48';
const GATEWAY = '0x3a23f943181408eac424116af7b7790c94cb97a5';

let ledger: LedgerFixture;
let api: RunningApi;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'event-monitor-rest-'));
  ledger = await LedgerFixture.create(inject('postgresUrl'));
  const sources = [{ address: GATEWAY, event: 'SocketBridge', startBlock: 1 }];
  await takeOver(ledger.database, { chainId: 1, chainName: 'Ethereum', holder: 'test', sources });
  await store(1, ['Hop', 'Across', 'Across']);
  await query(ledger.url, 'update chain set head_block = 2, finalized_block = 1');
  api = await startTestApi({ database: ledger.database });
});
afterAll(async () => {
  await api?.close();
  await ledger?.close();
  await rm(folder, { recursive: true, force: true });
});

/** Stores a block of events on Ethereum. */
async function store(blockNumber: number, bridges: readonly string[]): Promise<void> {
  const rows = bridges.map((bridge, i) => ({
    event: socketBridge,
    chainId: 1,
    log: {
      address: GATEWAY,
      topics: [socketBridge.topic0],
      data: '0x',
      blockNumber,
      blockHash: id(`block ${blockNumber}`),
      blockTimestamp: 1_700_000_000 + blockNumber,
      txHash: id(`transaction ${blockNumber}`),
      txIndex: 0,
      logIndex: i,
    },
    values: {
      amount: 1_250_000_000n,
      token: USDC,
      toChainId: 42161n,
      bridgeName: id(bridge),
      bridge,
      sender: GATEWAY,
      receiver: GATEWAY,
      metadata: id('metadata'),
    },
  }));
  const sources = [{ address: GATEWAY, event: 'SocketBridge' }];
  const statement = { chainId: 1, sources, from: blockNumber, to: blockNumber };
  await storeHistory(ledger.database, [{ statement, rows, broken: [] }]);
}

/** The commands of the page, each with the example of its answer. */
const examples = [
  ...page.matchAll(/^```sh\n(curl .*)\n```\n+(?:[^`\n].*\n+)*```(\w+)\n([\s\S]*?)\n```$/gm),
].map(([, command, kind, answer]) => ({ command: command!, kind: kind!, answer: answer! }));

test('every command of the page has an answer', () => {
  expect(examples).toHaveLength(page.match(/^```sh$/gm)!.length);
});

describe('the page tells what is answered to', () => {
  test.each(examples)('$command', async ({ command, kind, answer }) => {
    const { status, body } = await run(command);
    expect(status).toBe(/# (\d{3})$/.exec(command)?.[1] ?? '200');
    if (kind === 'text') {
      expect(body).toMatch(/^retry: 2000\n\nid: \S+\ndata: \{"cursor":/);
      expect(body).toContain('"changes":[{"type":"ADDED","node":{"id":"1:0x');
      return;
    }
    const [given, told] = [body, answer].map((text) =>
      JSON.parse(kind === 'ndjson' ? text.split('\n')[0]! : text),
    );
    expect(given).toEqual(shapeOf(told));
    if (told.error) expect(given.error.code).toBe(told.error.code);
  });
});

/** Runs a command of the page against the API of this test. */
async function run(command: string): Promise<{ status: string; body: string }> {
  const file = join(folder, 'body');
  const here = command.replace('http://127.0.0.1:4000', api.url).replace(/ -o \S+/, '');
  const isStream = here.includes('/stream');
  const running = `${here.replace(/ +#.*$/, '')} -s -o '${file}' -w '%{http_code}' --max-time ${isStream ? 3 : 60}`;
  const { stdout } = await promisify(execFile)('sh', ['-c', isStream ? `${running} || true` : running]);
  return { status: stdout, body: readFileSync(file, 'utf8') };
}

/** What has at least the fields of an example, with values of the same kind; of a list each element. */
function shapeOf(told: unknown): unknown {
  if (Array.isArray(told))
    return told.length
      ? expect.toSatisfy((given: unknown[]) => given.length > 0 && matchesAll(given, told[0]))
      : [];
  if (told === null || typeof told !== 'object') return expect.any(Object(told).constructor);
  return expect.objectContaining(
    Object.fromEntries(Object.entries(told).map(([name, value]) => [name, shapeOf(value)])),
  );
}

function matchesAll(given: readonly unknown[], told: unknown): boolean {
  for (const one of given) expect(one).toEqual(shapeOf(told));
  return true;
}

test('the program of the page holds what is stored, before and after', async () => {
  const [, program] = /^```js\n([\s\S]*?)\n```$/m.exec(page)!;
  const AsyncFunction = (async () => {}).constructor as new (
    ...parts: string[]
  ) => (...args: unknown[]) => Promise<{ events: Map<string, object>; stream: EventSource }>;
  // in a page of the API's own origin
  const fetchHere = (path: string) => fetch(new URL(path, api.url));
  class EventSourceHere extends EventSource {
    constructor(path: string) {
      super(new URL(path, api.url));
    }
  }
  const start = new AsyncFunction('fetch', 'EventSource', `${program}\nreturn { events, stream };`);
  const { events, stream } = await start(fetchHere, EventSourceHere);
  try {
    expect(events.size).toBe(3);
    await until('the stream', () => stream.readyState === EventSource.OPEN);
    await store(2, ['Hop', 'Stargate']);
    await until('what was stored since', () => events.size === 5);
  } finally {
    stream.close();
  }
});
