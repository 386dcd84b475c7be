import { type RawBuilder, sql } from 'kysely';
import type { StatedSource } from '#libs/broker/messages.js';
import { type Column, type ColumnValue, type NestedValue, toSql } from '#libs/events/column.js';
import type { EventDefinition } from '#libs/events/event.js';
import { type ChainLog, logKey } from '#libs/events/log.js';
import { finalizedBlock } from './apply-news.js';
import type { Row } from './condition.js';
import type { Database, SqlExecutor } from './database.js';
import { decodeLogs } from './decode-logs.js';
import { type BlockRanges, multirangeLiteral } from './entities/multirange-type.js';
import { columnValue, type EventRow, ofEvent, storedColumns } from './event-rows.js';
import { type RowKey, rowKey, rowsInOrder } from './feed-log.js';
import { notKept } from './kept-logs.js';

/** Rows read at a time. */
const ROWS_PER_PAGE = 5_000;

/** What a chain says of some sources in blocks [from, to]: "their logs are exactly these". */
export interface ChainRange {
  readonly chainId: number;
  readonly sources: readonly StatedSource[];
  readonly from: number;
  readonly to: number;
  readonly logs: readonly ChainLog[];
}

/** A row that isn't as the chain says. */
export interface Difference {
  /** `missing`: the chain has it; `extra`: only the table has it; `different`: in these columns. */
  readonly kind: 'missing' | 'extra' | 'different';
  readonly source: StatedSource;
  readonly txHash: string;
  readonly logIndex: number;
  readonly blockNumber: number;
  readonly blockHash: string;
  /** Columns that differ, with the stored value and the chain's. */
  readonly columns: readonly { readonly name: string; readonly stored: string; readonly chain: string }[];
}

/**
 * Compares what is stored with what a chain says: every row, in every column that follows from its log.
 * @param tell is called with each difference.
 * @returns the number of rows that the chain has; null when the range is, in the moment of comparing, not final and covered.
 */
export function compareRange(
  database: Database,
  range: ChainRange,
  tell: (difference: Difference) => void,
): Promise<number | null> {
  const { chainId, sources, from, to, logs } = range;
  const { rows, broken } = decodeLogs(database.events, chainId, sources, logs);
  // one moment: coverage and the rows that it speaks of
  return database.snapshot(async (tx) => {
    const final = await finalizedBlock(tx, chainId);
    if (final === null || final < to || !(await isCovered(tx, range))) return null;
    for (const source of sources) {
      const event = database.events.byName(source.event)!;
      const expected = rows.filter((row) => row.event === event && row.log.address === source.address);
      await compareSource(tx, { chainId, source, event, from, to }, expected, tell);
    }
    for (const { event, log } of await notKept(tx, broken))
      tell({ kind: 'missing', source: { address: log.address, event }, ...placeOf(log), columns: [] });
    return rows.length;
  });
}

async function isCovered(tx: SqlExecutor, { chainId, sources, from, to }: ChainRange): Promise<boolean> {
  const range: BlockRanges = [[from, to + 1]];
  const { rows } = await sql<{ n: string }>`
    select count(*) as n from source s
    join unnest(${sources.map((s) => `\\x${s.address.slice(2)}`)}::text[], ${sources.map((s) => s.event)}::text[])
      as stated(address, event) on s.address = stated.address::bytea and s.event = stated.event
    where s.chain_id = ${chainId} and s.coverage @> ${multirangeLiteral(range)}::int8multirange`.execute(tx);
  return Number(rows[0]!.n) === sources.length;
}

interface SourceRange {
  readonly chainId: number;
  readonly source: StatedSource;
  readonly event: EventDefinition;
  readonly from: number;
  readonly to: number;
}

