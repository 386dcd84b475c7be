import { type GraphQLSchema, lexicographicSortSchema, printSchema } from 'graphql';
import { buildSchemaSync, type NonEmptyArray } from 'type-graphql';
import type { EventDefinition } from '#libs/events/event.js';
import type { ReadParts } from '../reads/event-reads.js';
import type { ProgressWatch } from '../reads/progress.js';
import { chainResolver } from './chain-resolver.js';
import { eventResolver } from './event-resolver.js';
import { eventTypes } from './event-types.js';
import { statsResolver } from './stats-resolver.js';

/** The GraphQL schema: chains, and every one of these events. What was built before is of no effect on it. */
export function buildApiSchema(
  events: readonly EventDefinition[],
  parts: ReadParts & { progress: ProgressWatch },
): GraphQLSchema {
  const eventResolvers = events.flatMap((event) => {
    const types = eventTypes(event);
    return [eventResolver(event, types, parts), statsResolver(event, types.where, parts)];
  });
  const resolvers = [chainResolver(parts.progress), ...eventResolvers];
  const schema = buildSchemaSync({
    resolvers: resolvers as unknown as NonEmptyArray<new () => object>,
    validate: false,
    // every subscription brings its own source; type-graphql asks for a pub/sub all the same
    pubSub: { publish() {}, subscribe: () => ({ [Symbol.asyncIterator]: () => emptyIterator }) },
  });
  // type-graphql has no place to say this
  schema.getQueryType()!.description = 'What is stored, read in one moment.';
  schema.getSubscriptionType()!.description =
    'What changes, as it is stored: over WebSocket (graphql-transport-ws) or SSE (`accept: text/event-stream`).';
  return schema;
}

const emptyIterator: AsyncIterator<unknown> = { next: async () => ({ done: true, value: undefined }) };

/** The schema as it is committed in schema.graphql. */
export function schemaText(schema: GraphQLSchema): string {
  return `# Written by npm run schema. Don't edit it.\n\n${printSchema(lexicographicSortSchema(schema))}\n`;
}
