import type { IncomingMessage, ServerResponse } from 'node:http';
import { GraphQLError, type GraphQLObjectType, getNamedType } from 'graphql';
import type { Counted } from '../limits/counted.js';
import { openSubscription } from '../limits/subscription-limits.js';
import type { SubscriptionArguments } from '../reads/event-reads.js';
import type { EventRouteParts } from './event-routes.js';
import { jsonWriter } from './json.js';
import { argumentsOf, Parameters } from './parameters.js';
import { pour } from './pour.js';
import type { Route } from './route.js';

/** A client that was cut off comes back after this time. */
const RETRY_MS = 2_000;
/** Proxies take a connection for dead after a minute or so of silence. */
const SILENCE_MS = 12_000;

/** A message of the feed. */
interface Changes {
  readonly cursor: string;
}

/** The live feed as server-sent events: the id of each is its cursor, so that an EventSource goes on where it was by itself. */
export function eventStream({ event, fields, reads, path }: EventRouteParts, subscriptions: Counted): Route {
  const type = getNamedType(fields.changes.type) as GraphQLObjectType;
  const write = jsonWriter(type);
  // identical subscriptions get the same objects, so that each is written once
  const texts = new WeakMap<Changes, readonly [string]>();
  const textOf = (changes: Changes) => {
    const known = texts.get(changes);
    if (known) return known;
    const text = [`id: ${changes.cursor}\ndata: ${JSON.stringify(write(changes))}\n\n`] as const;
    texts.set(changes, text);
    return text;
  };
  return {
    path: `${path}/stream`,
    tag: event.name,
    operationId: `${fields.changes.name}Stream`,
    summary: `${event.name} events live, as server-sent events.`,
    description: fields.changes.description ?? '',
    parameters: new Parameters(argumentsOf(fields.changes)),
    headers: {
      'Last-Event-ID': 'Cursor of the last message; an EventSource sends it by itself. Goes before `since`.',
    },
    answers: { description: 'Messages of changes.', mediaType: 'text/event-stream', type },
    async answer({ request, response, args }) {
      const last = lastEventId(request);
      const asked = { ...args, ...(last && { since: last }) } as unknown as SubscriptionArguments;
      const close = openSubscription(subscriptions);
      if (close instanceof GraphQLError) throw close;
      try {
        const messages = reads.changes(asked) as AsyncGenerator<Changes>;
        // tells the place at once; an error comes instead of it, and is told with its status
        const first = await messages.next();
        begin(response);
        if (request.method === 'HEAD' || first.done) await messages.return(undefined);
        else {
          for (const text of textOf(first.value)) response.write(text);
          await pour(response, messages, { textOf, idle: { text: ': nothing new\n\n', ms: SILENCE_MS } });
        }
        response.end();
      } finally {
        close();
      }
    },
    tellError({ request, response }, { status, body }) {
      // on any status but 200 an EventSource gives up for good: one that comes back is told in a stream what will pass
      const willPass = [429, 503].includes(status) && lastEventId(request) !== undefined;
      if (!response.headersSent && !willPass) return false;
      if (!response.headersSent) begin(response);
      response.end(`event: problem\ndata: ${JSON.stringify(body)}\n\n`);
      return true;
    },
  };
}

function lastEventId(request: IncomingMessage): string | undefined {
  return request.headers['last-event-id'] as string | undefined;
}

function begin(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' });
  response.write(`retry: ${RETRY_MS}\n\n`);
}
