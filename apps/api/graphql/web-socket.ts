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
import { SLOW_CLIENT_MS } from './pacing.js';
import { socketOperations } from './socket-operations.js';
import type { Yoga } from './yoga.js';

/** How long clients may take to say goodbye when the API closes. */
const GOODBYE_MS = 500;

/**
 * GraphQL over WebSocket (graphql-transport-ws), through the same pipeline as HTTP: plugins and masking apply to both.
 * @returns `dispose`, which closes all of them with 1001, and cuts those that don't answer that.
 */
export function serveWebSocket(
  server: Server,
  yoga: Yoga,
  origins: AllowedOrigins,
  gate: Gate,
  ready: Promise<unknown>,
): { dispose: () => Promise<void> } {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: limits.bodyBytes });
  server.on('upgrade', async (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    const refusal = refusalOf(request, yoga.graphqlEndpoint, origins);
    if (refusal) return refuse(socket, refusal);
    await ready;
    const opened = await gate.openWebSocket(request);
    if (opened instanceof GraphQLError) return socket.end(httpAnswer(opened));
    // whoever has gone while it waited won't close again
    if (socket.destroyed) return opened();
    socket.once('close', opened);
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      limitSocket(webSocket);
      sockets.emit('connection', webSocket, request);
      // graphql-ws would write what a client did wrong to stderr; the client gets the protocol's code as it is
      webSocket.removeAllListeners('error').on('error', () => {});
    });
  });
  const serving = useServer(socketOperations(yoga, gate), sockets, SLOW_CLIENT_MS);
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
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
