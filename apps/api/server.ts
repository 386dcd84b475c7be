import type { IncomingMessage, ServerResponse } from 'node:http';
import { renderGraphiQL } from '@graphql-yoga/render-graphiql';
import { createYoga } from 'graphql-yoga';
import type { Database } from '#libs/database/database.js';
import type { HealthServer } from '#libs/telemetry/health-server.js';
import type { Logger } from '#libs/telemetry/logger.js';
import { measureChains } from './chain-metrics.js';
import { maskError } from './errors.js';
import { CommitFeed, type Doorbell } from './feed/commit-feed.js';
import { defaultQuery } from './graphql/graphiql.js';
import { buildApiSchema } from './graphql/schema.js';
import { serveWebSocket } from './graphql/web-socket.js';
import { type AllowedOrigins, isAllowed } from './origins.js';
import { KnownChains } from './reads/known-chains.js';
import { ProgressWatch } from './reads/progress.js';
import { serveRest } from './rest/rest.js';
import { statusPage } from './status-page.js';

/** What the API needs. */
export interface ApiOptions {
  readonly database: Database;
  /** The doorbell; a broker that isn't there yet is waited for in the background. */
  readonly broker: Promise<Doorbell> | Doorbell;
  readonly logger: Logger;
  /** Serves it, beside health, readiness and metrics; whoever opened it closes it. */
  readonly http: HealthServer;
  readonly corsOrigins: AllowedOrigins;
}

export interface RunningApi {
  /** `http://host:port` */
  readonly url: string;
  /** How the chains are doing, as it shows it. */
  readonly progress: ProgressWatch;
  /** Ends all subscriptions, telling their clients to come back. */
  close(): Promise<void>;
}

/** Serves GraphQL (HTTP, SSE, WebSocket), GraphiQL, REST and the status page. */
export async function startApi(options: ApiOptions): Promise<RunningApi> {
  const { database, logger, http } = options;
  const feed = new CommitFeed(database, logger);
  const progress = new ProgressWatch(database, logger);
  const parts = { database, feed, chains: new KnownChains(database), progress };
  const schema = buildApiSchema(parts);
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
  const sockets = serveWebSocket(http.server, yoga, options.corsOrigins);
  const rest = serveRest({ ...parts, schema, logger, corsOrigins: options.corsOrigins });
  http.handle((request, response) => {
    if (!answerPage(request, response) && !rest(request, response)) void yoga(request, response);
  });
  http.check('feed', () => feed.problem);
  feed.start(options.broker);
  progress.start();
  const endMeasuring = measureChains(progress);
  const close = async () => {
    endMeasuring();
    progress.stop();
    // the sockets first: their clients see 1001, which says to come back, before their subscriptions end
    const disposed = sockets.dispose();
    await Promise.all([feed.close(), disposed]);
  };
  let closing: Promise<void> | null = null;
  return {
    url: http.url,
    progress,
    close() {
      closing ??= close();
      return closing;
    },
  };
}

/** The pages. @returns whether it was answered. */
function answerPage(request: IncomingMessage, response: ServerResponse): boolean {
  const path = request.url?.split('?')[0];
  if (path === '/') response.writeHead(302, { location: '/status' }).end();
  else if (path === '/status')
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(statusPage);
  else return false;
  return true;
}

function corsOf(origin: string | null, allowed: AllowedOrigins) {
  if (!origin || !isAllowed(origin, allowed)) return false as const;
  return { origin, methods: ['GET', 'POST', 'OPTIONS'] };
}
