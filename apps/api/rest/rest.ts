import type { IncomingMessage, ServerResponse } from 'node:http';
import { GraphQLError, type GraphQLSchema } from 'graphql';
import type { EventDefinition } from '#libs/events/event.js';
import type { Logger } from '#libs/telemetry/logger.js';
import { badInput, maskError } from '../errors.js';
import type { Counted } from '../limits/counted.js';
import { type AllowedOrigins, isAllowed } from '../origins.js';
import type { ReadParts } from '../reads/event-reads.js';
import type { ProgressWatch } from '../reads/progress.js';
import { chainRoutes } from './chain-routes.js';
import { docsPages, jsonPage, type Page } from './docs-page.js';
import { type ErrorAnswer, errorAnswer, notFound } from './errors.js';
import { eventRoutes } from './event-routes.js';
import { openApiDocument } from './openapi.js';
import { type Call, match, type Route, sendJson } from './route.js';
import { totalBridgedRoute } from './total-bridged.js';

const METHODS = 'GET, HEAD, OPTIONS';

/** What REST is made of. */
export interface RestOptions extends ReadParts {
  readonly events: readonly EventDefinition[];
  /** Its fields' arguments and types are REST's, too. */
  readonly schema: GraphQLSchema;
  readonly progress: ProgressWatch;
  readonly logger: Logger;
  readonly corsOrigins: AllowedOrigins;
  /** Where open streams are counted. */
  readonly subscriptions: Counted;
}

/** Answers a request whose path is `/api` or below it. @returns whether it was. */
export type RestHandler = (request: IncomingMessage, response: ServerResponse) => boolean;

/** Makes REST: the resources of every event type and of the chains, their description, and the page to try them. */
export function serveRest(options: RestOptions): RestHandler {
  const { events, schema, logger } = options;
  const routes = [
    ...events.flatMap((event) => eventRoutes(event, schema, options)),
    totalBridgedRoute(schema, options),
    ...chainRoutes(schema, options.progress),
  ];
  const parts = {
    routes,
    pages: new Map([...docsPages(), ['/api/openapi.json', jsonPage(openApiDocument(routes))]]),
    logger,
  };
  return (request, response) => {
    if (!/^\/api([/?]|$)/.test(request.url ?? '')) return false;
    setHeaders(request, response, options.corsOrigins);
    void answer(parts, { request, response, url: new URL(request.url!, 'http://api') });
    return true;
  };
}

interface RestParts {
  readonly routes: readonly Route[];
  /** What is the same for everyone, by path. */
  readonly pages: ReadonlyMap<string, Page>;
  readonly logger: Logger;
}

type Request = Pick<Call, 'request' | 'response' | 'url'>;

async function answer(parts: RestParts, call: Request): Promise<void> {
  const { request, response, url } = call;
  const page = parts.pages.get(url.pathname);
  const met = page ? null : findRoute(parts.routes, url.pathname);
  try {
    if (!page && !met)
      throw notFound(`there is nothing at ${url.pathname.slice(0, 200)}: /api/docs lists what there is`);
    if (request.method === 'OPTIONS') return preflight(request, response);
    if (!['GET', 'HEAD'].includes(request.method!)) throw methodNotAllowed(request.method!);
    if (page) return await page(response);
    const args = met!.route.parameters.read(url.searchParams, decoded(met!.values));
    await met!.route.answer({ ...call, args });
  } catch (error) {
    tell(errorAnswer(maskError(error, parts.logger) as GraphQLError), call, met?.route);
  }
}

function findRoute(routes: readonly Route[], path: string) {
  for (const route of routes) {
    const values = match(route, path);
    if (values) return { route, values };
  }
  return null;
}

function decoded(values: Readonly<Record<string, string>>): Record<string, string> {
  const decode = ([name, text]: [string, string]) => {
    try {
      return [name, decodeURIComponent(text)];
    } catch {
      throw badInput(`${name} has a % that begins no character`);
    }
  };
  return Object.fromEntries(Object.entries(values).map(decode));
}

function tell(error: ErrorAnswer, call: Request, route: Route | undefined): void {
  if (route?.tellError?.(call, error)) return;
  // an answer that breaks off must not look whole
  if (call.response.headersSent) call.response.destroy();
  else sendJson(call.response, error.status, error.body, error.headers);
}

function methodNotAllowed(method: string): GraphQLError {
  return new GraphQLError(`there is no ${method} here, only ${METHODS}`, {
    extensions: { code: 'METHOD_NOT_ALLOWED', http: { status: 405, headers: { allow: METHODS } } },
  });
}

function setHeaders(request: IncomingMessage, response: ServerResponse, allowed: AllowedOrigins): void {
  const { origin } = request.headers;
  response
    .setHeader('cache-control', 'no-store')
    .setHeader('x-content-type-options', 'nosniff')
    .setHeader('vary', 'Origin');
  if (!origin || !isAllowed(origin, allowed)) return;
  response
    .setHeader('access-control-allow-origin', origin)
    .setHeader('access-control-expose-headers', 'Link, Feed-Cursor, Retry-After, X-Request-Id');
}

/** Whether a browser may send what it is about to; only a page of an allowed origin is told more than the methods. */
function preflight(request: IncomingMessage, response: ServerResponse): void {
  const headers = request.headers['access-control-request-headers'];
  if (response.hasHeader('access-control-allow-origin')) {
    response.setHeader('access-control-allow-methods', METHODS);
    if (headers) response.setHeader('access-control-allow-headers', headers);
  }
  response.writeHead(204, { allow: METHODS }).end();
}
