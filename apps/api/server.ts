import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { renderGraphiQL } from '@graphql-yoga/render-graphiql';
import type { ExecutionArgs, ExecutionResult, GraphQLError } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { createYoga } from 'graphql-yoga';
import { WebSocketServer } from 'ws';
import type { Broker } from '#libs/broker/broker.js';
import type { Database } from '#libs/database/database.js';
import { feedHead } from '#libs/database/feed-log.js';
import type { Logger } from '#libs/telemetry/logger.js';
import { maskError } from './errors.js';
import { CommitFeed } from './feed/commit-feed.js';
import { endable } from './feed/endable.js';
import { FinalizedBlocks } from './finalized-blocks.js';
import { defaultQuery } from './graphiql.js';
import { ProgressWatch } from './progress.js';
import { buildApiSchema } from './schema.js';
import { statusPage } from './status-page.js';

/** What the API needs. */
export interface ApiOptions {
  readonly database: Database;
  readonly broker: Pick<Broker, 'onRing'>;
  readonly logger: Logger;
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  /** Origins that browsers may call from; `localhost`: any page of this machine. */
  readonly corsOrigins: readonly string[] | 'localhost';
}

export interface RunningApi {
  /** `http://host:port` */
  readonly url: string;
  close(): Promise<void>;
}

/** A WebSocket that doesn't take what is sent is asked to wait at this many bytes, and closed after some time. */
const SOCKET_BUFFER_BYTES = 1_000_000;
const SLOW_CLIENT_MS = 30_000;
/** Close code for a client that doesn't read: it may come back with its last cursor. */
const SLOW_CLIENT_CODE = 4_409;

/** Starts GraphQL (HTTP, SSE, WebSocket), GraphiQL, the status page and the health checks on one HTTP server. */
export async function startApi(options: ApiOptions): Promise<RunningApi> {
  const { database, logger } = options;
  const feed = new CommitFeed(database, logger);
  const progress = new ProgressWatch(database, logger);
  const schema = buildApiSchema({ database, feed, finalized: new FinalizedBlocks(database), progress });
  const yoga = createYoga({
    schema,
    logging: false,
    landingPage: false,
    renderGraphiQL,
    graphiql: {
      title: 'Event Monitor',
      subscriptionsProtocol: 'WS',
      defaultQuery,
    },
    cors: (request) => corsOf(request.headers.get('origin'), options.corsOrigins),
    maskedErrors: { maskError: (error) => maskError(error, logger) },
  });
  const server = createServer((request, response) => {
    const answered = answerPage(request, response, database);
    if (!answered) void yoga(request, response);
  });
  const sockets = serveWebSocket(server, yoga);
  await feed.start(options.broker);
  progress.start();
  const open = trackConnections(server);
  await listen(server, options);
  return {
    url: `http://${options.host.includes(':') ? `[${options.host}]` : options.host}:${(server.address() as AddressInfo).port}`,
    async close() {
      progress.stop();
      await feed.close();
      await sockets.dispose();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        setTimeout(() => open.forEach((socket) => void socket.destroy()), 500).unref();
      });
    },
  };
}

function listen(server: Server, { host, port }: ApiOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE';
      reject(
        taken
          ? new Error(`port ${port} of ${host} is taken: set PORT to another one, or to 0 for any`)
          : error,
      );
    });
    server.listen(port, host, resolve);
  });
}

function trackConnections(server: Server): Set<Socket> {
  const open = new Set<Socket>();
  server.on('connection', (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  return open;
}

/** Everything that isn't GraphQL. @returns whether it was answered. */
function answerPage(request: IncomingMessage, response: ServerResponse, database: Database): boolean {
  const path = request.url?.split('?')[0];
  if (path === '/') response.writeHead(302, { location: '/status' }).end();
  else if (path === '/status')
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(statusPage);
  else if (path === '/healthz') response.writeHead(200, { 'content-type': 'text/plain' }).end('alive\n');
  else if (path === '/readyz') void answerReadiness(response, database);
  else return false;
  return true;
}

async function answerReadiness(response: ServerResponse, database: Database): Promise<void> {
  try {
    await feedHead(database.statements);
    response.writeHead(200, { 'content-type': 'text/plain' }).end('ready\n');
  } catch {
    response
      .writeHead(503, { 'content-type': 'text/plain' })
      .end('not ready: Postgres does not answer, or its schema is not migrated\n');
  }
}

function corsOf(origin: string | null, allowed: ApiOptions['corsOrigins']) {
  if (!origin) return false as const;
  const local =
    allowed === 'localhost' && /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/.test(origin);
  const listed = allowed !== 'localhost' && (allowed.includes(origin) || allowed.includes('*'));
  return local || listed ? { origin, methods: ['GET', 'POST', 'OPTIONS'] } : (false as const);
}

type Yoga = ReturnType<typeof createYoga>;

/** GraphQL over WebSocket (graphql-transport-ws), through the same pipeline as HTTP: plugins and masking apply to both. */
function serveWebSocket(server: Server, yoga: Yoga) {
  const sockets = new WebSocketServer({ server, path: yoga.graphqlEndpoint, maxPayload: 1_000_000 });
  return useServer(
    {
      execute: (args) => (args as EnvelopedArgs).rootValue.execute(args),
      subscribe: async (args) => {
        const { rootValue, socket } = args as EnvelopedArgs;
        const result = await rootValue.subscribe(args);
        return Symbol.asyncIterator in (result as object)
          ? endable((ended) => paced(result as AsyncGenerator<ExecutionResult>, socket, ended))
          : result;
      },
      onSubscribe: async (context, _id, params) => {
        const { request, socket } = context.extra;
        const enveloped = yoga.getEnveloped({ ...context, req: request, socket, params });
        const args = {
          schema: enveloped.schema,
          operationName: params.operationName,
          document: enveloped.parse(params.query),
          variableValues: params.variables,
          contextValue: await enveloped.contextFactory(),
          rootValue: { execute: enveloped.execute, subscribe: enveloped.subscribe },
          socket,
        };
        const errors = enveloped.validate(args.schema, args.document) as readonly GraphQLError[];
        return errors.length ? errors : (args as unknown as ExecutionArgs);
      },
    },
    sockets,
  );
}

interface EnvelopedArgs extends ExecutionArgs {
  rootValue: { execute: (args: ExecutionArgs) => never; subscribe: (args: ExecutionArgs) => never };
  socket: { bufferedAmount: number; close(code: number, reason: string): void };
}

/** Pulls the next message only when the socket has taken the ones before; a client that doesn't read is closed. */
async function* paced<T>(
  messages: AsyncGenerator<T>,
  socket: EnvelopedArgs['socket'],
  ended: AbortSignal,
): AsyncGenerator<T> {
  ended.addEventListener('abort', () => void messages.return(undefined), { once: true });
  try {
    for await (const message of messages) {
      yield message;
      const end = performance.now() + SLOW_CLIENT_MS;
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
