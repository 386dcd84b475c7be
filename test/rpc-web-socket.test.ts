import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { RpcConnection } from '#libs/chain/rpc-transport.js';
import { byMethod, RecordedRpc } from './services/recorded-rpc.js';
import { until } from './services/until.js';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

const node = byMethod({ eth_chainId: () => '0x7', eth_subscribe: () => '0x1' });
const head = { jsonrpc: '2.0', method: 'eth_subscription', params: { subscription: '0x1', result: {} } };
const ask = [{ method: 'eth_chainId', params: [] }];

async function served() {
  const rpc = await RecordedRpc.start(node);
  open.push({ close: () => rpc.stop() });
  const connection = new RpcConnection(rpc.wsUrl, { timeoutMs: 5_000 });
  open.push(connection);
  return { rpc, connection };
}

test('calls that wait are told when the connection breaks, and the next one connects again', async () => {
  const { rpc, connection } = await served();
  await connection.send(ask);
  const { session } = connection;
  rpc.answering = () => null;
  const pending = connection.send(ask);
  await until('the call', () => rpc.requests.length === 2);
  rpc.cut();
  await expect(pending).rejects.toMatchObject({
    kind: 'transient',
    message: expect.stringContaining('broke'),
  });
  rpc.answering = node;
  expect(await connection.send(ask)).toEqual([{ result: '0x7' }]);
  expect(connection.session).not.toBe(session);
});

test('new heads are told again after the connection was cut', async () => {
  const { rpc, connection } = await served();
  let heard = 0;
  const stop = connection.onNewHead(() => heard++)!;
  await until('a subscription', () => rpc.calls('eth_subscribe').length === 1);
  rpc.tell(head);
  await until('a head', () => heard === 1);
  rpc.cut();
  await until('a second subscription', () => rpc.calls('eth_subscribe').length === 2);
  rpc.tell(head);
  await until('another head', () => heard === 2);
  stop();
  rpc.tell(head);
  await connection.send(ask);
  expect(heard).toBe(2);
});

test('an answer without an id reaches the calls that wait', async () => {
  const { rpc, connection } = await served();
  rpc.answering = () => ({ body: { id: null, error: { message: 'parse error' } } });
  const [reply] = await connection.send(ask);
  expect(reply).toMatchObject({ error: { kind: 'transient' } });
});

test('a server that refuses the connection for a missing key says auth', async () => {
  const server = createServer((_, response) => response.writeHead(401).end());
  server.on('upgrade', (_, socket) => socket.end('HTTP/1.1 401 Unauthorized\r\n\r\n'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push(server);
  const connection = new RpcConnection(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  open.push(connection);
  await expect(connection.send(ask)).rejects.toMatchObject({ kind: 'auth' });
});

test('a server that is away is unreachable, and reached when it is back', async () => {
  const { rpc, connection } = await served();
  const { port } = rpc;
  await rpc.stop();
  open.splice(0, 1);
  await expect(connection.send(ask)).rejects.toMatchObject({
    kind: 'transient',
    message: expect.stringMatching(/can't be reached \(ECONNREFUSED\)/),
  });
  const back = await RecordedRpc.start(node, port);
  open.unshift({ close: () => back.stop() });
  expect(await connection.send(ask)).toEqual([{ result: '0x7' }]);
});
