import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ChainClient } from '#libs/chain/chain-client.js';
import type { RpcErrorKind } from '#libs/chain/rpc-error.js';
import { type ProviderError, providerErrors } from './services/provider-errors.js';
import { blocksUpTo, FILTER } from './services/recorded-blocks.js';
import { type ArrivedCall, byMethod, RecordedRpc } from './services/recorded-rpc.js';

const ofKinds = (...kinds: RpcErrorKind[]) => providerErrors.filter(({ kind }) => kinds.includes(kind));

/** Blocks that are asked for at first: more than any limit or suggestion of the list. */
const WIDTH = 10_000_000;
const node = byMethod({
  eth_chainId: () => '0x7',
  eth_getBlockByNumber: blocksUpTo(40_000_000),
  eth_getLogs: () => [],
});

let first: RecordedRpc;
let second: RecordedRpc;
let client: ChainClient;
let clock: number;

beforeAll(async () => {
  first = await RecordedRpc.start(node);
  second = await RecordedRpc.start(node);
});
afterAll(async () => {
  await first.stop();
  await second.stop();
});
beforeEach(() => {
  clock = 1_000_000;
  const logger = pino({ level: 'silent' });
  const urls = [first.url, second.url];
  client = new ChainClient({ chainId: 7, urls, batchSize: WIDTH, logger, now: () => clock });
  first.answering = node;
  for (const rpc of [first, second]) rpc.requests.length = 0;
});
afterEach(() => client.close());

/** How a provider says it: in place of one call's result, or in place of the whole batch. */
const forms = ['for the call', 'for the whole batch'] as const;
type Form = (typeof forms)[number];

const widthOf = ({ params: [query] }: ArrivedCall) => {
  const { fromBlock, toBlock } = query as { fromBlock: string; toBlock: string };
  return Number(toBlock) - Number(fromBlock) + 1;
};
/** Widths of the requests for logs that a server got since the last look. */
const widths = (rpc: RecordedRpc) => {
  const found = rpc.calls('eth_getLogs').map(widthOf);
  rpc.requests.length = 0;
  return found;
};

/** Lets the first endpoint refuse requests for logs, all or those that are wider. */
function refuse({ message, data, http = 200 }: ProviderError, form: Form, widest = 0): void {
  const error = { code: -32_000, message, data };
  first.answering = (request) => {
    const refused = [request]
      .flat()
      .filter((call) => call.method === 'eth_getLogs' && widthOf(call) > widest);
    if (!refused.length) return node(request);
    const ids = new Set(refused.map(({ id }) => id));
    if (form === 'for the whole batch' || !Array.isArray(request)) {
      return {
        status: http,
        body: { jsonrpc: '2.0', id: Array.isArray(request) ? null : request.id, error },
      };
    }
    const answers = node(request)!.body as { id: number }[];
    return { status: http, body: answers.map((one) => (ids.has(one.id) ? { id: one.id, error } : one)) };
  };
}

/** Reads a piece of history as the fetcher does. @returns the blocks that were read. */
async function read(from = 1_000_000): Promise<number> {
  const { to } = await client.use((endpoint) => endpoint.logsFrom(from, from + WIDTH - 1, FILTER), { from });
  return to - from + 1;
}
/** Who does work that reads no history: `first` or `second`. */
const newsFrom = () =>
  client.use(async (endpoint) => {
    await endpoint.headers(5, 5);
    return endpoint.host === new URL(first.url).host ? 'first' : 'second';
  });
/** Whether the first endpoint is asked for anything when some history is read now. */
async function isAsked(from?: number): Promise<boolean> {
  first.requests.length = 0;
  await read(from);
  return first.requests.length > 0;
}
const healthy = () => client.status()[0]!.healthy;

