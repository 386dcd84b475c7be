import { afterEach, expect, test } from 'vitest';
import { RpcConnection } from '#libs/chain/rpc-transport.js';
import { type ArrivedCall, byMethod, RecordedRpc } from './services/recorded-rpc.js';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const echo = byMethod({ echo: (value: unknown) => value });
const calls = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ method: 'echo', params: [`value ${i}`] }));

async function serve(answering = echo) {
  const rpc = await RecordedRpc.start(answering);
  const connection = new RpcConnection(rpc.url);
  closing.push(
    () => rpc.stop(),
    () => connection.close(),
  );
  const sizes = () => rpc.requests.map((request) => [request].flat().length);
  return { rpc, connection, sizes };
}

/** What a proxy says that has a bad moment. */
const hiccup = () => ({
  body: { jsonrpc: '2.0', id: null, error: { code: -32_600, message: 'Invalid Request' } },
});

test('after a proxy’s bad moment with a batch, batches are as large as before again', async () => {
  const { rpc, connection, sizes } = await serve();
  rpc.answering = (request) => {
    rpc.answering = echo;
    return Array.isArray(request) ? hiccup() : echo(request);
  };
  const together = async () => (await connection.sendTelling(calls(2), 'news')).together;
  expect(await together()).toBe(1);
  for (let sent = 0; (await together()) < 2; sent++) expect(sent).toBeLessThan(20);
  expect(sizes().at(-1)).toBe(2);
});

test('a server that takes no batches is asked for one ever more seldom, and every call gets its answer', async () => {
  const { connection, sizes } = await serve((request: ArrivedCall | ArrivedCall[]) =>
    Array.isArray(request) ? { body: { error: 'batch requests are disabled' } } : echo(request),
  );
  const tries: number[] = [];
  for (let sent = 0; sent < 400; sent++) {
    const before = sizes().length;
    const replies = await connection.send(calls(2));
    expect(replies).toEqual([{ result: 'value 0' }, { result: 'value 1' }]);
    if (sizes().slice(before).includes(2)) tries.push(sent);
  }
  const waits = tries.slice(1).map((at, i) => at - tries[i]!);
  expect(waits).toEqual([10, 20, 40, 80, 160]);
});

test('a smaller limit is found again after each try of more', async () => {
  const { connection, sizes } = await serve((request) =>
    [request].flat().length > 10
      ? { body: { id: null, error: { message: 'batch limit 10 exceeded' } } }
      : echo(request),
  );
  for (let sent = 0; sent < 60; sent++) expect(await connection.send(calls(40))).toHaveLength(40);
  expect(sizes().filter((size) => size > 10).length).toBeLessThan(12);
  expect(Math.max(...sizes().slice(-4))).toBe(10);
});
