import { GraphQLError } from 'graphql';
import { apiMetrics } from '#libs/telemetry/metrics.js';

/** The code of every refusal that this folder speaks, and its HTTP status. docs/limits.md lists them. */
const statuses = {
  BAD_REQUEST: 400,
  UNAUTHENTICATED: 401,
  REQUEST_ENTITY_TOO_LARGE: 413,
  URI_TOO_LONG: 414,
  RATE_LIMITED: 429,
  TOO_MANY_CONNECTIONS: 429,
  TOO_MANY_SUBSCRIPTIONS: 429,
  TOO_MANY_READS: 429,
  QUERY_TOO_LONG: 400,
  TOO_MANY_TOKENS: 400,
  QUERY_TOO_DEEP: 400,
  TOO_MANY_ALIASES: 400,
  QUERY_TOO_EXPENSIVE: 400,
} as const;

type RefusalCode = keyof typeof statuses;

/**
 * A limit was exceeded, or a client isn't known. The message says what was found, what is allowed and what to do.
 * @param retryAfterSeconds when it makes sense to try again.
 */
export function refusal(code: RefusalCode, message: string, retryAfterSeconds?: number): GraphQLError {
  apiMetrics.refusals.inc({ code });
  const status = statuses[code];
  const headers = {
    ...(retryAfterSeconds !== undefined && { 'retry-after': String(retryAfterSeconds) }),
    ...(status === 401 && { 'www-authenticate': 'Bearer' }),
  };
  // a query that breaks a rule is a request error by GraphQL over HTTP: 200 to a client that accepts application/json only
  const spec = status === 400;
  return new GraphQLError(message, {
    extensions: {
      code,
      ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
      http: { status, spec, headers },
    },
  });
}

/** An error without what only an HTTP answer needs, for WebSockets. */
export function withoutHttp(error: GraphQLError): GraphQLError {
  if (!error.extensions?.http) return error;
  const { http: _, ...extensions } = error.extensions;
  const { message, nodes, source, positions, path } = error;
  return new GraphQLError(message, { nodes, source, positions, path, extensions });
}
