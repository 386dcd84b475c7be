import type { ServerResponse } from 'node:http';
import type { Plugin } from 'graphql-yoga';
import { SLOW_CLIENT_MS } from './pacing.js';

/**
 * Ends subscriptions over HTTP (Server-Sent Events) when their client has gone, and cuts the connection of one that doesn't take what
 * it is sent: a message is asked for only when the connection has taken the one before, so no more than that is in memory.
 * @param patienceMs how long a client may not read.
 */
export function pacedResponses(patienceMs = SLOW_CLIENT_MS): Plugin<{ res?: ServerResponse }> {
  return {
    onSubscribe: ({ args }) => {
      const { res } = args.contextValue as { res?: ServerResponse };
      if (!res) return;
      return {
        onSubscribeResult({ result, setResult }) {
          if (Symbol.asyncIterator in result)
            setResult(paced(result as AsyncIterable<unknown>, res, patienceMs) as never);
        },
      };
    },
  };
}

function paced<T>(
  messages: AsyncIterable<T>,
  response: ServerResponse,
  patienceMs: number,
): AsyncIterableIterator<T> {
  const iterator = messages[Symbol.asyncIterator]();
  let timer: NodeJS.Timeout | undefined;
  const end = () => {
    clearTimeout(timer);
    void iterator.return?.();
  };
  // a client that has gone before this isn't told of again, and nobody asks for its messages
  if (response.closed) end();
  else response.once('close', end);
  return {
    async next() {
      clearTimeout(timer);
      const next = await iterator.next();
      // taken only when the next message is asked for
      if (!next.done) timer = setTimeout(() => response.destroy(), patienceMs);
      return next;
    },
    async return() {
      end();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
