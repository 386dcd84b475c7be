import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import type { SimulatedChain } from './chain.js';
import { HeadSubscriptions } from './head-subscriptions.js';
import { RpcDispatcher } from './rpc.js';
import type { ProviderOptions } from './rpc-methods.js';

const BODY_LIMIT_BYTES = 16_000_000;

export interface DevchainServerOptions extends ProviderOptions {
  readonly chain: SimulatedChain;
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
  const { chain, host = '127.0.0.1', port = 0, ...provider } = options;
  const dispatcher = new RpcDispatcher(chain, provider);
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
    const answer = await dispatcher.answer(body);
    if (answer === undefined) response.writeHead(204).end();
    else response.writeHead(200, { 'content-type': 'application/json' }).end(answer);
  } catch {
    // the client went away in the middle of its request
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
function serveWebSockets(server: Server, dispatcher: RpcDispatcher, chain: SimulatedChain): () => void {
  const sockets = new WebSocketServer({ server, maxPayload: BODY_LIMIT_BYTES });
  sockets.on('connection', (socket) => {
    const subscriptions = new HeadSubscriptions(chain, socket);
    socket.on('error', () => socket.terminate());
    socket.on('message', (data) => {
      void dispatcher.answer(data.toString(), subscriptions).then((answer) => {
        if (answer !== undefined) socket.send(answer);
      });
    });
  });
  return () => {
    for (const socket of sockets.clients) socket.terminate();
    sockets.close();
  };
}
