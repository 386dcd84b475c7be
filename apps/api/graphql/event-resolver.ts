import { GraphQLBoolean, type GraphQLResolveInfo, GraphQLString } from 'graphql';
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
import type { EventTypes } from './event-types.js';
import { FeedCursorScalar } from './scalars.js';
import { selectedFields } from './selected-fields.js';

const COUNT_FIELDS = ['totalCount', 'totalCountIsEstimate'];

/** What the names of an event's fields begin with: `socketBridge`. */
export function stemOf(event: EventDefinition): string {
  return `${event.name[0]!.toLowerCase()}${event.name.slice(1)}`;
}

/** The queries and the subscription of one event type, all from its definition. */
export function eventResolver(event: EventDefinition, types: EventTypes, parts: ReadParts): new () => object {
  return resolverClass(event, types, stemOf(event), new EventReads(event, parts));
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
        COUNT_FIELDS.some((field) => selectedFields(info, []).has(field)),
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
        description:
          'Go on behind this place; default: now. "0" is the beginning of the commit log, and has expired (CURSOR_EXPIRED) once some of it is no longer kept.',
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
