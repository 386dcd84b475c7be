import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ApiLimits } from '#libs/config/api-config.js';
import type { Database } from '#libs/database/database.js';
import type { HealthServer } from '#libs/telemetry/health-server.js';
import type { Logger } from '#libs/telemetry/logger.js';
import { measureChains } from './chain-metrics.js';
import { CommitFeed, type Doorbell } from './feed/commit-feed.js';
import { LiveReaders } from './feed/live-reader.js';
import { buildApiSchema } from './graphql/schema.js';
import { serveWebSocket } from './graphql/web-socket.js';
import { graphqlServer, wantsGraphiQL } from './graphql/yoga.js';
import { Gate } from './limits/gate.js';
import { ReadTurns } from './limits/read-turns.js';
import type { AllowedOrigins } from './origins.js';
import { KnownChains } from './reads/known-chains.js';
import { ProgressWatch } from './reads/progress.js';
import { serveRest } from './rest/rest.js';
import { ServedEvents } from './served-events.js';
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
  readonly limits: ApiLimits;
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
  const turns = new ReadTurns();
  const reads = database.admitting((read) => turns.take(read));
  const parts = {
    database: reads,
    feed,
    live: new LiveReaders(feed),
    chains: new KnownChains(database),
    progress,
  };
  const isPublic = (request: IncomingMessage) => isPage(request, options.limits.graphiql);
  const gate = new Gate(http.server, { ...options, isPublic });
  const { subscriptions } = gate;
  const served = new ServedEvents(
    database,
    (events) => {
      const schema = buildApiSchema(events, parts);
      const { corsOrigins } = options;
      return { schema, rest: serveRest({ ...parts, events, schema, logger, corsOrigins, subscriptions }) };
    },
    logger,
  );
  const yoga = graphqlServer({ ...options, schema: () => served.current.schema, gate });
  const started = served.start();
  const sockets = serveWebSocket(http.server, yoga, options.corsOrigins, gate, started);
  http.check('events', () => served.problem);
  http.check('feed', () => feed.problem);
  http.handle(async (request, response) => {
    await started;
    await gate.pass(request, response, () => {
      if (!answerPage(request, response) && !served.current.rest(request, response))
        void yoga(request, response);
    });
  });
  feed.start(options.broker);
  progress.start();
  await started;
  const endMeasuring = measureChains(progress);
  const close = async () => {
    endMeasuring();
    // the sockets first: their clients see 1001, which says to come back, before their subscriptions end
    const disposed = sockets.dispose();
    await Promise.all([feed.close(), progress.stop(), served.stop(), disposed]);
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

/** Pages that hold no data need no key: the status page, GraphiQL, the page and description of REST. */
function isPage({ method, url, headers }: IncomingMessage, graphiql: boolean): boolean {
  const path = url?.split('?')[0] ?? '';
  if (/^\/(status|api|api\/docs(\/.*)?|api\/openapi\.json)?$/.test(path)) return true;
  return graphiql && path === '/graphql' && wantsGraphiQL(method, headers.accept);
}
