import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { filterColumns } from '#apps/api/reads/where.js';
import type { SqlExecutor } from '#libs/database/database.js';
import { COUNT_LIMIT } from '#libs/database/event-count.js';
import { readPage } from '#libs/database/event-pages.js';
import type { EventDefinition } from '#libs/events/event.js';
import { events } from '#libs/events/registry.js';
import { type Explained, explain } from '../scripts/bench/explain.js';
import { generateRows, SPAN_DAYS } from '../scripts/bench/generated-rows.js';
import { pageRequest, readCases } from '../scripts/bench/read-cases.js';
import { LedgerFixture } from './services/ledger-fixture.js';
import { query } from './services/query.js';

/** Enough that no plan reads the whole table because it is small. */
const ROWS = 60_000;
/** Rows and pages that a read may look at however few it returns. */
const FEW_ROWS = 50;
const FEW_PAGES = 250;

/** Columns without an index of their own: of the position, and those of the event that its folder gives none; docs/fast-reads.md says why. */
function unindexedOf(event: EventDefinition): Set<string> {
  const own = event.columns.filter((column) => !column.indexed).map((column) => column.property);
  return new Set(['blockHash', 'txIndex', 'logIndex', ...own]);
}

describe.each(events.map((event) => [event.name, event] as const))('reads of %s', (_, event) => {
  const unindexed = unindexedOf(event);
  let ledger: LedgerFixture;
  const plans = new Map<string, Explained>();

  beforeAll(async () => {
    ledger = await LedgerFixture.create(inject('postgresUrl'));
    await generateRows(ledger.database, event, ROWS);
    for (const { name, read } of await readCases(ledger.database, event))
      plans.set(name, await explain(ledger.database.statements, event.table, read));
  });
  afterAll(() => ledger?.close());

  const of = (pattern: RegExp) => [...plans].filter(([name]) => pattern.test(name));
  const tooMuch = ([name, plan]: [string, Explained]) => ({ name, ...plan });

  test('a page looks at 3 times the rows that it gives at most, and at few pages, by index', () => {
    const pages = of(/^(?!last day|totalCount)/).filter(([name]) => !unindexed.has(name.split(' ')[0]!));
    expect(pages.length).toBeGreaterThan(2 * (filterColumns(event).length - unindexed.size));
    const bad = pages.filter(
      ([, { read, returned, pages: looked, sequential }]) =>
        sequential || read > Math.max(FEW_ROWS, 3 * returned) || looked > FEW_PAGES,
    );
    expect(bad.map(tooMuch)).toEqual([]);
  });

  test('a count looks at the rows that it counts, and stops at its limit', () => {
    const counts = of(/^totalCount/).map(([name, { read }]) => [name, read]);
    expect(counts).toEqual([
      ['totalCount of all', expect.toSatisfy((read: number) => read < 1.01 * COUNT_LIMIT)],
      ['totalCount of a rare chain', expect.toSatisfy((read: number) => read < ROWS / 100)],
    ]);
  });

  test('aggregates of the last day look at the rows of that day only, by index', () => {
    const aggregates = of(/^last day/);
    expect(aggregates.length).toBeGreaterThan(3);
    const aDay = ROWS / SPAN_DAYS;
    const bad = aggregates.filter(
      ([, { read, sequential }]) => sequential || read < aDay / 2 || read > 1.5 * aDay,
    );
    expect(bad.map(tooMuch)).toEqual([]);
  });

  test('a value that was frequent until long ago is found by its index, whatever the statistics say', async () => {
    const chainId = 1;
    await query(ledger.url, `update ${event.table} set chain_id = ${chainId} where write_id % 30 > 0`);
    await query(ledger.url, `analyze ${event.table}`);
    await query(
      ledger.url,
      `delete from ${event.table} where chain_id = ${chainId} and block_timestamp > now() - interval '1 year'`,
    );
    const read = (executor: SqlExecutor) =>
      readPage(executor, event, { ...pageRequest(event, { chainId: { eq: chainId } }), from: null });
    const { returned, read: looked } = await explain(ledger.database.statements, event.table, read);
    expect(returned).toBeGreaterThan(0);
    expect(looked).toBeLessThan(3 * returned);
  });
});
