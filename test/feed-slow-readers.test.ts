import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { buildSchema } from 'graphql';
import { createYoga } from 'graphql-yoga';
import { afterEach, expect, inject, test } from 'vitest';
import { pacedResponses } from '#apps/api/graphql/paced-response.js';
import { apiMetrics } from '#libs/telemetry/metrics.js';
import { startTestApi } from './services/api.js';
import { LedgerFixture } from './services/ledger-fixture.js';
import { until } from './services/until.js';

const closing: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Messages far larger than what a socket takes at once, and how many were asked for. */
function endlessStream() {
  const stream = { pulled: 0, ended: 0 };
  const text = 'x'.repeat(200_000);
  const subscribe = async function* () {
    try {
      for (;;) {
        stream.pulled++;
        yield { text };
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      stream.ended++;
    }
  };
  return { stream, rootFields: { text: subscribe } };
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

test('an event stream that is not read is asked for no more messages, and cut; one beside it goes on', async () => {
  const { stream, rootFields } = endlessStream();
  const schema = buildSchema('type Query { a: Int } type Subscription { text: String }');
  schema.getSubscriptionType()!.getFields().text!.subscribe = rootFields.text;
  const yoga = createYoga({ schema, logging: false, plugins: [pacedResponses(300)] });
  const port = await listen(createServer((request, response) => void yoga(request, response)));
  const path = `/graphql?query=${encodeURIComponent('subscription { text }')}`;
  const asking = `GET ${path} HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n`;
  const reader = connect(port, '127.0.0.1');
  let read = 0;
  reader.on('data', (data) => {
    read += data.length;
  });
  reader.on('error', () => {});
  closing.push(() => reader.destroy());
  reader.write(asking);
  await until('the reader', () => read > 0);

  const stopped = connect(port, '127.0.0.1');
  stopped.on('error', () => {});
  closing.push(() => stopped.destroy());
  stopped.pause();
  stopped.write(asking);
  await until('the end of the one that does not read', () => stream.ended === 1);
  const before = read;
  await until('more for the reader', () => read > before + 10_000_000);
  expect(stream.ended).toBe(1);
  reader.destroy();
  await until('the end of both', () => stream.ended === 2);
});

test('an event stream whose client goes away while nothing happens ends', async () => {
  const ledger = await LedgerFixture.create(inject('postgresUrl'));
  closing.push(() => ledger.close());
  const api = await startTestApi({ database: ledger.database });
  closing.push(() => api.close());
  const subscribers = async () => {
    const { values } = await apiMetrics.subscribers.get();
    return values.find(({ labels }) => labels.event === 'SocketBridge')?.value ?? 0;
  };
  const stop = new AbortController();
  const query = encodeURIComponent('subscription { socketBridgeEvents { cursor } }');
  const response = await fetch(`${api.url}/graphql?query=${query}`, {
    headers: { accept: 'text/event-stream' },
    signal: stop.signal,
  });
  await until('the subscription', async () => (await subscribers()) === 1);
  stop.abort();
  await response.text().catch(() => {});
  await until('its end', async () => (await subscribers()) === 0);
});
