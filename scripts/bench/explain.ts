import {
  type KyselyPlugin,
  type PluginTransformQueryArgs,
  type PluginTransformResultArgs,
  type QueryId,
  type QueryResult,
  RawNode,
  type RootOperationNode,
  type UnknownRow,
} from 'kysely';
import type { SqlExecutor } from '#libs/database/database.js';

/** One node of a plan as `explain (analyze, buffers, format json)` gives it. */
interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly 'Rows Removed by Index Recheck'?: number;
  readonly 'Shared Hit Blocks': number;
  readonly 'Shared Read Blocks': number;
  readonly Plans?: readonly PlanNode[];
}

/** How Postgres ran a statement. */
export interface Explained {
  readonly milliseconds: number;
  /** Rows that the statement returned. */
  readonly returned: number;
  /** Rows of the table that were looked at, also those that a filter then left out. */
  readonly read: number;
  /** Pages of table and indexes that were looked at: an index that is read from end to end shows here only. */
  readonly pages: number;
  /** The table was read from end to end. */
  readonly sequential: boolean;
  /** Names of the indexes that were used. */
  readonly indexes: readonly string[];
}

/** Carries the plan past the code that waits for the statement's rows. */
class PlanInstead extends Error {
  constructor(readonly plan: { 'Execution Time': number; Plan: PlanNode }) {
    super('explained');
  }
}

/** Puts `explain` before statements; one that asks for a plan itself passes. */
class Explaining implements KyselyPlugin {
  private readonly passed = new WeakSet<QueryId>();

  transformQuery({ node, queryId }: PluginTransformQueryArgs): RootOperationNode {
    if (!RawNode.is(node)) throw new Error(`only statements as text can be explained, not ${node.kind}`);
    const [first, ...others] = node.sqlFragments;
    if (/^\s*explain/.test(first!)) {
      this.passed.add(queryId);
      return node;
    }
    return { ...node, sqlFragments: [`explain (analyze, buffers, format json) ${first}`, ...others] };
  }

  async transformResult({ result, queryId }: PluginTransformResultArgs): Promise<QueryResult<UnknownRow>> {
    if (this.passed.has(queryId)) return result;
    const [plan] = (result.rows[0] as { 'QUERY PLAN': PlanInstead['plan'][] })['QUERY PLAN'];
    throw new PlanInstead(plan!);
  }
}

/** Runs the first statement of `read` on the table and tells how it ran, instead of what it found. */
export async function explain(
  executor: SqlExecutor,
  table: string,
  read: (executor: SqlExecutor) => Promise<unknown>,
): Promise<Explained> {
  try {
    await read(executor.withPlugin(new Explaining()));
  } catch (error) {
    if (error instanceof PlanInstead) return explained(error.plan, table);
    throw error;
  }
  throw new Error('nothing was asked');
}

function explained({ 'Execution Time': milliseconds, Plan }: PlanInstead['plan'], table: string): Explained {
  const nodes = nodesOf(Plan);
  const scans = nodes.filter((node) => node['Relation Name'] === table);
  const read = scans.reduce((sum, node) => sum + rowsRead(node), 0);
  return {
    milliseconds,
    returned: Plan['Actual Rows'] * Plan['Actual Loops'],
    read: Math.round(read),
    pages: Plan['Shared Hit Blocks'] + Plan['Shared Read Blocks'],
    sequential: scans.some((node) => node['Node Type'] === 'Seq Scan'),
    indexes: [...new Set(nodes.flatMap((node) => node['Index Name'] ?? []))],
  };
}

function rowsRead(node: PlanNode): number {
  const left = (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0);
  return (node['Actual Rows'] + left) * node['Actual Loops'];
}

function nodesOf(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)];
}
