import { sql } from 'kysely';
import { amountColumns, distinctColumns, groupColumns } from '#apps/api/reads/stats.js';
import { conditionOf, filterColumns, type WhereInput } from '#apps/api/reads/where.js';
import type { Database, SqlExecutor } from '#libs/database/database.js';
import { countRows } from '#libs/database/event-count.js';
import { completeOrder, readPage } from '#libs/database/event-pages.js';
import { readStats } from '#libs/database/event-stats.js';
import { type Column, type ColumnValue, fromSql } from '#libs/events/column.js';
import type { EventDefinition } from '#libs/events/event.js';
import { amountFunctions } from '#libs/events/figures.js';

/** A read as a client may ask for it. */
export interface ReadCase {
  readonly name: string;
  readonly read: (executor: SqlExecutor) => Promise<unknown>;
}

/** Rows of a page here; the API reads one more than it gives. */
const PAGE = 51;
const DAY_MS = 86_400_000;

/** The reads of an event's rows whose plans are watched: filters by values that are there. */
export async function readCases(database: Database, event: EventDefinition): Promise<ReadCase[]> {
  const page = (name: string, where: WhereInput, from: readonly ColumnValue[] | null = null): ReadCase => ({
    name,
    read: (executor) => readPage(executor, event, { ...pageRequest(event, where), from }),
  });
  const order = completeOrder(event, []);
  const [deep] = await middleRow(database, event);
  const cases = [
    page('default list', {}),
    page(
      'default list, deep',
      {},
      order.map(({ column }) => deep![column.property]!),
    ),
  ];
  for (const column of filterColumns(event)) {
    const { common, rare } = await valuesOf(database, event, column);
    cases.push(page(`${column.property} = common`, { [column.property]: { eq: common } }));
    cases.push(page(`${column.property} = rare`, { [column.property]: { eq: rare } }));
    cases.push(page(`${column.property} in [rare]`, { [column.property]: { in: [rare] } }));
  }
  const week = new Date(Date.now() - 7 * DAY_MS);
  const { common, rare } = await valuesOf(database, event, columnOf(event, 'chainId'));
  for (const [how, chainId] of Object.entries({ common, rare })) {
    const within = { chainId: { eq: chainId }, blockTimestamp: { lt: week } };
    cases.push(page(`chainId = ${how}, before a week ago`, within));
  }
  for (const eq of ['FINALIZED', 'UNFINALIZED']) cases.push(page(`finality = ${eq}`, { finality: { eq } }));
  for (const [of, where] of Object.entries({ all: {}, 'a rare chain': { chainId: { eq: rare } } }))
    cases.push({
      name: `totalCount of ${of}`,
      read: (executor) => countRows(executor, event, pageRequest(event, where)),
    });
  return [...cases, ...statsCases(event)];
}

/** Aggregates of the last day: by each column that groups can be made by, and with all figures. */
function statsCases(event: EventDefinition): ReadCase[] {
  const condition = conditionOf(event, { blockTimestamp: { gte: new Date(Date.now() - DAY_MS) } });
  const order = [{ term: { kind: 'count' } as const, descending: true }];
  const request = { condition, bucket: null, distinct: [], amounts: [], order, limit: 101 };
  const cases = groupColumns(event).map((column) => ({
    name: `last day by ${column.property}`,
    read: (executor: SqlExecutor) => readStats(executor, event, { ...request, groupBy: [column] }),
  }));
  const tokens = event.columns.filter((c) =>
    amountColumns(event).some(({ amountOf }) => amountOf === c.property),
  );
  const full = {
    ...request,
    groupBy: [columnOf(event, 'chainId'), ...tokens],
    bucket: 'HOUR' as const,
    distinct: distinctColumns(event),
    amounts: amountColumns(event).flatMap((column) => amountFunctions.map((kind) => ({ kind, column }))),
  };
  const name = 'last day by hour, chain and token, with all figures';
  return [...cases, { name, read: (executor) => readStats(executor, event, full) }];
}

function columnOf(event: EventDefinition, property: string): Column {
  return event.allColumns.find((c) => c.property === property)!;
}

/** The first page of what a filter lets through, in the default order. */
export function pageRequest(event: EventDefinition, where: WhereInput) {
  return {
    condition: conditionOf(event, where),
    includeRemoved: false,
    order: completeOrder(event, []),
    backwards: false,
    limit: PAGE,
  };
}

async function middleRow(database: Database, event: EventDefinition) {
  const [time] = (
    await sql<{
      at: Date;
    }>`select min(block_timestamp) + (max(block_timestamp) - min(block_timestamp)) / 2 as at
    from ${sql.table(event.table)}`.execute(database.statements)
  ).rows;
  const condition = conditionOf(event, { blockTimestamp: { lte: new Date(time!.at) } });
  return readPage(database.statements, event, { ...pageRequest(event, {}), condition, from: null, limit: 1 });
}

async function valuesOf(
  database: Database,
  event: EventDefinition,
  column: Column,
): Promise<{ common: ColumnValue; rare: ColumnValue }> {
  const { rows } = await sql<{ value: unknown }>`
    select ${sql.ref(column.name)} as value from ${sql.table(event.table)} tablesample system (${1})
    group by 1 order by count(*) desc, 1`.execute(database.statements);
  return { common: fromSql(column.kind, rows[0]!.value), rare: fromSql(column.kind, rows.at(-1)!.value) };
}