async function compareSource(
  tx: SqlExecutor,
  range: SourceRange,
  expected: readonly EventRow[],
  tell: (difference: Difference) => void,
): Promise<void> {
  // a list: a chain that gives two logs of one key has both, and the table one of them
  const waiting = new Map<string, EventRow[]>();
  for (const row of expected) waiting.set(logKey(row.log), [...(waiting.get(logKey(row.log)) ?? []), row]);
  for await (const stored of storedRows(tx, range)) {
    const key = logKey(stored as unknown as ChainLog);
    const said = waiting.get(key);
    waiting.delete(key);
    const columns = said && differingColumns(range.event, stored, said);
    if (!said) tell({ kind: 'extra', source: range.source, ...placeOf(stored), columns: [] });
    else if (columns!.length)
      tell({ kind: 'different', source: range.source, ...placeOf(stored), columns: columns! });
  }
  const missing = [...waiting.values()].map((said) => said[0]!);
  const elsewhere = await rowsOfKeys(tx, range, missing);
  for (const said of missing) {
    // a row that was moved out of the range or away from the contract is there, and wrong
    const stored = elsewhere.get(logKey(said.log));
    const columns = stored ? differingColumns(range.event, stored, [said]) : [];
    const kind = stored ? 'different' : 'missing';
    tell({ kind, source: range.source, ...placeOf(said.log), columns });
  }
}

async function* storedRows(tx: SqlExecutor, range: SourceRange): AsyncGenerator<Row> {
  const { chainId, source, event, from, to } = range;
  const condition = sql`t.chain_id = ${chainId} and t.block_number between ${from} and ${to} and not t.removed
    and t.address = ${`\\x${source.address.slice(2)}`}::text::bytea`;
  for (let after: RowKey | null = null; ; ) {
    const page: Row[] = await asStored(tx, event, condition, after);
    yield* page;
    if (page.length < ROWS_PER_PAGE) return;
    after = rowKey(page.at(-1)!);
  }
}

/** Rows that hold these keys, wherever they stand, unless removed. */
async function rowsOfKeys(
  tx: SqlExecutor,
  { chainId, event }: SourceRange,
  said: readonly EventRow[],
): Promise<Map<string, Row>> {
  const found = new Map<string, Row>();
  for (let i = 0; i < said.length; i += ROWS_PER_PAGE) {
    const some = said.slice(i, i + ROWS_PER_PAGE);
    const condition = sql`t.chain_id = ${chainId} and not t.removed and (t.tx_hash, t.log_index) in (
      select tx_hash::bytea, log_index from unnest(${some.map((r) => `\\x${r.log.txHash.slice(2)}`)}::text[],
        ${some.map((r) => r.log.logIndex)}::bigint[]) as k(tx_hash, log_index))`;
    for (const row of await asStored(tx, event, condition, null))
      found.set(logKey(row as unknown as ChainLog), row);
  }
  return found;
}

/** A page of rows as the table holds them: what follows from a log, not what readers see of it. */
function asStored(
  tx: SqlExecutor,
  event: EventDefinition,
  condition: RawBuilder<unknown>,
  after: RowKey | null,
): Promise<Row[]> {
  const from = sql.table(event.table);
  const columns = storedColumns(event);
  return rowsInOrder(
    tx,
    { columns, from, condition: sql`${ofEvent(event)} and ${condition}` },
    after,
    ROWS_PER_PAGE,
  );
}

/** None when the stored row equals one of those that the chain says. */
function differingColumns(
  event: EventDefinition,
  stored: Row,
  said: readonly EventRow[],
): Difference['columns'] {
  const differences = said.map((row) =>
    storedColumns(event).flatMap((column) => {
      const [ours, theirs] = [stored[column.property]!, columnValue(row, column)];
      // a column that is younger than the row may not be filled yet
      if (ours === null && column.nullable) return [];
      return partsOf(column, ours, theirs).flatMap(({ name, values }) => {
        const [one, other] = values.map((value) => toSql(column.kind, value ?? null));
        return one === other ? [] : [{ name, stored: one ?? 'null', chain: other ?? 'null' }];
      });
    }),
  );
  return differences.find((columns) => !columns.length) ?? differences[0]!;
}

/** Two values of a column that are compared; of arguments by name each by itself, so that the one that differs is told. */
function partsOf({ name, kind }: Column, ours: ColumnValue, theirs: ColumnValue) {
  const isByName = (value: ColumnValue) => kind === 'json' && value !== null && !Array.isArray(value);
  if (!isByName(ours) || !isByName(theirs)) return [{ name, values: [ours, theirs] }];
  const [one, other] = [ours, theirs] as Record<string, NestedValue>[];
  return Object.keys({ ...one, ...other }).map((key) => {
    return { name: `${name}.${key}`, values: [one![key], other![key]] };
  });
}

function placeOf(row: Row | ChainLog) {
  const { txHash, logIndex, blockNumber, blockHash } = row as ChainLog;
  return { txHash, logIndex, blockNumber, blockHash };
}
