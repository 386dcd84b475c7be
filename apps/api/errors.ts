import { randomUUID } from 'node:crypto';
import { GraphQLError } from 'graphql';
import type { Logger } from '#libs/telemetry/logger.js';

/** The client's input can't be used; `message` says what was found and what is allowed. */
export function badInput(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT' } });
}

/**
 * Turns what a resolver threw into what a client may see: GraphQL's own errors and ours pass, everything else is masked and
 * logged with an id that the client gets, too.
 */
export function maskError(error: unknown, logger: Logger): Error {
  if (error instanceof GraphQLError) {
    const { originalError } = error;
    const told = !originalError || originalError instanceof GraphQLError;
    if (told) return error.extensions.code ? error : withCode(error, 'BAD_USER_INPUT');
  }
  const cause = (error as { originalError?: unknown }).originalError ?? error;
  const id = randomUUID();
  const away = isConnectionError(cause);
  // a database that is away is told once, by who reads the commit log, and not for every request
  logger[away ? 'debug' : 'error']({ err: cause, errorId: id }, 'a request failed');
  const message = away ? 'The database is not available at the moment; try again.' : `Internal error ${id}.`;
  const code = away ? 'DATABASE_UNAVAILABLE' : 'INTERNAL_SERVER_ERROR';
  const { nodes, path } = error instanceof GraphQLError ? error : { nodes: undefined, path: undefined };
  return new GraphQLError(message, { nodes, path, extensions: { code, errorId: id } });
}

/** GraphQL's own errors on variables that don't fit the schema have no code. */
function withCode(error: GraphQLError, code: string): GraphQLError {
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
