import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { GraphQLError } from 'graphql';
import { withoutHttp } from './refusals.js';

/** How long a refused client may go on sending, so that it comes to read why. */
export const LAST_WORDS_MS = 1_000;

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
  const { req: request } = response;
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
  if (request.complete) return void response.end(body);
  // one who is cut while sending may never see the answer: what still comes is thrown away for a moment
  response.write(body);
  const end = () => response.end();
  const timer = setTimeout(end, LAST_WORDS_MS);
  request
    .once('close', () => clearTimeout(timer))
    .once('end', end)
    .resume();
}

/** A refusal as the bytes of a whole HTTP answer, for connections that no request was read from, and for upgrades. */
export function httpAnswer(error: GraphQLError): string {
  const { status, body, headers } = answerOf(error);
  const all = { ...headers, connection: 'close', 'content-length': String(Buffer.byteLength(body)) };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`;
}
