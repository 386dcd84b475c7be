import { GraphQLError } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { mapped } from '../feed/mapped.js';
import type { Counted } from './counted.js';
import { refusal } from './refusals.js';
import { currentRequest } from './request-context.js';

/**
 * Opens a subscription for the client of the current request, whatever carries it (WebSocket, SSE of GraphQL or of REST).
 * @returns a function to be called when it is over, or TOO_MANY_SUBSCRIPTIONS.
 */
export function openSubscription(open: Counted): (() => void) | GraphQLError {
  const opened = open.open(currentRequest()?.client ?? 'unknown');
  if (typeof opened === 'function') return opened;
  return refusal(
    'TOO_MANY_SUBSCRIPTIONS',
    opened === 'client'
      ? `You have ${open.perClient} subscriptions open, more are not allowed: end some, or follow more with one (\`where\` takes lists).`
      : `The server has ${open.inTotal} subscriptions open, more are not allowed: try again later.`,
  );
}

/** Counts subscriptions, and refuses those that are too many. */
export function subscriptionLimits(open: Counted): Plugin {
  return {
    onSubscribe({ subscribeFn, setSubscribeFn }) {
      setSubscribeFn(async (args) => {
        const close = openSubscription(open);
        if (close instanceof GraphQLError) return { errors: [close] };
        try {
          const result = await subscribeFn(args);
          if (Symbol.asyncIterator in result) return mapped(result, (message) => message, close);
          close();
          return result;
        } catch (error) {
          close();
          throw error;
        }
      });
    },
  };
}