describe.each(forms)('said %s', (form) => {
  test.each(ofKinds('suggested_range', 'range_limit', 'result_cap'))(
    '$provider: "$message" is answered with a smaller range at the same endpoint',
    async (error) => {
      const { suggested, limit } = error;
      const smaller = suggested ? suggested.to - suggested.from + 1 : (limit ?? WIDTH / 2);
      refuse(error, form, smaller);
      expect(await read(suggested?.from)).toBe(smaller);
      expect(widths(first)).toEqual([WIDTH, smaller]);
      expect(widths(second)).toEqual([]);
      expect(client.status()[0]).toMatchObject({ healthy: true, rangeSize: smaller });
    },
  );

  test.each(ofKinds('archive'))(
    '$provider: "$message" sends history to the next endpoint and lets news stay',
    async (error) => {
      refuse(error, form);
      expect(await read()).toBe(WIDTH);
      expect([widths(first), widths(second)]).toEqual([[WIDTH], [WIDTH]]);
      // neither this nor later history is asked of it again, as long as it hasn't shown that it has some
      expect([await isAsked(), await isAsked(9_000_000)]).toEqual([false, false]);
      expect(await newsFrom()).toBe('first');
      expect(client.status()[0]).toMatchObject({ healthy: true, servesHistory: false, rangeSize: WIDTH });
      clock += 22_499;
      expect(await isAsked()).toBe(false);
      clock += 15_002;
      first.answering = node;
      expect(await isAsked()).toBe(true);
      expect(client.status()[0]).toMatchObject({ servesHistory: true });
    },
  );

  test.each(ofKinds('head_behind'))(
    '$provider: "$message" lets the endpoint come last for some seconds',
    async (error) => {
      refuse(error, form);
      expect(await read()).toBe(WIDTH);
      expect([widths(first), widths(second)]).toEqual([[WIDTH], [WIDTH]]);
      clock += 4_999;
      expect([await isAsked(), healthy()]).toEqual([false, true]);
      clock += 2;
      expect(await isAsked()).toBe(true);
    },
  );

  test.each(ofKinds('rate_limit', 'timeout', 'transient', 'bad_data'))(
    '$provider: "$message" lets the endpoint rest for a moment, with its range',
    async (error) => {
      refuse(error, form);
      expect(await read()).toBe(WIDTH);
      expect([new Set(widths(first)), widths(second)]).toEqual([new Set([WIDTH]), [WIDTH]]);
      expect(client.status()[0]).toMatchObject({ healthy: false, rangeSize: WIDTH });
      clock += 374;
      expect(await isAsked()).toBe(false);
      clock += 252;
      expect(await isAsked()).toBe(true);
      // the second rest is twice as long
      clock += 749;
      expect(await isAsked()).toBe(false);
      clock += 502;
      first.answering = node;
      expect([await isAsked(), healthy()]).toEqual([true, true]);
    },
  );

  test.each(ofKinds('timeout', 'transient'))(
    '$provider: "$message", said again and again, is taken for a range that is too wide',
    async (error) => {
      refuse(error, form);
      const times = error.kind === 'timeout' ? 2 : 3;
      for (let i = 0; i < times; i++) {
        expect(client.status()[0]).toMatchObject({ rangeSize: WIDTH });
        await read();
        clock += 30_000;
      }
      expect(client.status()[0]!.rangeSize).toBeLessThan(WIDTH);
    },
  );

  test.each(ofKinds('auth', 'bad_endpoint'))(
    '$provider: "$message" leaves the endpoint out, but for a look now and then',
    async (error) => {
      refuse(error, form);
      expect(await read()).toBe(WIDTH);
      expect([widths(first), widths(second)]).toEqual([[WIDTH], [WIDTH]]);
      expect(client.status()[0]).toMatchObject({ healthy: false, rangeSize: WIDTH });
      expect(await newsFrom()).toBe('second');
      clock += 22_499;
      expect(await isAsked()).toBe(false);
      clock += 15_002;
      expect(await isAsked()).toBe(true);
      clock += 44_999;
      expect(await isAsked()).toBe(false);
    },
  );
});

test('every message of the list has its action tested', () => {
  const tested = ofKinds(
    'suggested_range',
    'range_limit',
    'result_cap',
    'archive',
    'head_behind',
    'rate_limit',
    'timeout',
    'transient',
    'bad_data',
    'auth',
    'bad_endpoint',
  );
  expect(tested).toHaveLength(providerErrors.length);
  expect(providerErrors).toHaveLength(95);
});
