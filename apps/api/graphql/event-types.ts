import 'reflect-metadata';
import {
  assertEnumValueName,
  assertName,
  GraphQLBoolean,
  type GraphQLScalarType,
  GraphQLString,
} from 'graphql';
import { Field, ID, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import { COUNT_LIMIT } from '#libs/database/event-count.js';
import { type Column, referenceField } from '#libs/events/column.js';
import type { EventDefinition } from '#libs/events/event.js';
import { ChangeType, Finality } from '../reads/event-node.js';
import { linkedColumns } from '../reads/references.js';
import { filterColumns } from '../reads/where.js';
import { orderInput } from './order-types.js';
import { Bytes32Scalar, FeedCursorScalar, SafeIntScalar, scalarOf } from './scalars.js';
import { named, type TypeClass } from './type-class.js';

registerEnumType(Finality, {
  name: 'Finality',
  description: 'Whether the block of an event can still be replaced by a reorg.',
  valuesConfig: {
    UNFINALIZED: { description: 'A reorg may still remove it.' },
    FINALIZED: { description: 'It stays for ever.' },
  },
});

registerEnumType(ChangeType, {
  name: 'ChangeType',
  description: 'What happened to an event.',
  valuesConfig: {
    ADDED: { description: 'It is in the chain and matches; replaces what was known of the same id.' },
    REMOVED: {
      description:
        'It is no longer in the chain, or no longer matches: forget the id (if it was known at all). In subscriptions to finalized events only after a repair (a reorg below finality, rows that were wrong).',
    },
    FINALIZED: {
      description:
        'It is final (only in subscriptions to finalized events); told once, unless a repair stores it anew: then it replaces what was known of the id.',
    },
  },
});

@InputType({ description: 'Filter by finality.' })
class FinalityFilter {
  @Field(() => Finality, { nullable: true, description: 'Has this finality.' })
  eq?: Finality;
}

@ObjectType({ description: 'Where a page stands in the whole list (Relay).' })
class PageInfo {
  @Field(() => GraphQLBoolean, { description: 'Whether there are more rows behind this page.' })
  hasNextPage!: boolean;
  @Field(() => GraphQLBoolean, { description: 'Whether there are more rows before this page.' })
  hasPreviousPage!: boolean;
  @Field(() => GraphQLString, { nullable: true, description: 'Cursor of the first row, for `before`.' })
  startCursor!: string | null;
  @Field(() => GraphQLString, { nullable: true, description: 'Cursor of the last row, for `after`.' })
  endCursor!: string | null;
}

@ObjectType({
  description: 'A chain by its name; whether it is followed, and how it is doing, tells `chain`.',
})
class NamedChain {
  @Field(() => SafeIntScalar, { description: 'EIP-155 chain id.' })
  id!: number;
  @Field(() => GraphQLString, { description: 'Readable name.' })
  name!: string;
}

@ObjectType({ description: 'How amounts of a token are read.' })
class TokenInfo {
  @Field(() => GraphQLString, { description: 'The ticker in common use, such as USDC.' })
  symbol!: string;
  @Field(() => Int, { description: 'An amount is this many decimal places less: 6 means 1000000 is 1.' })
  decimals!: number;
}

const EQUALITY = ['eq', 'ne', 'in', 'notIn'] as const;
const ORDER = ['gt', 'gte', 'lt', 'lte'] as const;
const words: Record<string, string> = {
  eq: 'Equals.',
  ne: 'Differs.',
  in: 'Is one of these (1000 at most).',
  notIn: 'Is none of these (1000 at most).',
  gt: 'Is greater.',
  gte: 'Is greater or equal.',
  lt: 'Is less.',
  lte: 'Is less or equal.',
};

/** The GraphQL types of one event type. */
export interface EventTypes {
  readonly node: TypeClass;
  readonly where: TypeClass;
  readonly orderBy: TypeClass;
  readonly connection: TypeClass;
  readonly changes: TypeClass;
}

const filters = new Map<string, TypeClass>();

/** The filter input of a scalar: equality for all, order for numbers and times; `isNull` where a row may have no value. */
function filterOf({ kind, nullable }: Column): TypeClass {
  const scalar = scalarOf(kind);
  const name = `${nullable ? 'Nullable' : ''}${scalar.name}Filter`;
  const known = filters.get(name);
  if (known) return known;
  const filter = named(name);
  const may = nullable ? ' that may be null. A null differs from every value' : '';
  InputType(name, {
    description: `Filter by ${/^[AEIOU]/.test(scalar.name) ? 'an' : 'a'} ${scalar.name}${may}; all given operators must hold.`,
  })(filter);
  if (nullable)
    Field(() => GraphQLBoolean, {
      nullable: true,
      description: 'True: has no value. False: has one.',
    })(filter.prototype, 'isNull');
  const ordered = ['uint256', 'int256', 'safeInt', 'timestamp'].includes(kind);
  for (const operator of [...EQUALITY, ...(ordered ? ORDER : [])]) {
    const type = operator === 'in' || operator === 'notIn' ? () => [scalar] : () => scalar;
    Field(type, { nullable: true, description: words[operator] })(filter.prototype, operator);
  }
  filters.set(name, filter);
  return filter;
}

/**
 * Makes the GraphQL types of an event type from its definition.
 * @throws GraphQLError when a name can't be one in GraphQL.
 */
export function eventTypes(event: EventDefinition): EventTypes {
  assertNames(event);
  const name = `${event.name}Event`;
  const node = nodeType(event, name);
  return {
    node,
    where: whereType(event, name),
    orderBy: orderInput(
      name,
      Object.fromEntries(
        filterColumns(event).map((c) => [
          c.property,
          c.nullable ? `${c.description} Null counts as the largest.` : c.description,
        ]),
      ),
      {
        fields: `Columns that ${event.name} events can be ordered by.`,
        order: 'One column of an order.',
        field: 'The column.',
      },
    ),
    connection: connectionType(name, node),
    changes: changesType(name, node),
  };
}

/** Before anything is made: type-graphql keeps what it was told, so that one wrong name would spoil every later schema. */
function assertNames(event: EventDefinition): void {
  assertName(event.name);
  for (const { property } of event.allColumns) assertEnumValueName(property);
}

function nodeType(event: EventDefinition, name: string): TypeClass {
  const node = named(name);
  ObjectType(name, { description: event.description })(node);
  Field(() => ID, { description: '`chainId:txHash:logIndex`.' })(node.prototype, 'id');
  for (const column of event.allColumns) {
    if (column.property === 'writeId' || column.property === 'revision') continue;
    const { description, nullable } = column;
    Field(fieldType(column), { description, nullable })(node.prototype, column.property);
  }
  Field(() => Finality, { description: 'Whether its block can still be replaced.' })(
    node.prototype,
    'finality',
  );
  for (const column of event.allColumns) addReference(event, node, column);
  const links = linksType(event, name);
  Field(() => links, { description: 'Its pages in block explorers.' })(node.prototype, 'explorerLinks');
  return node;
}

/** The field beside a column that says what it refers to. */
function addReference(event: EventDefinition, node: TypeClass, column: Column): void {
  const field = referenceField(column);
  if (field === null) return;
  if (column.refersTo === 'token') {
    const description = `Symbol and decimals of \`${column.property}\`; null when they are not known.`;
    Field(() => TokenInfo, { nullable: true, description })(node.prototype, field);
    return;
  }
  const nullable = event.columns.includes(column);
  const what = column.chainIdOf ? 'The chain that is meant by' : 'The chain of';
  const description = `${what} \`${column.property}\`${nullable ? '; null when it is not known' : ''}.`;
  Field(() => NamedChain, { nullable, description })(node.prototype, field);
}

function linksType(event: EventDefinition, name: string): TypeClass {
  const links = named(`${name}ExplorerLinks`);
  ObjectType(`${name}ExplorerLinks`, {
    description: 'URLs of pages in block explorers; null where the explorer of the chain is not known.',
  })(links);
  const add = (field: string, description: string) =>
    Field(() => GraphQLString, { nullable: true, description })(links.prototype, field);
  add('tx', 'Page of the transaction.');
  add('block', 'Page of the block.');
  for (const { property, refersTo } of linkedColumns(event))
    add(
      property,
      `Page of \`${property}\`${refersTo === 'token' ? "; null for the chain's native coin" : ''}.`,
    );
  return links;
}

function fieldType(column: Column): () => GraphQLScalarType | [GraphQLScalarType] {
  return column.kind === 'bytes32List' ? () => [Bytes32Scalar] : () => scalarOf(column.kind);
}

function whereType(event: EventDefinition, name: string): TypeClass {
  const where = named(`${name}Where`);
  InputType(`${name}Where`, { description: `Filter of ${event.name} events; all given fields must hold.` })(
    where,
  );
  for (const column of filterColumns(event)) {
    // made now, not in the thunk: type-graphql calls that only when it has collected all types
    const filter = filterOf(column);
    const description = [column.description, column.filter?.takes].filter(Boolean).join(' ');
    Field(() => filter, { nullable: true, description })(where.prototype, column.property);
  }
  Field(() => FinalityFilter, { nullable: true, description: 'By finality (queries only).' })(
    where.prototype,
    'finality',
  );
  Field(() => [where], { nullable: true, description: 'All of these hold.' })(where.prototype, 'and');
  Field(() => [where], { nullable: true, description: 'At least one of these holds.' })(
    where.prototype,
    'or',
  );
  Field(() => where, { nullable: true, description: 'This does not hold.' })(where.prototype, 'not');
  return where;
}

function connectionType(name: string, node: TypeClass): TypeClass {
  const edge = named(`${name}Edge`);
  ObjectType(`${name}Edge`, { description: 'A row and its cursor.' })(edge);
  Field(() => node, { description: 'The row.' })(edge.prototype, 'node');
  Field(() => GraphQLString, { description: 'Its cursor, for `after` and `before`.' })(
    edge.prototype,
    'cursor',
  );
  const connection = named(`${name}Connection`);
  ObjectType(`${name}Connection`, { description: 'A page of events (Relay).' })(connection);
  Field(() => [node], { description: 'The rows.' })(connection.prototype, 'nodes');
  Field(() => [edge], { description: 'The rows with their cursors.' })(connection.prototype, 'edges');
  Field(() => PageInfo, { description: 'Where the page stands.' })(connection.prototype, 'pageInfo');
  Field(() => SafeIntScalar, {
    description: `Number of all matching rows; counted only when asked for, and only up to ${COUNT_LIMIT}: see \`totalCountIsEstimate\`.`,
  })(connection.prototype, 'totalCount');
  Field(() => GraphQLBoolean, {
    description: `Whether \`totalCount\` is an estimate from the database's statistics: there are more than ${COUNT_LIMIT} rows, or counting would read too many.`,
  })(connection.prototype, 'totalCountIsEstimate');
  Field(() => FeedCursorScalar, {
    description:
      'Place in the live feed at the moment the page was read: a subscription since here goes on without a gap.',
  })(connection.prototype, 'asOf');
  return connection;
}

function changesType(name: string, node: TypeClass): TypeClass {
  const change = named(`${name}Change`);
  ObjectType(`${name}Change`, { description: 'A change of one event.' })(change);
  Field(() => ChangeType, { description: 'What happened.' })(change.prototype, 'type');
  Field(() => node, { description: 'The event; of a removed one only its id is meant.' })(
    change.prototype,
    'node',
  );
  const changes = named(`${name}Changes`);
  ObjectType(`${name}Changes`, { description: 'Changes in commit order, and the place behind them.' })(
    changes,
  );
  Field(() => FeedCursorScalar, { description: 'Give it as `since` to go on behind these changes.' })(
    changes.prototype,
    'cursor',
  );
  Field(() => [change], { description: 'The changes; an empty list only tells the place.' })(
    changes.prototype,
    'changes',
  );
  return changes;
}
