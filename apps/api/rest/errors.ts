import { GraphQLError } from 'graphql';

/** HTTP status of the codes that errors have in GraphQL and here alike; what isn't listed is a fault of ours. */
const statuses: Readonly<Record<string, number>> = {
  BAD_USER_INPUT: 400,
  NOT_FOUND: 404,
  CURSOR_EXPIRED: 410,
  DATABASE_UNAVAILABLE: 503,
  EVENT_MOVED: 503,
  QUERY_TIMEOUT: 503,
  SERVER_CLOSING: 503,
};

/** What was asked for by its id isn't there, where GraphQL answers null. */
export function notFound(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'NOT_FOUND' } });
}

/** An error as REST tells it. */
export interface ErrorAnswer {
  readonly status: number;
  /** Such as `retry-after`. */
  readonly headers: Readonly<Record<string, string>>;
  /** `requestId` is there when the log says more. */
  readonly body: { readonly error: { readonly code: string; readonly message: string } };
}

/** Status and body of an error that a client may see. */
export function errorAnswer({ message, extensions }: GraphQLError): ErrorAnswer {
  const { code: known, http, ...details } = extensions as ErrorExtensions;
  const code = known ?? 'INTERNAL_SERVER_ERROR';
  const status = http?.status ?? statuses[code] ?? 500;
  return { status, headers: http?.headers ?? {}, body: { error: { code, message, ...details } } };
}

interface ErrorExtensions {
  readonly code?: string;
  /** What errors that know their HTTP answer say about it. */
  readonly http?: { readonly status: number; readonly headers?: Record<string, string> };
}
