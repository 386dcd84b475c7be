import { sql } from 'kysely';
import type { FinalStatement } from '#libs/broker/messages.js';
import type { EventDefinition } from '#libs/events/event.js';
import { appendToCommitLog, type CommitEntry, nextWriteId } from './commit-log.js';
import { changeCoverage } from './coverage.js';
import type { Database, SqlExecutor } from './database.js';
import { type EventRow, upsertRows } from './event-rows.js';
import { forgetStoredLogs, type KeptLog, keepLogs } from './kept-logs.js';

/** The logs of a statement, decoded: rows of known events, and logs that claim to be one but are broken. */
export interface DecodedLogs {
  readonly rows: readonly EventRow[];
  readonly broken: readonly KeptLog[];
}

/** A history statement with its logs decoded. */
export interface DecodedFinal extends DecodedLogs {
  readonly statement: Pick<FinalStatement, 'chainId' | 'term' | 'sources' | 'from' | 'to'>;
}

/** Rows of one event of a chain that a transaction touched. */
interface TouchedRows {
  readonly chainId: number;
  readonly event: string;
  /** Inserted, moved or revived. */
  readonly added: number;
  readonly removed: number;
}

/** What a transaction of a worker did. */
export interface Stored {
  readonly touched: readonly TouchedRows[];
  /** Last position taken in the commit log, or null when no row and no finality changed. */
  readonly position: number | null;
}

/**
 * Stores history statements in one transaction: rows, coverage and feed position together, or nothing. Statements commute,
 * and storing one again changes nothing.
 */
export async function storeHistory(
  database: Database,
  said: readonly DecodedFinal[],
): Promise<Stored & { readonly voided: number }> {
  return database.transaction(async (tx) => {
    const statements = await stillTrue(tx, said);
    const voided = said.length - statements.length;
    if (!statements.length) return { touched: [], position: null, voided };
    const rows = statements.flatMap((s) => s.rows);
    const entries = rows.length ? await storeRows(tx, rows) : [];
    await keepLogs(
      tx,
      'undecodable_log',
      statements.flatMap((s) => s.broken),
    );
    await changeCoverage(
      tx,
      statements.map(({ statement: s }) => ({
        chainId: s.chainId,
        sources: s.sources,
        dropped: [],
        gained: [[s.from, s.to + 1]],
      })),
    );
    const position = await appendToCommitLog(tx, entries);
    const touched = entries.map(({ chainId, event, rowsAdded }) => ({
      chainId,
      event,
      added: rowsAdded,
      removed: 0,
    }));
    return { touched, position, voided };
  });
}

/** Name of a chain's advisory lock that history shares and a repair has for itself, as Postgres's key. */
const historyLock = (chainId: unknown) => sql`hashtextextended('event-monitor history ' || ${chainId}, 0)`;

/**
 * History is true for ever but for one case: a repair takes finality back, and what was read before it may be of the old branch.
 * Without the statements of those terms. Until the transaction's end no repair of the chains can begin: one that didn't
 * see the rows of this transaction would leave them.
 */
async function stillTrue(tx: SqlExecutor, said: readonly DecodedFinal[]): Promise<DecodedFinal[]> {
  const chainIds = [...new Set(said.map(({ statement }) => statement.chainId))].sort((a, b) => a - b);
  await sql`select pg_advisory_xact_lock_shared(${historyLock(sql`id`)})
    from unnest(${chainIds}::bigint[]) with ordinality as c(id, n) order by n`.execute(tx);
  const { rows } = await sql<{ chain_id: string; void_through: string }>`
    select chain_id, void_through from chain_lane where chain_id = any(${chainIds}::bigint[])`.execute(tx);
  const voidThrough = new Map(rows.map((row) => [Number(row.chain_id), Number(row.void_through)]));
  return said.filter(({ statement }) => {
    const bound = voidThrough.get(statement.chainId) ?? 0;
    return !bound || (statement.term ?? 0) > bound;
  });
}

/** Waits until no history of the chain is being stored, and lets none begin before the transaction's end. */
export async function holdHistory(tx: SqlExecutor, chainId: number): Promise<void> {
  await sql`select pg_advisory_xact_lock(${historyLock(sql`${chainId}::bigint`)})`.execute(tx);
}

async function storeRows(tx: SqlExecutor, rows: readonly EventRow[]) {
  const writeId = await nextWriteId(tx);
  const entries: (CommitEntry & { kind: 'write' })[] = [];
  for (const { chainId, event, group } of byChainAndEvent(rows)) {
    const rowsAdded = await upsertRows(tx, group, writeId, 'final');
    await forgetStoredLogs(tx, event, { chainId, ...heightsOf(group) });
    if (rowsAdded)
      entries.push({ kind: 'write', chainId, event: event.name, writeId, rowsAdded, rowsRemoved: 0 });
  }
  return entries;
}

function heightsOf(rows: readonly EventRow[]): { from: number; to: number } {
  let [from, to] = [Number.POSITIVE_INFINITY, 0];
  for (const { log } of rows) {
    from = Math.min(from, log.blockNumber);
    to = Math.max(to, log.blockNumber);
  }
  return { from, to };
}

/** Rows by event and chain, in one fixed order, so that all transactions lock tables' rows in the same order. */
export function byChainAndEvent(
  rows: readonly EventRow[],
): { chainId: number; event: EventDefinition; group: EventRow[] }[] {
  const groups = new Map<string, { chainId: number; event: EventDefinition; group: EventRow[] }>();
  for (const row of rows) {
    const key = `${row.event.name} ${String(row.chainId).padStart(16, '0')}`;
    const group = groups.get(key);
    if (group) group.group.push(row);
    else groups.set(key, { chainId: row.chainId, event: row.event, group: [row] });
  }
  return [...groups.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
}
