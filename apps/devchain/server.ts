import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import type { ServedChain } from './chain-view.js';
import type { Faults } from './faults.js';
import { HeadSubscriptions } from './head-subscriptions.js';
import type { Outcome } from './json-rpc.js';
import { RpcDispatcher } from './rpc.js';
import type { ProviderOptions } from './rpc-methods.js';

const BODY_LIMIT_BYTES = 16_000_000;

/** The longest that a request waits for the answer that a fault withholds. */
const SILENCE_MS = 120_000;

export interface DevchainServerOptions extends ProviderOptions {
  readonly chain: ServedChain;
  /** What befalls its requests; each endpoint of a chain is a server with its own. */
  readonly faults?: Faults;
  /** 127.0.0.1 by default. */
  readonly host?: string;
  /** 0, the default, takes a free one. */
  readonly port?: number;
}

export interface DevchainServer {
  /** JSON-RPC over HTTP: POST to any path. */
  readonly url: string;
  /** JSON-RPC over WebSocket, with `eth_subscribe`. */
  readonly wsUrl: string;
  /** Cuts all connections and frees the port; the chain stays as it is. */
  close(): Promise<void>;
}

/**
 * Serves a chain as JSON-RPC over HTTP and WebSocket on one port.
 * @throws the system's error when the port can't be taken.
 */
export async function startDevchainServer(options: DevchainServerOptions): Promise<DevchainServer> {
  const { chain, faults, host = '127.0.0.1', port = 0, ...provider } = options;
  const dispatcher = new RpcDispatcher(chain, provider, faults);
  const server = createServer((request, response) => {
    void answerHttp(dispatcher, request, response);
  });
  server.listen(port, host);
  await once(server, 'listening');
  const stopSockets = serveWebSockets(server, dispatcher, chain);
  const address = server.address() as AddressInfo;
  const authority = `${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
  return {
    url: `http://${authority}`,
    wsUrl: `ws://${authority}`,
    close: async () => {
      stopSockets();
      dispatcher.close();
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answerHttp(
  dispatcher: RpcDispatcher,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    if (request.method !== 'POST') {
      response.writeHead(405, { allow: 'POST', 'content-type': 'text/plain' });
      response.end('This is a JSON-RPC server: POST a request, or connect by WebSocket.\n');
      return;
    }
    const body = await readBody(request);
    if (body === undefined) {
      response.writeHead(413, { connection: 'close' }).end();
      return;
    }
    respond(dispatcher.answer(body, { transport: 'http' }), response);
  } catch {
    // the client went away in the middle of its request
    response.destroy();
  }
}

function respond(outcome: Outcome, response: ServerResponse): void {
  switch (outcome.kind) {
    case 'json':
      response.writeHead(200, { 'content-type': 'application/json' }).end(outcome.text);
      return;
    case 'nothing':
      response.writeHead(204).end();
      return;
    case 'http':
      response.writeHead(outcome.status, outcome.headers).end(outcome.body);
      return;
    case 'silence':
      // until the client gives up, or has waited for longer than any does
      response.setTimeout(SILENCE_MS, () => response.destroy());
      return;
    case 'cut':
      response.destroy();
  }
}

/** @returns undefined when there is more than {@link BODY_LIMIT_BYTES}. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_LIMIT_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** @returns a function that cuts all of them. */
function serveWebSockets(server: Server, dispatcher: RpcDispatcher, chain: ServedChain): () => void {
  const sockets = new WebSocketServer({ server, maxPayload: BODY_LIMIT_BYTES });
  sockets.on('connection', (socket) => {
    const subscriptions = new HeadSubscriptions(chain, socket);
    socket.on('error', () => socket.terminate());
    socket.on('message', (data) => {
      const outcome = dispatcher.answer(data.toString(), {
        transport: 'webSocket',
        subscriber: subscriptions,
      });
      if (outcome.kind === 'json') socket.send(outcome.text);
      if (outcome.kind === 'cut') socket.terminate();
    });
  });
  return () => {
    for (const socket of sockets.clients) socket.terminate();
    sockets.close();
  };
}
