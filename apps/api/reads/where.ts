import type { Comparison, Condition } from '#libs/database/condition.js';
import type { Column, ColumnValue } from '#libs/events/column.js';
import type { EventDefinition } from '#libs/events/event.js';
import { badInput } from '../errors.js';

/** Values that one `in` or `notIn` may have. */
export const MAX_LIST = 1_000;
/** Depth of nested `and`, `or` and `not`. */
export const MAX_DEPTH = 10;

/** A `where` argument as GraphQL hands it over. */
export type WhereInput = Readonly<Record<string, unknown>>;

/** Columns that can be filtered by; lists, tuples and raw data can't. */
export function filterColumns(event: EventDefinition): Column[] {
  const left = new Set(['topics', 'data', 'removed', 'revision', 'writeId']);
  return event.allColumns.filter((column) => !left.has(column.property) && column.kind !== 'json');
}

/** Turns a `where` argument into a condition. Fields of one object are joined by "and". @throws GraphQLError BAD_USER_INPUT */
export function conditionOf(
  event: EventDefinition,
  where: WhereInput | null | undefined,
  depth = 0,
): Condition {
  if (depth > MAX_DEPTH) throw badInput(`a where may be nested ${MAX_DEPTH} levels deep`);
  const parts = Object.entries(where ?? {}).flatMap(([field, value]) => {
    if (value === null || value === undefined) return [];
    return partOf(event, field, value, depth);
  });
  return { kind: 'and', of: parts };
}

function partOf(event: EventDefinition, field: string, value: unknown, depth: number): Condition[] {
  if (field === 'and' || field === 'or') {
    return [{ kind: field, of: (value as WhereInput[]).map((w) => conditionOf(event, w, depth + 1)) }];
  }
  if (field === 'not') return [{ kind: 'not', of: conditionOf(event, value as WhereInput, depth + 1) }];
  if (field === 'finality') {
    const { eq } = value as { eq?: string | null };
    return eq == null ? [] : [{ kind: 'final', value: eq === 'FINALIZED' }];
  }
  const column = event.allColumns.find((c) => c.property === field)!;
  return Object.entries(value as Record<string, unknown>).flatMap(([operator, operand]) =>
    operand === null || operand === undefined ? [] : [operatorOf(column, operator, operand)],
  );
}

function operatorOf(column: Column, operator: string, written: unknown): Condition {
  if (operator === 'isNull') return { kind: 'null', column, value: written as boolean };
  const operands = Array.isArray(written) ? written : [written];
  if (operands.some((one) => typeof one === 'string' && one.includes('\0')))
    throw badInput(`${column.property}.${operator} has a NUL character`);
  if (operands.some((one) => typeof one === 'string' && !one.isWellFormed()))
    throw badInput(`${column.property}.${operator} has half of a character (a lone surrogate)`);
  if (operands.length > MAX_LIST)
    throw badInput(
      `${column.property}.${operator} has ${operands.length} values, at most ${MAX_LIST} are allowed`,
    );
  const values: ColumnValue[] = column.filter ? operands.map(column.filter.read) : operands;
  if (operator === 'in' || operator === 'notIn') {
    const within: Condition = { kind: 'in', column, values };
    return operator === 'in' ? within : { kind: 'not', of: within };
  }
  return { kind: 'compare', column, with: operator as Comparison, value: values[0]! };
}

/** Whether a condition asks for finality, which the live feed tells by its `finality` argument. */
export function asksFinality(condition: Condition): boolean {
  if (condition.kind === 'final') return true;
  if (condition.kind === 'not') return asksFinality(condition.of);
  return condition.kind === 'and' || condition.kind === 'or' ? condition.of.some(asksFinality) : false;
}
