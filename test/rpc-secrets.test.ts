import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { afterEach, describe, expect, test } from 'vitest';
import { ChainClient } from '#libs/chain/chain-client.js';
import type { RequestReport } from '#libs/chain/rpc-transport.js';
import { type Answering, byMethod, RecordedRpc } from './services/recorded-rpc.js';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

/** Where a key may stand in a URL: [path and query, user and password, what must not be shown]. */
const places: [string, string, string, string[]][] = [
  ['in the path', '/v3/KeyInPath0123', '', ['KeyInPath0123']],
  ['in the query', '/rpc?chain=1&apikey=qk7%2Fx', '', ['qk7/x', 'qk7%2Fx']],
  ['alone in the query', '/?c0ffee11', '', ['c0ffee11']],
  ['as user and password', '/', 'someone:pa%24s"w@', ['someone', 'pa$s"w', 'pa%24s"w']],
];

/** Whatever an operator can see of a client: its log, errors, status and reports. */
async function everythingSaid(url: string): Promise<string> {
  const lines: string[] = [];
  const reports: RequestReport[] = [];
  const client = new ChainClient({
    chainId: 7,
    urls: [url],
    batchSize: 100,
    logger: pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) }),
    limits: { timeoutMs: 2_000 },
    onRequest: (report) => reports.push(report),
  });
  open.push(client);
  const error = await client.use((endpoint) => endpoint.headers(1, 2)).catch((failure: Error) => failure);
  expect(error).toBeInstanceOf(Error);
  const { stack, message, failures } = error as Error & { failures?: unknown };
  return [stack, message, JSON.stringify([failures, client.status(), reports, error]), ...lines].join('\n');
}

function assertConcealed(said: string, secrets: readonly string[], userinfo: string): void {
  for (const secret of secrets) {
    expect(said).not.toContain(secret);
    expect(said.toLowerCase()).not.toContain(secret.toLowerCase());
  }
  if (userinfo) expect(said).not.toContain(Buffer.from('someone:pa$s"w').toString('base64'));
}

describe.each(places)('a key %s', (_, path, userinfo, secrets) => {
  const urlOf = (rpc: RecordedRpc, ws: boolean) =>
    `${ws ? rpc.wsUrl : rpc.url}${path}`.replace('://', `://${userinfo}`);
  /** All that a provider could repeat, with a word that shows that its text was passed on. */
  const echo = (rpc: RecordedRpc) =>
    `plan of ${urlOf(rpc, false)} ${secrets.join(' ')} ${secrets.join(' ').toUpperCase()} Basic ${Buffer.from('someone:pa$s"w').toString('base64')} ended`;
  const errorOf = (rpc: RecordedRpc) => ({ message: echo(rpc), data: { url: urlOf(rpc, true), secrets } });
  const answers: [string, boolean, (rpc: RecordedRpc) => Answering][] = [
    ['an error for the call', true, (rpc) => () => ({ body: { id: 1, error: errorOf(rpc) } })],
    ['an error with HTTP 401', true, (rpc) => () => ({ status: 401, body: { error: echo(rpc) } })],
    [
      'an HTML page',
      false,
      (rpc) => () => ({
        status: 403,
        body: `<a href="${echo(rpc)}">`,
        headers: { 'content-type': 'text/html' },
      }),
    ],
    [
      'an error for each call of a batch',
      true,
      (rpc) => (request) =>
        Array.isArray(request)
          ? { body: request.map(({ id }) => ({ id, error: errorOf(rpc) })) }
          : byMethod({ eth_chainId: () => '0x7' })(request),
    ],
    ['a value of the wrong form', false, (rpc) => () => ({ body: { id: 1, result: echo(rpc) } })],
  ];

  test.each(
    answers.flatMap(([how, shows, answering]) =>
      [false, true].map((ws) => [how, ws ? 'WebSocket' : 'HTTP', { ws, shows, answering }] as const),
    ),
  )(
    'is not shown when the provider repeats the URL in %s (%s)',
    async (_how, _transport, { ws, shows, answering }) => {
      const rpc = await RecordedRpc.start(byMethod({}));
      open.push({ close: () => rpc.stop() });
      rpc.answering = answering(rpc);
      const said = await everythingSaid(urlOf(rpc, ws));
      assertConcealed(said, secrets, userinfo);
      expect(said).toContain(`127.0.0.1:${rpc.port}`);
      if (shows) expect(said).toContain('plan of');
    },
  );

  test.each([
    ['HTTP', false],
    ['WebSocket', true],
  ])('is not shown when nobody listens (%s)', async (_transport, ws) => {
    const rpc = await RecordedRpc.start(byMethod({}));
    const url = urlOf(rpc, ws);
    await rpc.stop();
    const said = await everythingSaid(url);
    assertConcealed(said, secrets, userinfo);
    expect(said).toContain("can't be reached");
  });

  test('is not shown when a WebSocket is refused', async () => {
    const server = createServer((request, response) => response.writeHead(401).end(request.url));
    server.on('upgrade', (request, socket) =>
      socket.end(`HTTP/1.1 401 No ${request.url} ${secrets.join(' ')}\r\n\r\n${request.url}`),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    open.push(server);
    const { port } = server.address() as AddressInfo;
    const said = await everythingSaid(`ws://${userinfo}127.0.0.1:${port}${path}`);
    assertConcealed(said, secrets, userinfo);
  });
});
