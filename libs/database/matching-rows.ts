import { type RawBuilder, sql } from 'kysely';
import type { Column } from '#libs/events/column.js';
import type { EventDefinition } from '#libs/events/event.js';
import { type Condition, conditionSql } from './condition.js';
import { rowsOf } from './event-relation.js';

/** Which rows of an event are meant. */
export interface RowFilter {
  readonly condition: Condition;
  readonly includeRemoved: boolean;
}

/** `<table> t where …`, for what follows `from`: the rows of an event that are meant. */
export function matchingRows(
  event: EventDefinition,
  { condition, includeRemoved }: RowFilter,
): RawBuilder<unknown> {
  const all = conjuncts(condition);
  const source = all.some((c) => c.kind === 'final' && !c.value) ? unfinalizedRows(event) : rowsOf(event);
  const parts = [
    ...(includeRemoved ? [] : [sql`not t.removed`]),
    // heights are indexed within each chain: with the chains said, a height needs a look-up in each and not the whole index
    // (Postgres 18 finds that by itself)
    ...(compares(all, 'blockNumber') && !compares(all, 'chainId')
      ? [sql`t.chain_id = any(array(select chain_id from chain))`]
      : []),
    conditionSql(condition),
  ];
  return sql`${source} t where ${sql.join(parts, sql` and `)}`;
}

function compares(all: readonly Condition[], property: string): boolean {
  return all.some((c) => (c.kind === 'compare' || c.kind === 'in') && c.column.property === property);
}

/** The conditions that must all hold. */
export function conjuncts(condition: Condition): Condition[] {
  return condition.kind === 'and' ? condition.of.flatMap(conjuncts) : [condition];
}

/** Whether a condition lets only one value of a column through, as far as its conjuncts say so. */
export function isFixed(condition: Condition, column: Column): boolean {
  return conjuncts(condition).some((c) => {
    if (c.kind === 'in') return c.column === column && c.values.length === 1;
    return c.kind === 'compare' && c.column === column && c.with === 'eq';
  });
}

/**
 * The rows above their chain's finality, found by height within each chain. They are the newest few: a page that looked for
 * them from the newest row on would, with fewer of them than it has places, read the whole table. `offset 0` keeps the
 * planner from turning it into just that.
 */
function unfinalizedRows(event: EventDefinition): RawBuilder<unknown> {
  return sql`(select e.* from chain c cross join lateral (select * from ${rowsOf(event)} r
    where r.chain_id = c.chain_id and r.block_number > coalesce(c.finalized_block, -1) offset 0) e)`;
}
