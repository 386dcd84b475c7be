import { afterAll, beforeAll, expect, test } from 'vitest';
import { SOCKET_BRIDGE } from '#apps/devchain/socket-gateway.js';
import { explainsBloom } from '#libs/chain/bloom.js';
import { Endpoint } from '#libs/chain/endpoint.js';
import { type Anvil, startAnvil } from './services/anvil.js';
import { deployGateway, type Gateway } from './services/gateway.js';

let anvil: Anvil;
let gateway: Gateway;
const endpoints: Endpoint[] = [];

beforeAll(async () => {
  anvil = await startAnvil();
  gateway = await deployGateway(anvil.url);
});
afterAll(async () => {
  for (const endpoint of endpoints) endpoint.close();
  gateway?.close();
  await anvil?.stop();
});

function endpointAt(url: string): Endpoint {
  const endpoint = new Endpoint(url, 100);
  endpoints.push(endpoint);
  return endpoint;
}
const filter = () => ({ addresses: [gateway.address], topics: [SOCKET_BRIDGE] });

test('over HTTP and over WebSocket, each block of a real node gets the logs that were emitted in it', async () => {
  const mined = [await gateway.emitBridge({}, {}), await gateway.emitOther(), await gateway.emitBridge({})];
  await gateway.mine(60);
  for (const url of [anvil.url, anvil.wsUrl]) {
    const endpoint = endpointAt(url);
    const headers = await endpoint.headers(mined[0]!.blockNumber, await gateway.head());
    const blocks = await endpoint.blockLogs(headers, filter(), { bloomProvesAbsence: true });
    expect(blocks.slice(0, 3).map(({ logs }) => logs.map(({ txHash }) => txHash))).toEqual([
      [mined[0]!.txHash, mined[0]!.txHash],
      [],
      [mined[2]!.txHash],
    ]);
    expect(blocks).toHaveLength(63);
  }
});

test('the blooms that a real node computes are explained by its logs, and by fewer they are not', async () => {
  const { blockNumber } = await gateway.emitBridge({}, {});
  const [header] = await endpointAt(anvil.url).headers(blockNumber, blockNumber);
  const logs = await gateway.provider.getLogs({ blockHash: header!.hash });
  const lowered = logs.map(({ address, topics }) => ({ address: address.toLowerCase(), topics }));
  expect(explainsBloom(lowered, header!.logsBloom)).toBe(true);
  expect(explainsBloom([], header!.logsBloom)).toBe(false);
});

test('after a reorg the logs of a replaced block are refused, not answered empty', async () => {
  const endpoint = endpointAt(anvil.url);
  const { blockNumber } = await gateway.emitBridge({});
  const headers = await endpoint.headers(blockNumber, blockNumber);
  await gateway.reorg(1);
  const asked = endpoint.blockLogs(headers, filter(), { bloomProvesAbsence: true });
  await expect(asked).rejects.toMatchObject({ kind: 'head_behind' });
  const [now] = await endpoint.headers(blockNumber, blockNumber);
  expect(now!.hash).not.toBe(headers[0]!.hash);
  expect(await endpoint.blockLogs([now!], filter(), { bloomProvesAbsence: true })).toEqual([
    { logs: [], proven: false },
  ]);
});
