import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { renderGraphiQL } from '@graphql-yoga/render-graphiql';
import { createYoga } from 'graphql-yoga';
import type { Broker } from '#libs/broker/broker.js';
import type { Database } from '#libs/database/database.js';
import { feedHead } from '#libs/database/feed-log.js';
import type { Logger } from '#libs/telemetry/logger.js';
import { maskError } from './errors.js';
import { CommitFeed } from './feed/commit-feed.js';
import { FinalizedBlocks } from './finalized-blocks.js';
import { defaultQuery } from './graphiql.js';
import { type AllowedOrigins, isAllowed } from './origins.js';
import { ProgressWatch } from './progress.js';
import { buildApiSchema } from './schema.js';
import { statusPage } from './status-page.js';
import { serveWebSocket } from './web-socket.js';

/** What the API needs. */
export interface ApiOptions {
  readonly database: Database;
  readonly broker: Pick<Broker, 'onRing'>;
  readonly logger: Logger;
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  readonly corsOrigins: AllowedOrigins;
}

export interface RunningApi {
  /** `http://host:port` */
  readonly url: string;
  close(): Promise<void>;
}

/** Clients get this long to take their last messages when the API closes; then their connections are cut. */
const LAST_MESSAGES_MS = 500;

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
  const sockets = serveWebSocket(server, yoga, options.corsOrigins);
  const open = trackConnections(server);
  await listen(server, options);
  await feed.start(options.broker);
  progress.start();
  const close = async () => {
    progress.stop();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    // the sockets first: their clients see 1001, which says to come back, before their subscriptions end
    const disposed = sockets.dispose();
    setTimeout(() => open.forEach((socket) => void socket.destroy()), LAST_MESSAGES_MS);
    await Promise.all([feed.close(), disposed, closed]);
  };
  let closing: Promise<void> | null = null;
  return {
    url: `http://${options.host.includes(':') ? `[${options.host}]` : options.host}:${(server.address() as AddressInfo).port}`,
    close() {
      closing ??= close();
      return closing;
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

function corsOf(origin: string | null, allowed: AllowedOrigins) {
  if (!origin || !isAllowed(origin, allowed)) return false as const;
  return { origin, methods: ['GET', 'POST', 'OPTIONS'] };
}
