import type { Condition } from '#libs/database/condition.js';
import type { Database } from '#libs/database/database.js';
import {
  type Bucket,
  buckets,
  readStats,
  type StatsGroup,
  type StatsTerm,
} from '#libs/database/event-stats.js';
import { feedHead } from '#libs/database/feed-log.js';
import { conjuncts, isFixed } from '#libs/database/matching-rows.js';
import type { Column, ColumnValue } from '#libs/events/column.js';
import type { EventDefinition } from '#libs/events/event.js';
import {
  type AmountFunction,
  amountFunctions,
  figureName,
  isCounted,
  isGrouped,
} from '#libs/events/figures.js';
import { badInput } from '../errors.js';
import { feedCursor } from './cursors.js';
import { conditionOf, filterColumns, type WhereInput } from './where.js';

/** Groups of an answer: by default, and at most. */
export const GROUPS_DEFAULT = 100;
export const GROUPS_MAX = 1_000;
/** Stretches of time that the range of a bucketed question may have. */
export const BUCKETS_MAX = 1_000;

/** Length of a bucket in milliseconds; of a month the shortest. */
const bucketMs: Record<Bucket, number> = {
  HOUR: 3_600e3,
  DAY: 86_400e3,
  WEEK: 7 * 86_400e3,
  MONTH: 28 * 86_400e3,
};

/** What to aggregate, in the names that clients use. */
export interface StatsArguments {
  readonly where: WhereInput | null;
  /** Properties of `groupColumns`. */
  readonly groupBy: readonly string[] | null;
  readonly bucket: Bucket | null;
  /** Names of `statsTerms`. */
  readonly orderBy: readonly { field: string; direction: 'ASC' | 'DESC' }[] | null;
  readonly first: number | null;
}

/** The figures that are wanted, by property: each costs its reading. */
export type StatsFigures = Readonly<Record<'distinct' | AmountFunction, readonly string[]>>;

/** An answer: the first groups in order, and the place in the live feed that it is of. */
export interface StatsAnswer {
  readonly groups: readonly StatsGroup[];
  /** Whether there are more groups than `first`. */
  readonly hasMore: boolean;
  readonly asOf: string;
}

/** Columns of an event that can be grouped by: the chain, the contract, and its own but for amounts. */
export function groupColumns(event: EventDefinition): Column[] {
  return filterColumns(event).filter(
    (column) =>
      isGrouped(column) &&
      (event.columns.includes(column) || ['chainId', 'address'].includes(column.property)),
  );
}

/** Columns of an event whose distinct values can be counted: its own addresses. */
export function distinctColumns(event: EventDefinition): Column[] {
  return event.columns.filter(isCounted);
}

/** Columns of an event that can be added up, for one token of one chain at a time. */
export function amountColumns(event: EventDefinition): Column[] {
  return event.columns.filter(({ amountOf }) => amountOf !== null);
}

/**
 * What groups can be ordered by, by name: `bucket`, `count`, `chainId`, `distinctSender`, `sumAmount` …
 * @throws Error when two columns of the event would have the same name here.
 */
export function statsTerms(event: EventDefinition): ReadonlyMap<string, StatsTerm> {
  const named = (kind: Exclude<StatsTerm['kind'], 'bucket' | 'count'>, column: Column) => {
    const { property } = column;
    const name = kind === 'key' ? property : figureName(kind, property);
    return [name, { kind, column }] as const;
  };
  const terms = [
    ['bucket', { kind: 'bucket' }] as const,
    ['count', { kind: 'count' }] as const,
    ...groupColumns(event).map((column) => named('key', column)),
    ...distinctColumns(event).map((column) => named('distinct', column)),
    ...amountColumns(event).flatMap((column) => amountFunctions.map((kind) => named(kind, column))),
  ];
  const byName = new Map<string, StatsTerm>(terms);
  if (byName.size < terms.length)
    throw new Error(
      `${event.name}: a column has the name of an aggregate (${[...byName.keys()].join(', ')})`,
    );
  return byName;
}

/** The aggregates of one event type, for GraphQL and REST alike. */
export class EventStats {
  private readonly terms: ReadonlyMap<string, StatsTerm>;

  constructor(
    private readonly event: EventDefinition,
    private readonly database: Database,
  ) {
    this.terms = statsTerms(event);
  }

