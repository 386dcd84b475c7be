import {
  GraphQLBoolean,
  GraphQLIncludeDirective,
  type GraphQLResolveInfo,
  GraphQLSkipDirective,
  GraphQLString,
  getDirectiveValues,
  Kind,
  type SelectionNode,
} from 'graphql';
import { Arg, ID, Info, Int, Query, Resolver, Root, Subscription } from 'type-graphql';
import type { EventDefinition } from '#libs/events/event.js';
import { Finality } from '../reads/event-node.js';
import {
  EventReads,
  PAGE_DEFAULT,
  PAGE_MAX,
  type PageArguments,
  type ReadParts,
  type SubscriptionArguments,
} from '../reads/event-reads.js';
import type { WhereInput } from '../reads/where.js';
import { type EventTypes, eventTypes } from './event-types.js';
import { FeedCursorScalar } from './scalars.js';

/** The queries and the subscription of one event type, all from its definition. */
export function eventResolver(event: EventDefinition, parts: ReadParts): new () => object {
  const types = eventTypes(event);
  const stem = `${event.name[0]!.toLowerCase()}${event.name.slice(1)}`;
  return resolverClass(event, types, stem, new EventReads(event, parts));
}

function resolverClass(
  event: EventDefinition,
  types: EventTypes,
  stem: string,
  reads: EventReads,
): new () => object {
  @Resolver()
  class EventResolver {
    @Query(() => types.connection, {
      name: `${stem}Events`,
      description: `A page of ${event.name} events, newest first by default.`,
    })
    page(
      @Info() info: GraphQLResolveInfo,
      @Arg('where', () => types.where, { nullable: true, description: 'Only events that match.' })
      where: WhereInput | null,
      @Arg('orderBy', () => [types.orderBy], {
        nullable: true,
        description: 'Order by these columns; ties by newest first.',
      })
      orderBy: PageArguments['orderBy'],
      @Arg('first', () => Int, {
        nullable: true,
        description: `Rows from the beginning, or behind \`after\`; ${PAGE_DEFAULT} by default, ${PAGE_MAX} at most.`,
      })
      first: number | null,
      @Arg('after', () => GraphQLString, { nullable: true, description: 'Cursor of a row: rows behind it.' })
      after: string | null,
      @Arg('last', () => Int, {
        nullable: true,
        description: `Rows from the end, or before \`before\`; ${PAGE_MAX} at most.`,
      })
      last: number | null,
      @Arg('before', () => GraphQLString, { nullable: true, description: 'Cursor of a row: rows before it.' })
      before: string | null,
      @Arg('includeRemoved', () => GraphQLBoolean, {
        defaultValue: false,
        description: 'Also events that a reorg removed.',
      })
      includeRemoved: boolean,
    ): Promise<object> {
      return reads.page(
        { where, orderBy, first, after, last, before, includeRemoved },
        selects(info, 'totalCount', 'totalCountIsEstimate'),
      );
    }

    @Query(() => types.node, {
      name: `${stem}Event`,
      nullable: true,
      description: `One ${event.name} event, also a removed one.`,
    })
    one(
      @Arg('id', () => ID, { description: '`chainId:txHash:logIndex`.' }) id: string,
    ): Promise<object | null> {
      return reads.one(id);
    }

    @Subscription(() => types.changes, {
      name: `${stem}Events`,
      description:
        'Changes in the order in which they were committed; resumable without a gap by the cursor of any message.',
      subscribe: ({ args }) => reads.changes(args as SubscriptionArguments),
    })
    changes(
      @Root() changes: object,
      @Arg('where', () => types.where, { nullable: true, description: 'Only events that match.' })
      _where: WhereInput | null,
      @Arg('since', () => FeedCursorScalar, {
        nullable: true,
        description: 'Go on behind this place; default: now. "0" is the beginning.',
      })
      _since: string | null,
      @Arg('finality', () => Finality, {
        defaultValue: Finality.UNFINALIZED,
        description: 'FINALIZED: only final events, each once.',
      })
      _finality: Finality,
      @Arg('includeHistory', () => GraphQLBoolean, {
        defaultValue: true,
        description: 'Also events older than the first block that came live.',
      })
      _includeHistory: boolean,
      @Arg('batchSize', () => Int, {
        defaultValue: 100,
        description: `Changes per message at most; 1 to ${PAGE_MAX}.`,
      })
      _batchSize: number,
    ): object {
      return changes;
    }
  }
  return EventResolver;
}

/** Whether one of these fields of the result is asked for: in fragments, too, and unless @skip or @include say no. */
function selects(info: GraphQLResolveInfo, ...names: string[]): boolean {
  const within = (set: (typeof info.fieldNodes)[number]['selectionSet']): boolean =>
    set?.selections.some((selection) => {
      if (!isIncluded(selection, info)) return false;
      if (selection.kind === Kind.FIELD) return names.includes(selection.name.value);
      if (selection.kind === Kind.INLINE_FRAGMENT) return within(selection.selectionSet);
      return within(info.fragments[selection.name.value]?.selectionSet);
    }) ?? false;
  return info.fieldNodes.some((node) => within(node.selectionSet));
}

function isIncluded(selection: SelectionNode, { variableValues }: GraphQLResolveInfo): boolean {
  const skip = getDirectiveValues(GraphQLSkipDirective, selection, variableValues);
  const include = getDirectiveValues(GraphQLIncludeDirective, selection, variableValues);
  return skip?.if !== true && include?.if !== false;
}
