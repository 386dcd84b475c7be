import { afterEach, describe, expect, test } from 'vitest';
import type { RpcCall, RpcReply } from '#libs/chain/json-rpc.js';
import { type RequestLimits, RpcConnection } from '#libs/chain/rpc-transport.js';
import { type Answering, type ArrivedCall, byMethod, RecordedRpc } from './services/recorded-rpc.js';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

/** A server that answers so, and a connection to it. */
async function served(
  answering: Answering,
  how: { ws?: boolean; limits?: Partial<RequestLimits>; path?: string } = {},
) {
  const rpc = await RecordedRpc.start(answering);
  open.push({ close: () => rpc.stop() });
  const connection = new RpcConnection(`${how.ws ? rpc.wsUrl : rpc.url}${how.path ?? ''}`, how.limits);
  open.push(connection);
  return { rpc, connection };
}

const echo = byMethod({ echo: (value: unknown) => value as unknown });
const calls = (count: number): RpcCall[] =>
  Array.from({ length: count }, (_, i) => ({ method: 'echo', params: [`value ${i}`] }));
const results = (replies: RpcReply[]) =>
  replies.map((reply) => ('result' in reply ? reply.result : reply.error));
const values = (count: number) => calls(count).map(({ params }) => params[0]);
const listOf = (request: ArrivedCall | ArrivedCall[]) => [request].flat();

describe.each([
  ['HTTP', false],
  ['WebSocket', true],
])('over %s', (_, ws) => {
  test('each call gets its own answer, in whatever order the batch comes back', async () => {
    const { connection } = await served(
      (request) => ({ body: (echo(request)!.body as unknown[]).toReversed() }),
      { ws },
    );
    expect(results(await connection.send(calls(7)))).toEqual(values(7));
  });

  test('ids that come back as text are understood', async () => {
    const { connection } = await served(
      (request) => ({
        body: listOf(request).map(({ id, params }) => ({ id: String(id), result: params[0] })),
      }),
      { ws },
    );
    expect(results(await connection.send(calls(3)))).toEqual(values(3));
  });

  test('a single call is sent as an object, for servers that know no batches', async () => {
    const { rpc, connection } = await served(echo, { ws });
    expect(results(await connection.send(calls(1)))).toEqual(values(1));
    expect(Array.isArray(rpc.requests[0])).toBe(false);
  });

  test('many calls go in batches of at most 50', async () => {
    const { rpc, connection } = await served(echo, { ws });
    expect(results(await connection.send(calls(120)))).toEqual(values(120));
    expect(rpc.requests.map((request) => listOf(request).length)).toEqual([50, 50, 20]);
  });

  test.each([
    [
      'one error object',
      () => ({ jsonrpc: '2.0', id: null, error: { code: -32_600, message: 'Invalid Request' } }),
    ],
    [
      'a list with one error',
      () => [{ id: null, error: { code: -32_005, message: 'batch limit 10 exceeded' } }],
    ],
    [
      'an error for each call',
      (batch: ArrivedCall[]) =>
        batch.map(({ id }) => ({ id, error: { message: 'Batch of more than 10 requests' } })),
    ],
    ['the answer to its first call only', ([first]: ArrivedCall[]) => ({ id: first!.id, result: 'value 0' })],
  ])('a batch that is refused with %s is halved until it passes, and stays small', async (__, refusal) => {
    const { rpc, connection } = await served(
      (request) => (listOf(request).length > 10 ? { body: refusal(listOf(request)) } : echo(request)),
      { ws },
    );
    expect(results(await connection.send(calls(40)))).toEqual(values(40));
    const before = rpc.requests.length;
    expect(results(await connection.send(calls(20)))).toEqual(values(20));
    expect(rpc.requests.slice(before).map((request) => listOf(request).length)).toEqual([10, 10]);
  });

  test('a server that takes no batches at all is asked call by call', async () => {
    const { connection } = await served(
      (request) =>
        Array.isArray(request) ? { body: { error: 'batch requests are disabled' } } : echo(request),
      { ws },
    );
    expect(results(await connection.send(calls(6)))).toEqual(values(6));
  });

  test('an outage in one object does not make batches small for ever', async () => {
    const { rpc, connection } = await served(
      () => ({ body: { id: null, error: { message: 'something went wrong' } } }),
      { ws },
    );
    await connection.send(calls(4)).catch(() => {});
    rpc.answering = echo;
    await connection.send(calls(4));
    expect(listOf(rpc.requests.at(-1)!)).toHaveLength(4);
  });

  test('a rate limit for a whole batch is a rate limit, not a batch that is too large', async () => {
    const { rpc, connection } = await served(
      () => ({ body: { id: null, error: { code: -32_005, message: 'rate limit exceeded' } } }),
      { ws },
    );
    await expect(connection.send(calls(4))).rejects.toMatchObject({ kind: 'rate_limit' });
    expect(rpc.requests).toHaveLength(1);
  });

  test('a call that the batch forgets to answer is an error, not an empty result', async () => {
    const { connection } = await served(
      (request) => ({ body: (echo(request)!.body as unknown[]).slice(1) }),
      { ws },
    );
    const replies = await connection.send(calls(3));
    expect('error' in replies[0]! && replies[0].error.kind).toBe('transient');
    expect(results(replies.slice(1))).toEqual(values(3).slice(1));
  });

  test('truncated JSON is an error', async () => {
    const { connection } = await served(
      (request) => ({ body: JSON.stringify(echo(request)!.body).slice(0, -9) }),
      {
        ws,
      },
    );
    await expect(connection.send(calls(2))).rejects.toMatchObject({ kind: 'transient' });
  });

  test('silence is a timeout', async () => {
    const { connection } = await served(() => null, { ws, limits: { timeoutMs: 100 } });
    await expect(connection.send(calls(2))).rejects.toMatchObject({ kind: 'timeout' });
  });

  test('an answer beyond the size that memory allows is cut off as too many results', async () => {
    const { connection } = await served(() => ({ body: { id: 1, result: 'x'.repeat(5_000) } }), {
      ws,
      limits: { maxBytes: 4_000 },
    });
    await expect(connection.send(calls(1))).rejects.toMatchObject({ kind: 'result_cap' });
  });

  test('a key in the URL stays out of errors, also when the endpoint says it', async () => {
    const key = 'abcdef0123456789abcdef';
    const { connection } = await served(
      () => ({ body: { id: 1, error: { message: `no plan for https://host/v3/${key}`, data: { key } } } }),
      { ws, path: `/v3/${key}?dkey=${key}00` },
    );
    const [reply] = await connection.send(calls(1));
    const { message } = (reply as { error: Error }).error;
    expect(message).toContain('no plan for https://host/v3/…');
    expect(message).not.toContain(key);
  });
});

