import {
  GraphQLEnumType,
  GraphQLList,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
} from 'graphql';
import type { EventDefinition } from '#libs/events/event.js';
import { stemOf } from '../graphql/event-resolver.js';
import type { ReadParts } from '../reads/event-reads.js';
import { EventStats, type StatsArguments, type StatsFigures, statsTerms } from '../reads/stats.js';
import { jsonWriter } from './json.js';
import { argumentsOf, Parameters } from './parameters.js';
import { type Route, sendJson } from './route.js';

/** The aggregates of an event type. @param path `/api/socket-bridge-stats`. */
export function statsRoute(
  event: EventDefinition,
  schema: GraphQLSchema,
  { database }: Pick<ReadParts, 'database'>,
  path: string,
): Route {
  const field = schema.getQueryType()!.getFields()[`${stemOf(event)}Stats`]!;
  const type = getNamedType(field.type) as GraphQLObjectType;
  const stats = new EventStats(event, database);
  const figures = figuresArgument(event, schema);
  const write = jsonWriter(type);
  return {
    path,
    tag: event.name,
    operationId: field.name,
    summary: field.description ?? '',
    parameters: new Parameters([...argumentsOf(field), ...figures]),
    answers: {
      description: 'The groups, in order.',
      mediaType: 'application/json',
      type,
      sparse: ['Key', 'Distinct', 'Sum', 'Min', 'Max'].map((part) => `${type.name}${part}`),
    },
    async answer({ response, args }) {
      const asked = figuresOf(event, (args.figures ?? []) as readonly string[]);
      sendJson(response, 200, write(await stats.read(args as unknown as StatsArguments, asked)));
    },
  };
}

/** What costs its reading, and is told only when it is asked for: in GraphQL by selecting it. None for an event without any. */
function figuresArgument(event: EventDefinition, schema: GraphQLSchema) {
  const order = schema.getType(`${event.name}StatsOrderField`) as GraphQLEnumType;
  const values = order.getValues().filter(({ name }) => isFigure(statsTerms(event).get(name)));
  if (!values.length) return [];
  const name = `${event.name}StatsFigure`;
  const type = new GraphQLEnumType({
    name,
    values: Object.fromEntries(values.map((value) => [value.name, { description: value.description }])),
  });
  const description = 'Figures beside the count of each group.';
  return [{ name: 'figures', type: new GraphQLList(type), description, defaultValue: undefined }];
}

function figuresOf(event: EventDefinition, names: readonly string[]): StatsFigures {
  const terms = names.map((name) => statsTerms(event).get(name)).filter(isFigure);
  const of = (kind: string) =>
    terms.filter((term) => term.kind === kind).map(({ column }) => column.property);
  return { distinct: of('distinct'), sum: of('sum'), min: of('min'), max: of('max') };
}

type Term = NonNullable<ReturnType<ReturnType<typeof statsTerms>['get']>>;

function isFigure(term: Term | undefined): term is Extract<Term, { column: unknown }> {
  return term !== undefined && 'column' in term && term.kind !== 'key';
}
