import { type DocumentNode, type ExecutionArgs, GraphQLError } from 'graphql';
import type { ServerOptions } from 'graphql-ws';
import type { Extra } from 'graphql-ws/use/ws';
import type { WebSocket } from 'ws';
import { endable } from '../feed/endable.js';
import type { Gate } from '../limits/gate.js';
import { limits } from '../limits/limits.js';
import { refusal, withoutHttp } from '../limits/refusals.js';
import { onBehalfOf, type RequestContext } from '../limits/request-context.js';
import { paced } from './pacing.js';
import type { SharedResult } from './shared-execution.js';
import type { Yoga } from './yoga.js';

/** Close code (graphql-ws: Forbidden) for a client without a valid key. */
const FORBIDDEN_CODE = 4_403;

interface OperationArgs extends ExecutionArgs {
  rootValue: { execute: (args: ExecutionArgs) => never; subscribe: (args: ExecutionArgs) => never };
  socket: WebSocket;
  subscriptionId: string;
  request: RequestContext;
}

/**
 * How the operations of WebSockets are done: by the pipeline of HTTP (yoga's plugins), on behalf of the client that the
 * connection's key or address says, each with a request id of its own.
 */
export function socketOperations(yoga: Yoga, gate: Gate): ServerOptions<Record<string, unknown>, Extra> {
  const clients = new WeakMap<object, string>();
  return {
    connectionInitWaitTimeout: limits.connectionInitMs,
    onConnect({ extra: { request, socket }, connectionParams }) {
      const client = gate.webSocketClient(request, connectionParams);
      if (client === null) socket.close(FORBIDDEN_CODE, 'UNAUTHENTICATED: a valid API key is needed');
      else clients.set(socket, client);
      return client !== null;
    },
    async onSubscribe(context, subscriptionId, params) {
      const { request: req, socket } = context.extra;
      if (Object.keys(context.subscriptions).length > limits.operationsPerSocket)
        return [tooManyOperations()];
      const request = await gate.operation(clients.get(socket)!, JSON.stringify(params).length);
      if (request instanceof GraphQLError) return [request];
      return onBehalfOf(request, async () => {
        const enveloped = yoga.getEnveloped({ ...context, req, socket, params });
        const document = checkedDocument(enveloped, params.query);
        if (Array.isArray(document)) return document;
        return {
          schema: enveloped.schema,
          operationName: params.operationName,
          document,
          variableValues: params.variables,
          contextValue: await enveloped.contextFactory(),
          rootValue: { execute: enveloped.execute, subscribe: enveloped.subscribe },
          socket,
          subscriptionId,
          request,
        } as ExecutionArgs;
      });
    },
    execute: (args) => {
      const { rootValue, request } = args as OperationArgs;
      return onBehalfOf(request, () => rootValue.execute(args));
    },
    async subscribe(args) {
      const { rootValue, socket, subscriptionId, request } = args as OperationArgs;
      const result = await onBehalfOf(request, () => rootValue.subscribe(args));
      if (!(Symbol.asyncIterator in (result as object))) return result;
      const messages = result as AsyncGenerator<SharedResult>;
      return endable((ended) => sent(paced(messages, socket, ended), socket, subscriptionId));
    },
    onError: (_context, _id, _payload, errors) => errors.map((error) => toldError(error as GraphQLError)),
    onNext(_context, _id, _payload, _args, { errors, ...result }) {
      return errors && { ...result, errors: errors.map((error) => toldError(error as GraphQLError)) };
    },
  };
}

/** Sends messages whose text is shared by itself; graphql-ws, which gets the others, would write the text for each client anew. */
async function* sent(
  messages: AsyncGenerator<SharedResult>,
  socket: WebSocket,
  id: string,
): AsyncGenerator<SharedResult> {
  const begin = `{"id":${JSON.stringify(id)},"type":"next","payload":`;
  for await (const message of messages) {
    if (message.stringify) socket.send(`${begin}${message.stringify()}}`, () => {});
    else yield message;
  }
}

/** What is thrown here would close the whole connection: other operations of the client run on it. */
function checkedDocument(
  enveloped: ReturnType<Yoga['getEnveloped']>,
  query: string,
): DocumentNode | readonly GraphQLError[] {
  try {
    const document = enveloped.parse(query);
    const errors = enveloped.validate(enveloped.schema, document) as readonly GraphQLError[];
    return errors.length ? errors : document;
  } catch (error) {
    if (error instanceof GraphQLError) return [error];
    throw error;
  }
}

/** As HTTP tells it; what graphql-ws finds by itself has no code. */
function toldError(error: GraphQLError) {
  const { extensions, ...told } = withoutHttp(error).toJSON();
  return { ...told, extensions: { code: 'BAD_USER_INPUT', ...extensions } };
}

function tooManyOperations(): GraphQLError {
  return refusal(
    'TOO_MANY_SUBSCRIPTIONS',
    `This WebSocket has ${limits.operationsPerSocket} operations running, more are not allowed: end some first.`,
  );
}
