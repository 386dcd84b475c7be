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
  | { readonly kind: 'final'; readonly value: boolean };

/** A row of an event's table: column values by property name. */
export type Row = Readonly<Record<string, ColumnValue>>;

const operators: Record<Comparison, string> = { eq: '=', ne: '<>', gt: '>', gte: '>=', lt: '<', lte: '<=' };

/** Type of what a column is compared with: a cast to `timestamptz(0)` would round a moment to another second. */
function comparedType(column: Column): RawBuilder<unknown> {
  return sql.raw(column.kind === 'timestamp' ? 'timestamptz' : columnKinds[column.kind].sqlType);
}

/** A value as a typed SQL parameter. */
export function sqlValue(column: Column, value: ColumnValue): RawBuilder<unknown> {
  return sql`${toSql(column.kind, value)}::text::${comparedType(column)}`;
}

/** The condition on table `t` in SQL. All columns are `not null`, so that `not` has no third value. */
export function conditionSql(condition: Condition): RawBuilder<unknown> {
  switch (condition.kind) {
    case 'and':
    case 'or':
      return joined(condition.kind, condition.of);
    case 'not':
      return sql`(not ${conditionSql(condition.of)})`;
    case 'compare':
      if (condition.with === 'eq' && condition.column.argument !== null)
        return argumentEquals(condition.column.argument, condition.value);
      return sql`(t.${sql.ref(condition.column.name)} ${sql.raw(operators[condition.with])} ${sqlValue(condition.column, condition.value)})`;
    case 'in': {
      const { column, values } = condition;
      // an index gives the rows of one value in the order of pages, those of a list not
      if (values.length === 1)
        return conditionSql({ kind: 'compare', column, with: 'eq', value: values[0]! });
      const array = sql`${values.map((value) => toSql(column.kind, value))}::text[]::${comparedType(column)}[]`;
      return sql`(t.${sql.ref(column.name)} = any(${array}))`;
    }
    case 'final':
      return sql`(exists (select 1 from chain c where c.chain_id = t.chain_id and t.block_number <= c.finalized_block) = ${condition.value})`;
  }
}

/** Said of the JSON of all arguments, which is indexed: whole numbers are strings there. */
function argumentEquals(argument: string, value: ColumnValue): RawBuilder<unknown> {
  const kept = typeof value === 'boolean' ? value : String(value);
  return sql`(t.args @> ${JSON.stringify({ [argument]: kept })}::text::jsonb)`;
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
    case 'final':
      return (row) => isFinal(row) === condition.value;
  }
}

function compareMatcher({
  column,
  with: comparison,
  value,
}: Condition & { kind: 'compare' }): (row: Row) => boolean {
  const wanted = comparable(value);
  return (row) => {
    const actual = comparable(row[column.property]!);
    if (comparison === 'eq') return actual === wanted;
    if (comparison === 'ne') return actual !== wanted;
    if (comparison === 'gt') return actual > wanted;
    if (comparison === 'gte') return actual >= wanted;
    return comparison === 'lt' ? actual < wanted : actual <= wanted;
  };
}

function comparable(value: ColumnValue): bigint | number | string | boolean {
  if (value instanceof Date) return value.getTime();
  return Array.isArray(value) ? value.join() : (value as bigint | number | string | boolean);
}
