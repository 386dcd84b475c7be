import { GraphQLError } from 'graphql';
import type { KnownChain } from '#libs/database/chain-status.js';
import type { Row } from '#libs/database/condition.js';
import type { Database } from '#libs/database/database.js';
import { countRows } from '#libs/database/event-count.js';
import { completeOrder, type OrderColumn, readPage, readRow } from '#libs/database/event-pages.js';
import { feedHead, isStored } from '#libs/database/feed-log.js';
import type { EventDefinition } from '#libs/events/event.js';
import { badInput, cursorExpired } from '../errors.js';
import { changesSince } from '../feed/changes.js';
import type { ChangesBatch } from '../feed/changes-reader.js';
import { type CommitFeed, PlaceExpired } from '../feed/commit-feed.js';
import { endable } from '../feed/endable.js';
import type { LiveReaders } from '../feed/live-reader.js';
import { type FeedPlace, feedCursor, pageCursor, parseFeedCursor, parsePageCursor } from './cursors.js';
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
  /** One for the process, so that what GraphQL and REST are asked alike is read once. */
  readonly live: LiveReaders;
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
  /** Messages of batches that several subscribers get. */
  private readonly messages = new WeakMap<ChangesBatch, Promise<object>>();

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
      await this.parts.database.events.assertHere(tx, event);
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
    const { statements, events } = this.parts.database;
    await events.assertHere(statements, this.event);
    const row = await readRow(statements, this.event, key);
    await events.assertHere(statements, this.event);
    return row && nodeOf(this.event, row, await this.parts.chains.read(statements));
  }

  /**
   * Messages of the live feed: `cursor` and `changes`; identical subscriptions get the same objects. Ends only by an error that says
   * how to go on.
   * @throws GraphQLError BAD_USER_INPUT, CURSOR_EXPIRED, SERVER_CLOSING
   */
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
    const { since, epoch } = await this.beginning(args.since);
    const { includeHistory, batchSize } = args;
    const finalizedOnly = args.finality === Finality.FINALIZED;
    const selection = { event, epoch, condition, finalizedOnly, includeHistory, batchSize };
    try {
      for await (const batch of changesSince(parts, { ...selection, since, ended }))
        yield await this.message(epoch, batch);
    } catch (error) {
      throw error instanceof PlaceExpired ? cursorPruned() : error;
    }
    if (ended.aborted) return;
    if (!parts.feed.isOf(epoch))
      throw cursorExpired('The database was restored: read a page and go on from its `asOf`.');
    throw new GraphQLError('The server is closing; go on with the last cursor.', {
      extensions: { code: 'SERVER_CLOSING' },
    });
  }

  /** Where a subscription begins, by the database: a cursor may come from a replica that has read further than this process. */
  private async beginning(cursor: string | null): Promise<{ since: FeedPlace; epoch: string }> {
    const { statements } = this.parts.database;
    const { position, epoch } = await feedHead(statements);
    if (cursor == null) return { since: { position, key: null }, epoch };
    const since = parseFeedCursor(cursor, epoch);
    if (since.position > position)
      throw cursorExpired(
        'this feed cursor lies ahead of the database, which may have been restored: read a page and go on from its `asOf`',
      );
    if (since.position < position && !(await isStored(statements, since.position + 1))) throw cursorPruned();
    return { since, epoch };
  }

  private message(epoch: string, batch: ChangesBatch): Promise<object> {
    const known = this.messages.get(batch);
    if (known) return known;
    const message = this.newMessage(epoch, batch);
    this.messages.set(batch, message);
    return message;
  }

  private async newMessage(epoch: string, { place, changes }: ChangesBatch): Promise<object> {
    const chains: ReadonlyMap<number, KnownChain> = changes.length
      ? await this.parts.chains.current()
      : new Map();
    return {
      cursor: feedCursor(epoch, place),
      changes: changes.map(({ type, row }) => ({
        type,
        node: nodeOf(this.event, row, chains, type === 'FINALIZED'),
      })),
    };
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

/** What lies behind the cursor isn't kept any more. */
function cursorPruned(): GraphQLError {
  return cursorExpired(
    'The changes behind this feed cursor are no longer kept (FEED_RETENTION_DAYS): read a page and go on from its `asOf`.',
  );
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
