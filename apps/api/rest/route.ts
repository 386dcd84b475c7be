import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GraphQLOutputType } from 'graphql';
import type { ErrorAnswer } from './errors.js';
import type { Parameters } from './parameters.js';

/** A request that met a route. */
export interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  /** The arguments, read. */
  readonly args: Readonly<Record<string, unknown>>;
}

/** What a route answers, for its description. */
interface AnswerDescription {
  readonly description: string;
  readonly mediaType: string;
  /** Type of the body, or of a line or event of a stream. */
  readonly type: GraphQLOutputType;
  /** Fields of the type that are left out. */
  readonly omit?: readonly string[];
  /** Fields of the type that are there only when they are asked for. */
  readonly optional?: readonly string[];
  /** Names of types within it whose fields are there only when they are asked for. */
  readonly sparse?: readonly string[];
  /** Text fields that are added to the type's own, and what they mean. */
  readonly added?: Readonly<Record<string, string>>;
}

/** One resource: what it is called, what it takes, and what answers it. GET and HEAD are its methods. */
export interface Route {
  /** `/api/…`, with `{name}` for a part that is a parameter. */
  readonly path: string;
  readonly tag: string;
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly parameters: Parameters;
  /** Request headers that it reads, and what they mean. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether an id may name nothing: 404. */
  readonly mayMiss?: boolean;
  readonly answers: AnswerDescription;
  /** Writes the answer. What it throws before it has written anything is told as an error. */
  answer(call: Call): Promise<void>;
  /** Tells an error in a way of its own. @returns false to leave it to the usual one. */
  tellError?(call: Pick<Call, 'request' | 'response'>, error: ErrorAnswer): boolean;
}

/** Whether a path is a route's. @returns the values of its parameters, as they stand in the path, or null. */
export function match(route: Route, path: string): Record<string, string> | null {
  const [wanted, given] = [route.path.split('/'), path.split('/')];
  if (wanted.length !== given.length) return null;
  const values: Record<string, string> = {};
  for (const [i, part] of wanted.entries()) {
    const name = /^\{(\w+)\}$/.exec(part)?.[1];
    if (name ? !given[i] : part !== given[i]) return null;
    if (name) values[name] = given[i]!;
  }
  return values;
}

/** Answers with JSON. */
export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const text = `${JSON.stringify(body)}\n`;
  response
    .writeHead(status, {
      ...headers,
      'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(text),
    })
    .end(text);
}
