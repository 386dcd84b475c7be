import { type RawBuilder, sql } from 'kysely';
import { type Column, type ColumnValue, columnKinds, toSql } from '#libs/events/column.js';

/** Comparisons of a column with one value. */
export type Comparison = 'eq' | 'ne' | 'gt' | 'gte' | 'lt' | 'lte';

/** A filter on an event's rows, as a tree: compiled to SQL for pages, and to a function for the live feed. */
export type Condition =
  | { readonly kind: 'and' | 'or'; readonly of: readonly Condition[] }
  | { readonly kind: 'not'; readonly of: Condition }
  | {
      readonly kind: 'compare';
      readonly column: Column;
      readonly with: Comparison;
      readonly value: ColumnValue;
    }
  | { readonly kind: 'in'; readonly column: Column; readonly values: readonly ColumnValue[] }
  /** Whether the column has no value. */
  | { readonly kind: 'null'; readonly column: Column; readonly value: boolean }
  | { readonly kind: 'final'; readonly value: boolean };

/** A row of an event's table: column values by property name. */
export type Row = Readonly<Record<string, ColumnValue>>;

const operators: Record<Comparison, string> = { eq: '=', ne: '<>', gt: '>', gte: '>=', lt: '<', lte: '<=' };

/** Up to so many values of an argument are looked up in the index of all arguments one by one; of 300,000 rows 2 take 3 ms so, 900 else. */
const ARGUMENT_VALUES = 50;

/** Type of what a column is compared with: a cast to `timestamptz(0)` would round a moment to another second. */
function comparedType(column: Column): RawBuilder<unknown> {
  return sql.raw(column.kind === 'timestamp' ? 'timestamptz' : columnKinds[column.kind].sqlType);
}

/** A value as a typed SQL parameter. */
export function sqlValue(column: Column, value: ColumnValue): RawBuilder<unknown> {
  return sql`${toSql(column.kind, value)}::text::${comparedType(column)}`;
}

/**
 * The condition on table `t` in SQL. It holds or it doesn't: a column without a value differs from every value and is neither
 * greater nor less, so that `ne` and `notIn` are what `not` says of `eq` and `in`.
 */
export function conditionSql(condition: Condition): RawBuilder<unknown> {
  switch (condition.kind) {
    case 'and':
    case 'or':
      return joined(condition.kind, condition.of);
    case 'not':
      // SQL's third value, which only a column without a value brings about, counts as false
      return mayBeUnknown(condition.of)
        ? sql`(${conditionSql(condition.of)} is not true)`
        : sql`(not ${conditionSql(condition.of)})`;
    case 'compare':
      return compareSql(condition);
    case 'in':
      return inSql(condition);
    case 'null':
      return sql`(t.${sql.ref(condition.column.name)} is ${sql.raw(condition.value ? 'null' : 'not null')})`;
    case 'final':
      return sql`(exists (select 1 from chain c where c.chain_id = t.chain_id and t.block_number <= c.finalized_block) = ${condition.value})`;
  }
}

function compareSql({
  column,
  with: comparison,
  value,
}: Condition & { kind: 'compare' }): RawBuilder<unknown> {
  if (comparison === 'eq' && column.argument !== null) return argumentEquals(column.argument, value);
  const operator = comparison === 'ne' && column.nullable ? 'is distinct from' : operators[comparison];
  return sql`(t.${sql.ref(column.name)} ${sql.raw(operator)} ${sqlValue(column, value)})`;
}

function inSql({ column, values }: Condition & { kind: 'in' }): RawBuilder<unknown> {
  const equals = (value: ColumnValue) => compareSql({ kind: 'compare', column, with: 'eq', value });
  // an index gives the rows of one value in the order of pages, those of a list not
  if (values.length === 1) return equals(values[0]!);
  if (column.argument !== null && values.length && values.length <= ARGUMENT_VALUES)
    return sql`(${sql.join(values.map(equals), sql` or `)})`;
  const array = sql`${values.map((value) => toSql(column.kind, value))}::text[]::${comparedType(column)}[]`;
  return sql`(t.${sql.ref(column.name)} = any(${array}))`;
}

/** Said of the JSON of all arguments, which is indexed: whole numbers are strings there. */
function argumentEquals(argument: string, value: ColumnValue): RawBuilder<unknown> {
  const kept = typeof value === 'boolean' ? value : String(value);
  return sql`(t.args @> ${JSON.stringify({ [argument]: kept })}::text::jsonb)`;
}

/** Whether SQL may find that a condition neither holds nor doesn't. */
function mayBeUnknown(condition: Condition): boolean {
  if (condition.kind === 'and' || condition.kind === 'or') return condition.of.some(mayBeUnknown);
  return (condition.kind === 'compare' || condition.kind === 'in') && condition.column.nullable;
}

function joined(kind: 'and' | 'or', of: readonly Condition[]): RawBuilder<unknown> {
  if (!of.length) return kind === 'and' ? sql`true` : sql`false`;
  return sql`(${sql.join(of.map(conditionSql), sql.raw(` ${kind} `))})`;
}

/**
 * The condition as a function on rows in memory, in agreement with `conditionSql` on every row.
 * @param isFinal whether a row is final, as far as the condition asks.
 */
export function conditionMatcher(
  condition: Condition,
  isFinal: (row: Row) => boolean,
): (row: Row) => boolean {
  switch (condition.kind) {
    case 'and': {
      const all = condition.of.map((c) => conditionMatcher(c, isFinal));
      return (row) => all.every((matches) => matches(row));
    }
    case 'or': {
      const any = condition.of.map((c) => conditionMatcher(c, isFinal));
      return (row) => any.some((matches) => matches(row));
    }
    case 'not': {
      const inner = conditionMatcher(condition.of, isFinal);
      return (row) => !inner(row);
    }
    case 'compare':
      return compareMatcher(condition);
    case 'in': {
      const { column, values } = condition;
      const wanted = new Set(values.map((value) => toSql(column.kind, value)));
      return (row) => wanted.has(toSql(column.kind, row[column.property]!));
    }
    case 'null':
      return (row) => (row[condition.column.property] === null) === condition.value;
    case 'final':
      return (row) => isFinal(row) === condition.value;
  }
}

function compareMatcher({
  column,
  with: comparison,
  value,
}: Condition & { kind: 'compare' }): (row: Row) => boolean {
  const wanted = comparable(value!);
  return (row) => {
    const found = row[column.property]!;
    if (found === null) return comparison === 'ne';
    const actual = comparable(found);
    if (comparison === 'eq') return actual === wanted;
    if (comparison === 'ne') return actual !== wanted;
    if (comparison === 'gt') return actual > wanted;
    if (comparison === 'gte') return actual >= wanted;
    return comparison === 'lt' ? actual < wanted : actual <= wanted;
  };
}

function comparable(value: NonNullable<ColumnValue>): bigint | number | string | boolean {
  if (value instanceof Date) return value.getTime();
  return Array.isArray(value) ? value.join() : (value as bigint | number | string | boolean);
}
