import { renderGraphiQL } from '@graphql-yoga/render-graphiql';
import type { GraphQLSchema } from 'graphql';
import { createYoga, type Plugin } from 'graphql-yoga';
import { LRUCache } from 'lru-cache';
import type { ApiLimits } from '#libs/config/api-config.js';
import type { Logger } from '#libs/telemetry/logger.js';
import { maskError } from '../errors.js';
import type { Gate } from '../limits/gate.js';
import { limits } from '../limits/limits.js';
import { queryLimits } from '../limits/query-limits.js';
import { subscriptionLimits } from '../limits/subscription-limits.js';
import { type AllowedOrigins, isAllowed } from '../origins.js';
import { defaultQuery } from './graphiql.js';
import { pacedResponses } from './paced-response.js';
import { sharedExecution } from './shared-execution.js';

interface YogaOptions {
  /** The schema at the moment of a request. */
  readonly schema: () => GraphQLSchema;
  readonly logger: Logger;
  readonly corsOrigins: AllowedOrigins;
  readonly limits: ApiLimits;
  /** Where subscriptions and large queries are counted. */
  readonly gate: Gate;
}

export type Yoga = ReturnType<typeof graphqlServer>;

/** GraphQL over HTTP and SSE, and the pipeline that WebSockets use, too: limits, masking; and GraphiQL. */
export function graphqlServer(options: YogaOptions) {
  const { gate } = options;
  const { introspection, graphiql, apiKeys } = options.limits;
  const spend = (requests: number) => gate.spend(requests);
  return createYoga({
    logging: false,
    landingPage: false,
    renderGraphiQL,
    graphiql: graphiql && {
      title: 'Event Monitor',
      // a key in its headers tab goes with requests only, not with a WebSocket
      subscriptionsProtocol: apiKeys.length ? 'SSE' : 'WS',
      defaultQuery,
    },
    cors: (request) => corsOf(request.headers.get('origin'), options.corsOrigins),
    maskedErrors: { maskError: (error) => maskError(error, options.logger) },
    maxRequestBodySize: limits.bodyBytes,
    // nothing is a file here, and forms would need no preflight from other origins
    multipart: false,
    parserAndValidationCache: {
      documentCache: new LRUCache({ max: limits.keptQueries }),
      // what can't be read is not worth keeping; yoga wants a cache all the same
      errorCache: new LRUCache({ max: 1 }),
    },
    plugins: [
      // a function as yoga's own `schema` would be asked for HTTP requests only, not for operations of WebSockets
      { onEnveloped: ({ setSchema }) => setSchema(options.schema()) } satisfies Plugin,
      // before the limits: it replaces how subscriptions are done, which the limits wrap
      sharedExecution(),
      ...queryLimits({ introspection, spend }),
      subscriptionLimits(gate.subscriptions),
      pacedResponses(),
    ],
  });
}

/** Whether a request is for GraphiQL, by yoga's own rule: such a request is never executed. */
export function wantsGraphiQL(method: string | undefined, accept: string | undefined): boolean {
  return method === 'GET' && accept?.includes('text/html') === true;
}

function corsOf(origin: string | null, allowed: AllowedOrigins) {
  if (!origin || !isAllowed(origin, allowed)) return false as const;
  const exposedHeaders = ['retry-after', 'x-request-id'];
  return { origin, methods: ['GET', 'POST', 'OPTIONS'], exposedHeaders };
}
