import { GraphQLBoolean } from 'graphql';
import { Field, ObjectType } from 'type-graphql';
import type { Bucket, StatsTerm } from '#libs/database/event-stats.js';
import type { EventDefinition } from '#libs/events/event.js';
import { amountFunctions } from '#libs/events/figures.js';
import { amountColumns, distinctColumns, groupColumns, statsTerms } from '../reads/stats.js';
import { orderInput } from './order-types.js';
import { DateTimeScalar, FeedCursorScalar, SafeIntScalar, scalarOf } from './scalars.js';
import { enumOf, named, type TypeClass } from './type-class.js';

const bucketWords: Readonly<Record<Bucket, string>> = {
  HOUR: 'From the full hour.',
  DAY: 'From midnight UTC.',
  WEEK: 'From Monday.',
  MONTH: 'From the first of the month.',
};
const StatsBucket = enumOf(
  'StatsBucket',
  'Stretches of time in UTC that events are counted by.',
  bucketWords,
);

/** The GraphQL types of one event type's aggregates. */
export interface StatsTypes {
  readonly stats: TypeClass;
  readonly bucket: object;
  readonly groupField: object;
  readonly orderBy: TypeClass;
}

/** Makes the GraphQL types of an event's aggregates from its definition; of an event without amounts or addresses, those are left out. */
export function statsTypes(event: EventDefinition): StatsTypes {
  const name = `${event.name}Stats`;
  const groupField = enumOf(
    `${name}GroupField`,
    `Columns that ${event.name} events can be grouped by.`,
    Object.fromEntries(groupColumns(event).map(({ property, description }) => [property, description])),
  );
  return {
    stats: resultType(name, groupType(event, name)),
    bucket: StatsBucket,
    groupField,
    orderBy: orderInput(
      name,
      Object.fromEntries([...statsTerms(event)].map(([field, term]) => [field, termDescription(term)])),
      {
        fields: `What groups of ${event.name} events can be ordered by.`,
        order: 'One part of an order of groups.',
        field: 'The figure.',
      },
    ),
  };
}

function resultType(name: string, group: TypeClass): TypeClass {
  const stats = objectType(name, 'Aggregates of events.');
  Field(() => [group], { description: 'The groups, in the order asked for.' })(stats.prototype, 'groups');
  Field(() => GraphQLBoolean, { description: 'Whether there are more groups than `first`.' })(
    stats.prototype,
    'hasMore',
  );
  Field(() => FeedCursorScalar, { description: 'Place in the live feed at the moment of the reading.' })(
    stats.prototype,
    'asOf',
  );
  return stats;
}

function groupType(event: EventDefinition, name: string): TypeClass {
  const group = objectType(`${name}Group`, 'The events that agree in bucket and key.');
  const key = objectType(`${name}Key`, 'What the events of a group have in common; null: not grouped by it.');
  for (const { property, kind, description } of groupColumns(event))
    Field(() => scalarOf(kind), { nullable: true, description })(key.prototype, property);
  Field(() => DateTimeScalar, {
    nullable: true,
    description: 'Beginning of the stretch of time; null without `bucket`.',
  })(group.prototype, 'bucket');
  Field(() => key, { description: 'Values of the columns in `groupBy`.' })(group.prototype, 'key');
  Field(() => SafeIntScalar, { description: 'Number of events.' })(group.prototype, 'count');
  addFigures(event, name, group);
  return group;
}

const words = {
  sum: ['Exact sums', 'Sum'],
  min: ['Smallest amounts', 'Smallest'],
  max: ['Largest amounts', 'Largest'],
} as const;

function addFigures(event: EventDefinition, name: string, group: TypeClass): void {
  if (distinctColumns(event).length) {
    const distinct = objectType(`${name}Distinct`, 'Numbers of distinct values.');
    for (const { property } of distinctColumns(event))
      Field(() => SafeIntScalar, { description: `Number of distinct values of \`${property}\`.` })(
        distinct.prototype,
        property,
      );
    Field(() => distinct, { description: 'Numbers of distinct values.' })(group.prototype, 'distinct');
  }
  if (!amountColumns(event).length) return;
  for (const amountFunction of amountFunctions) {
    const [all, one] = words[amountFunction];
    const figures = objectType(
      `${name}${amountFunction[0]!.toUpperCase()}${amountFunction.slice(1)}`,
      `${all}; only for one token of one chain: both in \`groupBy\`, or fixed in \`where\` by \`eq\`.`,
    );
    for (const { property, amountOf } of amountColumns(event))
      Field(() => scalarOf('uint256'), {
        nullable: true,
        description: `${one} of \`${property}\`, in the smallest unit of \`${amountOf}\`; null when there is no event.`,
      })(figures.prototype, property);
    Field(() => figures, { description: `${all} within the group.` })(group.prototype, amountFunction);
  }
}

function termDescription(term: StatsTerm): string {
  if (term.kind === 'bucket') return 'Beginning of the stretch of time.';
  if (term.kind === 'count') return 'Number of events.';
  const { property } = term.column;
  if (term.kind === 'key') return `The group's \`${property}\`.`;
  if (term.kind === 'distinct') return `Number of distinct values of \`${property}\`.`;
  return `${words[term.kind][1]} of \`${property}\`.`;
}

function objectType(name: string, description: string): TypeClass {
  const type = named(name);
  ObjectType(name, { description })(type);
  return type;
}
