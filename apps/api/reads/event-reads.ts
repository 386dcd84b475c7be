import { GraphQLError } from 'graphql';
import type { KnownChain } from '#libs/database/chain-status.js';
import type { Row } from '#libs/database/condition.js';
import type { Database } from '#libs/database/database.js';
import { countRows } from '#libs/database/event-count.js';
import { completeOrder, type OrderColumn, readPage, readRow } from '#libs/database/event-pages.js';
import { feedHead } from '#libs/database/feed-log.js';
import type { EventDefinition } from '#libs/events/event.js';
import { badInput } from '../errors.js';
import { changesSince } from '../feed/changes.js';
import type { CommitFeed } from '../feed/commit-feed.js';
import { endable } from '../feed/endable.js';
import { feedCursor, pageCursor, parseFeedCursor, parsePageCursor } from './cursors.js';
import { Finality, nodeOf, parseEventId } from './event-node.js';
import type { KnownChains } from './known-chains.js';
import { asksFinality, conditionOf, type WhereInput } from './where.js';

/** Rows of a page: by default, and at most. */
export const PAGE_DEFAULT = 50;
export const PAGE_MAX = 1_000;

/** What reads work with. */
export interface ReadParts {
  readonly database: Database;
  readonly feed: CommitFeed;
  readonly chains: KnownChains;
}

export interface PageArguments {
  readonly where: WhereInput | null;
  readonly orderBy: readonly { field: string; direction: 'ASC' | 'DESC' }[] | null;
  readonly first: number | null;
  readonly after: string | null;
  readonly last: number | null;
  readonly before: string | null;
  readonly includeRemoved: boolean;
}

export interface SubscriptionArguments {
  readonly where: WhereInput | null;
  readonly since: string | null;
  readonly finality: Finality;
  readonly includeHistory: boolean;
  readonly batchSize: number;
}

/** The reads of one event type, for GraphQL and REST alike. Input that can't be used throws GraphQLError BAD_USER_INPUT. */
export class EventReads {
  constructor(
    private readonly event: EventDefinition,
    private readonly parts: ReadParts,
  ) {}

  /** A page and the place in the feed of the same moment. @param wantsTotal whether to count all rows that match. */
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
      const total = wantsTotal ? await countRows(tx, event, request) : null;
      const { position, epoch } = await feedHead(tx);
      const chains = await this.parts.chains.read(tx);
      return {
        ...connectionOf(event, rows, order, chains),
        pageInfo: pageInfo(rows, order, { more, backwards, from: from !== null }),
        totalCount: total?.rows ?? 0,
        totalCountIsEstimate: total?.isEstimate ?? false,
        asOf: feedCursor(epoch, { position, key: null }),
      };
    });
  }

  /** The row of an id, removed or not. */
  async one(id: string): Promise<object | null> {
    const key = parseEventId(id);
    if (!key)
      throw badInput(
        `${JSON.stringify(id.slice(0, 100))} is not an event's id: it is chainId:txHash:logIndex`,
      );
    const { statements } = this.parts.database;
    const row = await readRow(statements, this.event, key);
    return row && nodeOf(this.event, row, await this.parts.chains.read(statements));
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
      const chains: ReadonlyMap<number, KnownChain> = changes.length
        ? await parts.chains.current()
        : new Map();
      yield {
        cursor: feedCursor(epoch, place),
        changes: changes.map(({ type, row }) => ({
          type,
          node: nodeOf(event, row, chains, type === 'FINALIZED'),
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
  event: EventDefinition,
  rows: readonly Row[],
  order: readonly OrderColumn[],
  chains: ReadonlyMap<number, KnownChain>,
) {
  const nodes = rows.map((row) => nodeOf(event, row, chains));
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