  /** @throws GraphQLError BAD_USER_INPUT when the arguments can't be used. */
  async read(args: StatsArguments, figures: StatsFigures): Promise<StatsAnswer> {
    const condition = conditionOf(this.event, args.where);
    const groupBy = [...new Set(args.groupBy ?? [])].map((name) => this.groupColumn(name));
    const first = args.first ?? GROUPS_DEFAULT;
    if (first < 1 || first > GROUPS_MAX)
      throw badInput(`\`first\` must be 1 to ${GROUPS_MAX} groups, not ${first}`);
    assertBucket(args.bucket, condition);
    const order = this.orderOf(args, groupBy);
    const columns = (names: readonly string[]) =>
      this.event.columns.filter((c) => names.includes(c.property));
    const amounts = amountFunctions.flatMap((kind) =>
      columns(figures[kind]).map((column) => ({ kind, column })),
    );
    for (const { column } of [...amounts, ...order.map(({ term }) => term)].filter(isAmount))
      this.assertOneToken(column, condition, groupBy);
    const request = {
      condition,
      groupBy,
      bucket: args.bucket,
      distinct: columns(figures.distinct),
      amounts,
      order,
    };
    return this.database.snapshot(async (tx) => {
      await this.database.events.assertHere(tx, this.event);
      const read = await readStats(tx, this.event, { ...request, limit: first + 1 });
      const { position, epoch } = await feedHead(tx);
      const asOf = feedCursor(epoch, { position, key: null });
      return { groups: read.slice(0, first), hasMore: read.length > first, asOf };
    });
  }

  private groupColumn(name: string): Column {
    const column = groupColumns(this.event).find(({ property }) => property === name);
    if (column) return column;
    const known = groupColumns(this.event).map(({ property }) => property);
    throw badInput(
      `groups can't be made by ${JSON.stringify(name.slice(0, 100))}: give some of ${known.join(', ')}`,
    );
  }

  private orderOf({ orderBy, bucket }: StatsArguments, groupBy: readonly Column[]) {
    const asked = (orderBy ?? []).map(({ field, direction }) => {
      const term = this.terms.get(field);
      if (!term)
        throw badInput(
          `groups can't be ordered by ${JSON.stringify(field.slice(0, 100))}: give some of ${[...this.terms.keys()].join(', ')}`,
        );
      if (term.kind === 'bucket' && !bucket)
        throw badInput('to order by `bucket`, give the argument `bucket`');
      if (term.kind === 'key' && !groupBy.includes(term.column))
        throw badInput(`to order by \`${field}\`, group by it, too`);
      return { term, descending: direction === 'DESC' };
    });
    if (asked.length) return asked;
    return bucket ? [] : [{ term: { kind: 'count' } as const, descending: true }];
  }

  /** Tokens differ in decimals, and the marker of the native coin means another coin on each chain. */
  private assertOneToken(amount: Column, condition: Condition, groupBy: readonly Column[]): void {
    const open = ['chainId', amount.amountOf!].filter((property) => {
      const column = this.event.allColumns.find((c) => c.property === property)!;
      return !groupBy.includes(column) && !isFixed(condition, column);
    });
    if (!open.length) return;
    const missing = open.join(' and ');
    throw badInput(
      `${amount.property} can be summed and compared within one token of one chain only (tokens differ in decimals, and one address is another token on another chain): ` +
        `add ${missing} to \`groupBy\`, or fix ${missing} in \`where\` by \`eq\``,
    );
  }
}

function isAmount<T extends { kind: string }>(term: T): term is T & { column: Column } {
  return (amountFunctions as readonly string[]).includes(term.kind);
}

function assertBucket(bucket: Bucket | null, condition: Condition): void {
  if (!bucket) return;
  if (!buckets.includes(bucket)) throw badInput(`\`bucket\` must be one of ${buckets.join(', ')}`);
  const { from, to } = timeRange(condition);
  const longest = `${BUCKETS_MAX} of them, that is ${Math.floor((BUCKETS_MAX * bucketMs[bucket]) / bucketMs.DAY)} days`;
  if (from === null)
    throw badInput(
      `bucket ${bucket} needs a range of time, at most ${longest}: give blockTimestamp \`gte\` (and \`lt\`; up to now by default) in \`where\``,
    );
  if ((to - from) / bucketMs[bucket] > BUCKETS_MAX)
    throw badInput(
      `bucket ${bucket} over ${Math.ceil((to - from) / bucketMs.DAY)} days would have too many buckets, at most ${longest}: give a shorter range of blockTimestamp, or a longer bucket`,
    );
}

/** The range of block times that a condition lets through, in milliseconds, as far as its conjuncts say so; up to now when it is open. */
function timeRange(condition: Condition): { from: number | null; to: number } {
  const bounds = (operators: readonly string[]) =>
    conjuncts(condition).flatMap((c) =>
      c.kind === 'compare' && c.column.property === 'blockTimestamp' && operators.includes(c.with)
        ? [timeOf(c.value)]
        : [],
    );
  const [lower, upper] = [bounds(['gt', 'gte', 'eq']), bounds(['lt', 'lte', 'eq'])];
  return {
    from: lower.length ? Math.max(...lower) : null,
    to: upper.length ? Math.min(...upper) : Date.now(),
  };
}

function timeOf(value: ColumnValue): number {
  return (value as Date).getTime();
}