test('HTML with status 200 is an error', async () => {
  const { connection } = await served(() => ({
    body: '<html>Just a moment…</html>',
    headers: { 'content-type': 'text/html' },
  }));
  await expect(connection.send(calls(2))).rejects.toMatchObject({ kind: 'transient' });
});

test('the body of an HTTP error is read: it holds the reason', async () => {
  const { connection } = await served(() => ({
    status: 400,
    body: {
      id: 1,
      error: { code: -32_600, message: 'ranges over 10000 blocks are not supported on free plan' },
    },
  }));
  const [reply] = await connection.send(calls(1));
  expect(reply).toMatchObject({ error: { kind: 'range_limit', limit: 10_000, code: -32_600 } });
});

test.each([
  [429, { 'retry-after': '7' }, 'rate_limit', 7_000],
  [403, {}, 'auth', undefined],
  [502, {}, 'transient', undefined],
])('HTTP %i without JSON is understood by its status', async (status, headers, kind, retryAfterMs) => {
  const { connection } = await served(() => ({
    status,
    headers: headers as Record<string, string>,
    body: 'no',
  }));
  await expect(connection.send(calls(2))).rejects.toMatchObject({ kind, retryAfterMs });
});

test('a batch that is too large for an HTTP server is halved', async () => {
  const { connection } = await served((request) =>
    listOf(request).length > 4 ? { status: 413, body: 'Payload Too Large' } : echo(request),
  );
  expect(results(await connection.send(calls(9)))).toEqual(values(9));
});

test('user and password of an HTTP URL go into the header, not into the URL or errors', async () => {
  const rpc = await RecordedRpc.start(echo);
  open.push({ close: () => rpc.stop() });
  const connection = new RpcConnection(rpc.url.replace('://', '://someone:secret%21word@'));
  expect(results(await connection.send(calls(1)))).toEqual(values(1));
  await rpc.stop();
  open.length = 0;
  const error = await connection.send(calls(1)).catch((failure: Error) => failure);
  expect(String(error)).toMatch(/127\.0\.0\.1:\d+ echo: can't be reached \(ECONNREFUSED\)/);
  expect(String(error)).not.toMatch(/someone|secret/);
});
