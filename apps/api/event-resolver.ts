import { GraphQLBoolean, GraphQLError, type GraphQLResolveInfo, GraphQLString, Kind } from 'graphql';
import { Arg, ID, Info, Int, Query, Resolver, Root, Subscription } from 'type-graphql';
import type { Row } from '#libs/database/condition.js';
import type { Database } from '#libs/database/database.js';
import { completeOrder, countRows, type OrderColumn, readPage, readRow } from '#libs/database/event-pages.js';
import { feedHead } from '#libs/database/feed-log.js';
import type { EventDefinition } from '#libs/events/event.js';
import { feedCursor, pageCursor, parseFeedCursor, parsePageCursor } from './cursors.js';
import { badInput } from './errors.js';
import { type EventTypes, eventId, eventTypes, Finality, parseEventId } from './event-types.js';
import { changesSince } from './feed/changes.js';
import type { CommitFeed } from './feed/commit-feed.js';
import { endable } from './feed/endable.js';
import type { FinalizedBlocks } from './finalized-blocks.js';
import { FeedCursorScalar } from './scalars.js';
import { asksFinality, conditionOf, type WhereInput } from './where.js';

/** Rows of a page: by default, and at most. */
const PAGE_DEFAULT = 50;
const PAGE_MAX = 1_000;

/** What resolvers work with. */
export interface ResolverParts {
  readonly database: Database;
  readonly feed: CommitFeed;
  readonly finalized: FinalizedBlocks;
}

interface PageArguments {
  readonly where: WhereInput | null;
  readonly orderBy: readonly { field: string; direction: 'ASC' | 'DESC' }[] | null;
  readonly first: number | null;
  readonly after: string | null;
  readonly last: number | null;
  readonly before: string | null;
  readonly includeRemoved: boolean;
}

interface SubscriptionArguments {
  readonly where: WhereInput | null;
  readonly since: string | null;
  readonly finality: Finality;
  readonly includeHistory: boolean;
  readonly batchSize: number;
}

