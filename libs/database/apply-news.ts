import { sql } from 'kysely';
import type { AdvanceStatement, FinalityStatement } from '#libs/broker/messages.js';
import { applyAdvance, type DecodedAdvance } from './apply-advance.js';
import { appendToCommitLog, type CommitEntry, nextWriteId } from './commit-log.js';
import { type CoverageChange, changeCoverage } from './coverage.js';
import type { Database, SqlExecutor } from './database.js';
import type { BlockRanges } from './entities/multirange-type.js';
import type { Stored } from './store-history.js';

/** A news statement; an `advance` with its logs decoded. */
export type DecodedNews = DecodedAdvance | { readonly statement: FinalityStatement };

/**
 * What became of a news statement. `ignored`: a duplicate, a zombie's, or after a lost one. `refused`: its blocks are not
 * a child of the stored chain, or it reaches below finality; the leader will notice and take over from itself.
 */
type Verdict = 'applied' | 'ignored' | 'refused';

export interface AppliedNews extends Stored {
  /** One for each statement, in order. */
  readonly verdicts: readonly Verdict[];
  /** Logs that went to `conflicting_log`. */
  readonly conflicts: number;
}

/** The transaction's state while the statements of one group are applied. */
interface Progress {
  appliedSeq: number;
  finalized: number | null;
  writeId: number | null;
  conflicts: number;
  readonly coverage: CoverageChange[];
  readonly touched: Map<string, { added: number; removed: number }>;
}

/**
 * Applies consecutive news statements of one chain in one transaction (DESIGN §3.1). Each takes effect only if its term is
 * the current one and its seq the next; all else is void, and acknowledged all the same.
 */
export async function applyNews(
  database: Database,
  chainId: number,
  statements: readonly DecodedNews[],
): Promise<AppliedNews> {
  return database.transaction(async (tx) => {
    // the lane's lock is a statement of its own; what depends on it is read by later ones
    const lane = await lockLane(tx, chainId);
    if (!lane)
      return { verdicts: statements.map(() => 'ignored'), conflicts: 0, touched: [], position: null };
    const before = await finalizedBlock(tx, chainId);
    const progress: Progress = {
      appliedSeq: lane.appliedSeq,
      finalized: before,
      writeId: null,
      conflicts: 0,
      coverage: [],
      touched: new Map(),
    };
    const verdicts: Verdict[] = [];
    for (const news of statements) verdicts.push(await applyOne(tx, lane.term, news, progress));
    if (progress.coverage.length) await changeCoverage(tx, progress.coverage);
    if (progress.appliedSeq !== lane.appliedSeq) await recordProgress(tx, chainId, progress);
    const entries = commitEntries(chainId, progress, before);
    const position = await appendToCommitLog(tx, entries);
    const touched = [...progress.touched]
      .filter(([, { added, removed }]) => added + removed)
      .map(([event, counts]) => ({ chainId, event, ...counts }));
    return { verdicts, conflicts: progress.conflicts, touched, position };
  });
}

async function applyOne(
  tx: SqlExecutor,
  term: number,
  news: DecodedNews,
  progress: Progress,
): Promise<Verdict> {
  const { statement } = news;
  if (statement.term !== term || statement.seq !== progress.appliedSeq + 1) return 'ignored';
  const verdict =
    statement.kind === 'finality'
      ? await applyFinality(tx, statement, progress)
      : await applyBlocks(tx, news as DecodedAdvance, progress);
  if (verdict === 'applied') progress.appliedSeq = statement.seq;
  return verdict;
}

async function applyBlocks(tx: SqlExecutor, news: DecodedAdvance, progress: Progress): Promise<Verdict> {
  const { statement } = news;
  if (progress.finalized !== null && statement.above < progress.finalized) return 'refused';
  const effect = await applyAdvance(tx, news, async () => {
    progress.writeId ??= await nextWriteId(tx);
    return progress.writeId;
  });
  if (!effect) return 'refused';
  progress.coverage.push(coverageOf(statement, effect.dropped));
  progress.conflicts += effect.conflicts;
  for (const { event, added, removed } of effect.touched) {
    const sum = progress.touched.get(event) ?? { added: 0, removed: 0 };
    progress.touched.set(event, { added: sum.added + added, removed: sum.removed + removed });
  }
  return 'applied';
}

function coverageOf(statement: AdvanceStatement, dropped: readonly number[]): CoverageChange {
  const first = statement.blocks[0]!.number;
  return {
    chainId: statement.chainId,
    dropped: dropped.map((n): BlockRanges[number] => [n, n + 1]),
    gained: [[first, statement.blocks.at(-1)!.number + 1]],
    sources: statement.sources,
    liveFrom: first,
  };
}

/** Takes effect only above the recorded finality and only for a block that the segment holds; else it just counts as applied. */
async function applyFinality(
  tx: SqlExecutor,
  statement: FinalityStatement,
  progress: Progress,
): Promise<Verdict> {
  const { chainId, number, hash } = statement;
  if (progress.finalized !== null && number <= progress.finalized) return 'applied';
  const { rows } = await sql`
    select 1 from block where chain_id = ${chainId} and number = ${number} and hash = ${`\\x${hash.slice(2)}`}::text::bytea`.execute(
    tx,
  );
  if (!rows.length) return 'applied';
  // the segment stands on its final block; nothing below it is ever looked at again
  await sql`delete from block where chain_id = ${chainId} and number < ${number}`.execute(tx);
  progress.finalized = number;
  return 'applied';
}

/** Locks a chain's lane until the transaction's end. @returns its term and last applied number, or null when it was never led. */
export async function lockLane(
  tx: SqlExecutor,
  chainId: number,
): Promise<{ term: number; appliedSeq: number } | null> {
  await sql`select 1 from chain_lane where chain_id = ${chainId} for update`.execute(tx);
  const { rows } = await sql<{ term: string; applied_seq: string }>`
    select term, applied_seq from chain_lane where chain_id = ${chainId}`.execute(tx);
  const lane = rows[0];
  return lane ? { term: Number(lane.term), appliedSeq: Number(lane.applied_seq) } : null;
}

/** Recorded finality of a chain, or null. */
export async function finalizedBlock(tx: SqlExecutor, chainId: number): Promise<number | null> {
  const { rows } = await sql<{ finalized_block: string | null }>`
    select finalized_block from chain where chain_id = ${chainId}`.execute(tx);
  const block = rows[0]?.finalized_block ?? null;
  return block === null ? null : Number(block);
}

async function recordProgress(tx: SqlExecutor, chainId: number, progress: Progress): Promise<void> {
  await sql`update chain_lane set applied_seq = ${progress.appliedSeq} where chain_id = ${chainId}`.execute(
    tx,
  );
  await sql`update chain set finalized_block = ${progress.finalized}
    where chain_id = ${chainId} and finalized_block is distinct from ${progress.finalized}::bigint`.execute(
    tx,
  );
}

/** Writes first, then the move of finality: a finality entry speaks of the rows of earlier positions. */
function commitEntries(chainId: number, progress: Progress, before: number | null): CommitEntry[] {
  const writes = [...progress.touched].flatMap(([event, { added, removed }]): CommitEntry[] =>
    added + removed
      ? [
          {
            kind: 'write',
            chainId,
            event,
            writeId: progress.writeId!,
            rowsAdded: added,
            rowsRemoved: removed,
          },
        ]
      : [],
  );
  if (progress.finalized === before) return writes;
  return [...writes, { kind: 'finality', chainId, from: before, to: progress.finalized! }];
}
