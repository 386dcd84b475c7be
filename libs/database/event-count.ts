import { sql } from 'kysely';
import type { EventDefinition } from '#libs/events/event.js';
import type { SqlExecutor } from './database.js';
import { matchingRows, type RowFilter } from './matching-rows.js';

/** Rows are counted up to this many. */
export const COUNT_LIMIT = 10_000;
/**
 * Rows aren't counted where the planner expects more work than this, in its own unit: sequentially read pages. It is some
 * 800 MB. Counting stops at the limit, but a filter that hardly any row matches would read the whole table.
 */
const COUNT_COST = 100_000;

/** Number of rows. */
export interface RowCount {
  readonly rows: number;
  /** Whether it comes from the planner's statistics. */
  readonly isEstimate: boolean;
}

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Plan Rows': number;
  readonly 'Total Cost': number;
  readonly Plans?: readonly PlanNode[];
}

/** Number of rows that match: exact up to `COUNT_LIMIT` where that is cheap, else estimated. */
export async function countRows(
  executor: SqlExecutor,
  event: EventDefinition,
  request: RowFilter,
): Promise<RowCount> {
  const counting = sql`select count(*) as n from
    (select 1 from ${matchingRows(event, request)} limit ${sql.lit(COUNT_LIMIT + 1)}) counted`;
  const explained = await sql<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>`
    explain (format json) ${counting}`.execute(executor);
  const plan = explained.rows[0]!['QUERY PLAN'][0].Plan;
  const estimate = rowsBelowLimit(plan) ?? plan['Plan Rows'];
  if (plan['Total Cost'] > COUNT_COST) return { rows: estimate, isEstimate: true };
  const { rows } = await sql<{ n: string }>`${counting}`.execute(executor);
  const counted = Number(rows[0]!.n);
  // statistics may lag behind: it is more than what was counted, whatever they say
  if (counted > COUNT_LIMIT) return { rows: Math.max(counted, estimate), isEstimate: true };
  return { rows: counted, isEstimate: false };
}

/** What the planner expects of the scan that the limit cuts off. */
function rowsBelowLimit(node: PlanNode): number | null {
  const [below] = node.Plans ?? [];
  if (node['Node Type'] === 'Limit') return below?.['Plan Rows'] ?? node['Plan Rows'];
  return below ? rowsBelowLimit(below) : null;
}