/** The queries and the subscription of one event type, all from its definition. */
export function eventResolver(event: EventDefinition, parts: ResolverParts): new () => object {
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
        selects(info, 'totalCount'),
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

/** The reads behind an event type's fields. */
class EventReads {
  constructor(
    private readonly event: EventDefinition,
    private readonly parts: ResolverParts,
  ) {}

  async page(args: PageArguments, wantsTotal: boolean): Promise<object> {
    const { event } = this;
    const { backwards, limit } = pageSize(args);
    const order = completeOrder(event, this.askedOrder(args.orderBy));
    const cursor = backwards ? args.before : args.after;
    if (backwards ? args.after : args.before)
      throw badInput('give `after` with `first`, or `before` with `last`');
    const from = cursor === null || cursor === undefined ? null : parsePageCursor(cursor, order);
    const request = {
      condition: conditionOf(event, args.where),
      includeRemoved: args.includeRemoved,
      order,
      from,
      backwards,
    };
    return this.parts.database.snapshot(async (tx) => {
      const read = await readPage(tx, event, { ...request, limit: limit + 1 });
      const more = read.length > limit;
      const rows = more ? (backwards ? read.slice(1) : read.slice(0, limit)) : read;
      const { position, epoch } = await feedHead(tx);
      const finalized = await this.parts.finalized.read(tx);
      return {
        ...connectionOf(rows, order, finalized),
        pageInfo: pageInfo(rows, order, { more, backwards, from: from !== null }),
        totalCount: wantsTotal ? await countRows(tx, event, request) : 0,
        asOf: feedCursor(epoch, { position, key: null }),
      };
    });
  }

  async one(id: string): Promise<object | null> {
    const key = parseEventId(id);
    if (!key)
      throw badInput(
        `${JSON.stringify(id.slice(0, 100))} is not an event's id: it is chainId:txHash:logIndex`,
      );
    const { statements } = this.parts.database;
    const row = await readRow(statements, this.event, key);
    return row && nodeOf(row, await this.parts.finalized.read(statements));
  }

  changes(args: SubscriptionArguments): AsyncGenerator<object> {
    return endable((ended) => this.changesUntil(ended, args));
  }

  private async *changesUntil(ended: AbortSignal, args: SubscriptionArguments): AsyncGenerator<object> {
    const { event, parts } = this;
    if (args.batchSize < 1 || args.batchSize > PAGE_MAX)
      throw badInput(`batchSize must be 1 to ${PAGE_MAX}, not ${args.batchSize}`);
    const condition = conditionOf(event, args.where);
    if (asksFinality(condition))
      throw badInput('a subscription tells finality by its argument `finality`, not in `where`');
    // of the database, not of this process: a cursor may come from a replica that has read further
    const { position, epoch } = await feedHead(parts.database.statements);
    const since = args.since == null ? { position, key: null } : parseFeedCursor(args.since, epoch);
    if (since.position > position)
      throw badInput(
        'this feed cursor lies ahead of the database, which may have been restored: read a page and go on from its `asOf`',
      );
    const request = { event, condition, since, finalizedOnly: args.finality === Finality.FINALIZED };
    for await (const { place, changes } of changesSince(parts, {
      ...request,
      includeHistory: args.includeHistory,
      batchSize: args.batchSize,
      epoch,
      ended,
    })) {
      const finalized = changes.length ? await parts.finalized.current() : new Map<number, number>();
      yield {
        cursor: feedCursor(epoch, place),
        changes: changes.map(({ type, row }) => ({
          type,
          node: nodeOf(row, finalized, type === 'FINALIZED'),
        })),
      };
    }
    if (ended.aborted) return;
    if (!parts.feed.isOf(epoch))
      throw new GraphQLError('The database was restored: read a page and go on from its `asOf`.', {
        extensions: { code: 'CURSOR_EXPIRED' },
      });
    throw new GraphQLError('The server is closing; go on with the last cursor.', {
      extensions: { code: 'SERVER_CLOSING' },
    });
  }

  private askedOrder(orderBy: PageArguments['orderBy']): OrderColumn[] {
    return (orderBy ?? []).map(({ field, direction }) => {
      return {
        column: this.event.allColumns.find((c) => c.property === field)!,
        descending: direction === 'DESC',
      };
    });
  }
}

function pageSize({ first, last }: PageArguments): { backwards: boolean; limit: number } {
  if (first != null && last != null) throw badInput('give `first` or `last`, not both');
  const limit = first ?? last ?? PAGE_DEFAULT;
  if (limit < 0 || limit > PAGE_MAX) throw badInput(`a page has 0 to ${PAGE_MAX} rows, not ${limit}`);
  return { backwards: last != null, limit };
}

function connectionOf(
  rows: readonly Row[],
  order: readonly OrderColumn[],
  finalized: ReadonlyMap<number, number>,
) {
  const nodes = rows.map((row) => nodeOf(row, finalized));
  return { nodes, edges: rows.map((row, i) => ({ node: nodes[i], cursor: pageCursor(order, row) })) };
}

function pageInfo(
  rows: readonly Row[],
  order: readonly OrderColumn[],
  read: { more: boolean; backwards: boolean; from: boolean },
) {
  const [first, last] = [rows[0], rows.at(-1)];
  return {
    hasNextPage: read.backwards ? read.from : read.more,
    hasPreviousPage: read.backwards ? read.more : read.from,
    startCursor: first ? pageCursor(order, first) : null,
    endCursor: last ? pageCursor(order, last) : null,
  };
}

function nodeOf(row: Row, finalized: ReadonlyMap<number, number>, known = false): object {
  const final = known || (row.blockNumber as number) <= (finalized.get(row.chainId as number) ?? -1);
  return { ...row, id: eventId(row), finality: final ? Finality.FINALIZED : Finality.UNFINALIZED };
}

/** Whether a field of the result is asked for, fragments included. */
function selects(info: GraphQLResolveInfo, name: string): boolean {
  const within = (set: (typeof info.fieldNodes)[number]['selectionSet']): boolean =>
    set?.selections.some((selection) => {
      if (selection.kind === Kind.FIELD) return selection.name.value === name;
      if (selection.kind === Kind.INLINE_FRAGMENT) return within(selection.selectionSet);
      return within(info.fragments[selection.name.value]?.selectionSet);
    }) ?? false;
  return info.fieldNodes.some((node) => within(node.selectionSet));
}
