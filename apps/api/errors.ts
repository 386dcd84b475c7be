import { randomUUID } from 'node:crypto';
import { GraphQLError } from 'graphql';
import { isTimeout } from '#libs/database/database.js';
import { EventMoved } from '#libs/database/event-catalog.js';
import type { Logger } from '#libs/telemetry/logger.js';
import { currentRequest } from './limits/request-context.js';

/** The client's input can't be used; `message` says what was found and what is allowed. */
export function badInput(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT' } });
}

/** The changes behind a feed cursor can't be told any more; `message` says why and how to go on. */
export function cursorExpired(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'CURSOR_EXPIRED' } });
}

/**
 * Turns what a resolver threw into what a client may see: GraphQL's own errors and ours pass, everything else is masked and
 * logged with the request's id, which the client gets, too.
 */
export function maskError(error: unknown, logger: Logger): Error {
  if (error instanceof GraphQLError) {
    const { originalError } = error;
    const told = !originalError || originalError instanceof GraphQLError;
    if (told) return error.extensions.code ? error : withCode(error, 'BAD_USER_INPUT');
  }
  const cause = (error as { originalError?: unknown }).originalError ?? error;
  // a subscription's later messages are nobody's request
  const requestId = currentRequest()?.requestId ?? randomUUID();
  const { level, code, message } = kindOf(cause, requestId);
  logger[level]({ err: cause, requestId }, 'a request failed');
  const { nodes, path } = error instanceof GraphQLError ? error : { nodes: undefined, path: undefined };
  return new GraphQLError(message, { nodes, path, extensions: { code, requestId } });
}

function kindOf(cause: unknown, requestId: string) {
  if (cause instanceof EventMoved)
    return { level: 'debug', code: 'EVENT_MOVED', message: `${cause.message}.` } as const;
  if (isConnectionError(cause)) {
    const message = 'The database is not available at the moment; try again.';
    // told once, by who reads the commit log, and not for every request
    return { level: 'debug', code: 'DATABASE_UNAVAILABLE', message } as const;
  }
  if (isTimeout(cause)) {
    const message =
      'The database took too long: ask for less (a narrower `where` such as one chain or some days, an order by time, no totalCount).';
    return { level: 'warn', code: 'QUERY_TIMEOUT', message } as const;
  }
  return { level: 'error', code: 'INTERNAL_SERVER_ERROR', message: `Internal error ${requestId}.` } as const;
}

/** GraphQL's own errors on variables that don't fit the schema have no code. */
export function withCode(error: GraphQLError, code: string): GraphQLError {
  const { message, nodes, source, positions, path } = error;
  return new GraphQLError(message, {
    nodes,
    source,
    positions,
    path,
    extensions: { ...error.extensions, code },
  });
}

/** Connection refused, reset or ended, server starting or shutting down (SQLSTATE class 08 and 57P). */
function isConnectionError(error: unknown): boolean {
  for (
    let e = error as { code?: string; cause?: unknown; previous?: unknown; message?: string } | undefined;
    e;
    e = (e.cause ?? e.previous) as typeof e
  ) {
    if (/^(ECONN|ETIMEDOUT|EPIPE|ENOTFOUND|08|57P)/.test(String(e.code ?? ''))) return true;
    if (
      /Connection terminated|connection timeout|timeout exceeded when trying to connect/i.test(
        e.message ?? '',
      )
    )
      return true;
  }
  return false;
}
