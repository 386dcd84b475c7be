import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { RateLimiter, type Urgency } from '#libs/chain/rate-limiter.js';
import { type RequestReport, RpcConnection } from '#libs/chain/rpc-transport.js';
import { type ArrivedCall, byMethod, RecordedRpc } from './services/recorded-rpc.js';

/** What went out when, as the limiter let it. */
interface Gone {
  readonly name: string;
  readonly calls: number;
  readonly at: number;
}

describe('the limiter', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function asking(limiter: RateLimiter) {
    const gone: Gone[] = [];
    const ask = (name: string, calls: number, urgency: Urgency = 'news') =>
      limiter.take(calls, urgency).then((may) => {
        if (may) gone.push({ name, calls, at: performance.now() });
      });
    return { gone, ask };
  }

  test('no second sees more calls than the cap, whoever asks and whenever, and everybody goes', async () => {
    const request = fc.record({
      after: fc.integer({ min: 0, max: 3_000 }),
      calls: fc.integer({ min: 1, max: 50 }),
      urgency: fc.constantFrom<Urgency>('news', 'history'),
    });
    const requests = fc.array(request, { minLength: 1, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 2, max: 60 }), requests, async (cap, all) => {
        const limiter = new RateLimiter(cap);
        const { gone, ask } = asking(limiter);
        for (const { after, calls, urgency } of all) {
          await vi.advanceTimersByTimeAsync(after);
          void ask('', Math.min(calls, limiter.burst), urgency);
        }
        await vi.advanceTimersByTimeAsync(1_000 * 50 * 30);
        expect(gone).toHaveLength(all.length);
        for (const { at } of gone) {
          const inSecond = gone.filter((one) => one.at >= at && one.at < at + 1_000);
          expect(inSecond.reduce((sum, one) => sum + one.calls, 0)).toBeLessThanOrEqual(cap);
        }
      }),
      { numRuns: 60 },
    );
  });

  test.each([
    [1, 2_000],
    [1.6, 1_250],
    [2.5, 800],
  ])('a cap of %d lets two calls go at once, every %d ms', async (cap, every) => {
    const { gone, ask } = asking(new RateLimiter(cap));
    for (const name of ['a', 'b', 'c']) void ask(name, 2);
    await vi.advanceTimersByTimeAsync(10_000);
    const start = gone[0]!.at;
    expect(gone.map(({ at }) => at - start)).toEqual([0, every, 2 * every]);
  });

  test('news go before history that waited longer, and history still gets its share', async () => {
    const { gone, ask } = asking(new RateLimiter(10));
    for (let i = 0; i < 50; i++) void ask('history', 2, 'history');
    // polling that would take more than there is
    for (let i = 0; i < 200; i++) void ask('news', 1);
    await vi.advanceTimersByTimeAsync(10_050);
    const of = (name: string) =>
      gone.filter((one) => one.name === name).reduce((sum, { calls }) => sum + calls, 0);
    expect(gone.slice(5, 14).map(({ name }) => name)).toEqual(Array(9).fill('news'));
    expect(of('news')).toBeGreaterThan(75);
    expect(of('history')).toBeGreaterThanOrEqual(18);
  });

  test('closing lets nobody wait', async () => {
    const limiter = new RateLimiter(2);
    await limiter.take(2, 'news');
    const waiting = [limiter.take(1, 'news'), limiter.take(1, 'history')];
    limiter.close();
    expect(await Promise.all(waiting)).toEqual([false, false]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a capped connection', () => {
  const open: { close(): unknown }[] = [];
  afterEach(async () => {
    for (const one of open.splice(0).reverse()) await one.close();
  });

  async function served(maxRps: number | null, onRequest?: (report: RequestReport) => void, ws = false) {
    const answering = byMethod({
      echo: (value: unknown) => value,
      fail: () => new Error('rate limit exceeded'),
    });
    const rpc = await RecordedRpc.start(answering);
    open.push({ close: () => rpc.stop() });
    const url = `${ws ? rpc.wsUrl : rpc.url}/v3/0123456789abcdef`;
    const connection = new RpcConnection(url, { maxRps }, onRequest);
    open.push(connection);
    return { rpc, connection };
  }
  const calls = (count: number, method = 'echo') =>
    Array.from({ length: count }, (_, i) => ({ method, params: [i] }));
  const sizes = (requests: (ArrivedCall | ArrivedCall[])[]) => requests.map((one) => [one].flat().length);

  test('sends no batch that is larger than the cap', async () => {
    const { rpc, connection } = await served(20);
    const replies = await connection.send(calls(25));
    expect(replies).toEqual(calls(25).map(({ params: [result] }) => ({ result })));
    expect(sizes(rpc.requests)).toEqual([20, 5]);
  });

  test('that is closed fails what waits instead of sending it', async () => {
    const { rpc, connection } = await served(2);
    await connection.send(calls(2));
    const waiting = connection.send(calls(2), 'history');
    connection.close();
    await expect(waiting).rejects.toMatchObject({
      kind: 'transient',
      message: expect.stringMatching(/closed/),
    });
    expect(rpc.requests).toHaveLength(1);
  });

  test.each([
    ['HTTP', false],
    ['WebSocket', true],
  ])('tells of every request once, with the host and no key (%s)', async (_, ws) => {
    const reports: RequestReport[] = [];
    const { rpc, connection } = await served(null, (report) => reports.push(report), ws);
    const host = `127.0.0.1:${rpc.port}`;
    await connection.send(calls(60));
    await connection.send([...calls(1), ...calls(1, 'fail')]);
    await rpc.stop();
    open.shift();
    await connection.send(calls(1)).catch(() => {});
    const seconds = expect.any(Number);
    expect(reports).toEqual([
      { host, methods: 'echo', calls: 50, seconds, error: null },
      { host, methods: 'echo', calls: 10, seconds, error: null },
      { host, methods: 'echo+fail', calls: 2, seconds, error: 'rate_limit' },
      { host, methods: 'echo', calls: 1, seconds, error: 'transient' },
    ]);
    expect(JSON.stringify(reports)).not.toContain('0123456789abcdef');
  });
});
