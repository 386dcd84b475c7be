import type { Row } from '#libs/database/condition.js';
import type { OrderColumn } from '#libs/database/event-pages.js';
import type { RowKey } from '#libs/database/feed-log.js';
import { type Column, type ColumnKind, type ColumnValue, fromSql } from '#libs/events/column.js';
import { badInput, cursorExpired } from '../errors.js';

/** A place in the live feed: everything up to a position, or up to a row within the next one. */
export interface FeedPlace {
  readonly position: number;
  /** Last row seen of the entry at `position + 1`, or null when none of it was. */
  readonly key: RowKey | null;
}

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

function decode(cursor: string): Record<string, unknown> | null {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')) as Record<string, unknown>;
  } catch {
    return null;
  }
}

/** Writes a cursor of the live feed. @param epoch id of the ledger; positions mean nothing in another one. */
export function feedCursor(epoch: string, place: FeedPlace): string {
  return encode({ feed: epoch, at: place.position, ...(place.key && { row: place.key }) });
}

/**
 * Reads a cursor of the live feed. `0` is the beginning of the feed, which isn't kept for ever.
 * @throws GraphQLError BAD_USER_INPUT when it is a page's cursor, or none at all; CURSOR_EXPIRED when it is another database's.
 */
export function parseFeedCursor(cursor: string, epoch: string): FeedPlace {
  if (cursor === '0') return { position: 0, key: null };
  const value = decode(cursor);
  if (value?.page !== undefined)
    throw badInput('this is a page cursor; `since` takes a feed cursor (`asOf`, or `cursor` of a message)');
  const { feed, at, row } = value ?? {};
  const rowIsKey =
    row === undefined ||
    (Array.isArray(row) &&
      row.length === 4 &&
      /^0x[0-9a-f]{64}$/.test(String(row[3])) &&
      row.slice(0, 3).every(Number.isSafeInteger));
  if (typeof feed !== 'string' || !Number.isSafeInteger(at) || (at as number) < 0 || !rowIsKey)
    throw badInput('this is not a feed cursor');
  if (feed !== epoch)
    throw cursorExpired('this feed cursor is of another database: read a page and go on from its `asOf`');
  return { position: at as number, key: (row as RowKey | undefined) ?? null };
}

/** Writes the cursor of a row in a page: its values of the order's columns. */
export function pageCursor(order: readonly OrderColumn[], row: Row): string {
  return encode({ page: orderName(order), row: order.map((o) => cursorValue(row[o.column.property]!)) });
}

/** Reads a page's cursor. @throws GraphQLError when it is the feed's, of another order, or none at all. */
export function parsePageCursor(cursor: string, order: readonly OrderColumn[]): ColumnValue[] {
  const value = decode(cursor);
  if (value?.feed !== undefined)
    throw badInput(
      'this is a feed cursor; `after` and `before` take a page cursor (`endCursor`, `startCursor`)',
    );
  const { page, row } = value ?? {};
  if (typeof page !== 'string' || !Array.isArray(row)) throw badInput('this is not a page cursor');
  if (page !== orderName(order))
    throw badInput('this page cursor is of another `orderBy`: use it with the order it came from');
  return order.map((o, i) => readValue(o.column, row[i]));
}

function orderName(order: readonly OrderColumn[]): string {
  return order.map((o) => `${o.column.property}${o.descending ? '-' : '+'}`).join(' ');
}

function cursorValue(value: ColumnValue): unknown {
  if (value instanceof Date) return value.toISOString();
  return typeof value === 'bigint' ? value.toString() : value;
}

/**
 * What a cursor must hold for each kind of column; a forged one must not reach the database. Null: nothing can be ordered by it. All
 * kinds are named, since without its form a kind has a first page and no second one.
 */
const cursorForms: Record<ColumnKind, RegExp | null> = {
  uint256: /^\d{1,78}$/,
  int256: /^-?\d{1,78}$/,
  safeInt: /^\d{1,16}$/,
  address: /^0x[0-9a-f]{40}$/,
  bytes32: /^0x[0-9a-f]{64}$/,
  bytes: /^0x([0-9a-f]{2})*$/,
  timestamp: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
  // biome-ignore lint/suspicious/noControlCharactersInRegex: Postgres's text holds everything but NUL
  text: /^[^\u0000]*$/,
  boolean: /^(true|false)$/,
  bytes32List: null,
  json: null,
};

function readValue(column: Column, value: unknown): ColumnValue {
  if (value === null && column.nullable) return null;
  const text = String(value);
  // an impossible date, or one of year 0, has the form of one, too
  const impossible = column.kind === 'timestamp' && !(new Date(text).getUTCFullYear() >= 1);
  if (impossible || !cursorForms[column.kind]?.test(text)) throw badInput('this is not a page cursor');
  if (column.kind === 'boolean') return text === 'true';
  return column.kind.startsWith('byte') || column.kind === 'address' ? text : fromSql(column.kind, text);
}
