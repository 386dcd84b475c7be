import { type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { GraphQLError } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import type { Gate } from '../limits/gate.js';
import { httpAnswer } from '../limits/http-answer.js';
import { limits } from '../limits/limits.js';
import { limitSocket } from '../limits/socket-limits.js';
import { type AllowedOrigins, isAllowed } from '../origins.js';
import { socketOperations } from './socket-operations.js';
import type { Yoga } from './yoga.js';

/** A WebSocket that doesn't take what is sent is asked to wait at this many bytes, and closed after some time. */
const SOCKET_BUFFER_BYTES = 1_000_000;
const SLOW_CLIENT_MS = 30_000;
/** Close code for a client that doesn't read: it may come back with its last cursor. */
const SLOW_CLIENT_CODE = 4_409;
/** How long clients may take to say goodbye when the API closes. */
const GOODBYE_MS = 500;

/** What `paced` needs of a WebSocket. */
export interface PacedSocket {
  /** Bytes that were given to it and that the network hasn't taken. */
  readonly bufferedAmount: number;
  close(code: number, reason: string): void;
}

/**
 * GraphQL over WebSocket (graphql-transport-ws), through the same pipeline as HTTP: plugins and masking apply to both.
 * @returns `dispose`, which closes all of them with 1001, and cuts those that don't answer that.
 */
export function serveWebSocket(
  server: Server,
  yoga: Yoga,
  origins: AllowedOrigins,
  gate: Gate,
): { dispose: () => Promise<void> } {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: limits.bodyBytes });
  server.on('upgrade', async (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    const refusal = refusalOf(request, yoga.graphqlEndpoint, origins);
    if (refusal) return refuse(socket, refusal);
    const opened = await gate.openWebSocket(request);
    if (opened instanceof GraphQLError) return socket.end(httpAnswer(opened));
    socket.once('close', opened);
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      limitSocket(webSocket);
      sockets.emit('connection', webSocket, request);
      // graphql-ws would write what a client did wrong to stderr; the client gets the protocol's code as it is
      webSocket.removeAllListeners('error').on('error', () => {});
    });
  });
  const serving = useServer(socketOperations(yoga, gate, paced), sockets);
  return {
    async dispose() {
      const cut = setTimeout(() => {
        for (const client of sockets.clients) client.terminate();
      }, GOODBYE_MS);
      await serving.dispose();
      clearTimeout(cut);
    },
  };
}

/** Browsers ask for no permission before they open a WebSocket to another origin: the server has to look. */
function refusalOf(request: IncomingMessage, path: string, origins: AllowedOrigins): number | null {
  if (request.url?.split('?')[0] !== path) return 404;
  const { origin, host } = request.headers;
  const own = origin === `http://${host}` || origin === `https://${host}`;
  return !origin || own || isAllowed(origin, origins) ? null : 403;
}

function refuse(socket: Duplex, status: number): void {
  socket.on('error', () => socket.destroy());
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

/**
 * Pulls the next message only when the socket has taken the ones before; a client that doesn't read is closed.
 * @param ended aborted when the subscription is over; @param patienceMs how long a client may not read.
 */
export async function* paced<T>(
  messages: AsyncGenerator<T>,
  socket: PacedSocket,
  ended: AbortSignal,
  patienceMs = SLOW_CLIENT_MS,
): AsyncGenerator<T> {
  ended.addEventListener('abort', () => void messages.return(undefined), { once: true });
  try {
    for await (const message of messages) {
      yield message;
      const end = performance.now() + patienceMs;
      while (socket.bufferedAmount > SOCKET_BUFFER_BYTES && !ended.aborted) {
        if (performance.now() > end) {
          socket.close(SLOW_CLIENT_CODE, 'too slow: go on with the last cursor');
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  } finally {
    await messages.return(undefined);
  }
}
