import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { GraphQLError } from 'graphql';
import { withoutHttp } from './refusals.js';

/** The parts of a refusal as an HTTP answer. @param rest in the form of REST's errors, else of a GraphQL answer. */
function answerOf(error: GraphQLError, requestId?: string, rest = false) {
  const { status, headers } = error.extensions.http as { status: number; headers: Record<string, string> };
  const { message, extensions } = withoutHttp(error);
  const details = { ...extensions, ...(requestId && { requestId }) };
  const body = JSON.stringify(
    rest ? { error: { message, ...details } } : { errors: [{ message, extensions: details }] },
  );
  return { status, body, headers: { 'content-type': 'application/json; charset=utf-8', ...headers } };
}

/** Answers a request with a refusal, in the words of whom it asked. */
export function answerRefusal(response: ServerResponse, error: GraphQLError, requestId: string): void {
  const { status, body, headers } = answerOf(error, requestId, response.req.url?.startsWith('/api'));
  response.writeHead(status, headers).end(body);
}

/** A refusal as the bytes of a whole HTTP answer, for connections that no request was read from, and for upgrades. */
export function httpAnswer(error: GraphQLError): string {
  const { status, body, headers } = answerOf(error);
  const all = { ...headers, connection: 'close', 'content-length': String(Buffer.byteLength(body)) };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`;
}
