import type { Row, Stored } from './ledger.js';
import { type Log, range, SOURCES, type Source, START } from './statements.js';
import type { Subscriber } from './subscriber.js';
import type { World } from './world.js';

/** What must hold after every commit. @returns what doesn't, in words, or null. */
export function brokenBy(stored: Stored, world: World): string | null {
  return (
    finalityProblem(stored, world) ??
    segmentProblem(stored, world) ??
    rowProblem(stored, world) ??
    coverageProblem(stored, world) ??
    feedProblem(stored) ??
    stored.problem
  );
}

function finalityProblem({ finalized }: Stored, world: World): string | null {
  const isAbove = finalized !== null && finalized > world.safe;
  return isAbove ? `recorded finality ${finalized} above the true one` : null;
}

function segmentProblem({ blocks, finalized }: Stored, world: World): string | null {
  const top = Math.max(-1, ...blocks.keys());
  if (top < 0) return null;
  const tip = blocks.get(top)!.hash;
  for (let b = world.block(tip); b.parent !== null; b = world.block(b.parent)) {
    const held = blocks.get(b.number);
    if (held && held.hash !== b.hash) return `segment isn't one chain: ${held.hash} below ${tip}`;
  }
  const below = [...blocks.keys()].find((n) => finalized !== null && n < finalized);
  return below === undefined ? null : `segment holds ${below}, below finality ${finalized}`;
}

function rowProblem({ rows, blocks, finalized }: Stored, world: World): string | null {
  for (const { key, number, hash, removed } of rows.values()) {
    if (removed) continue;
    if (blocks.get(number)?.hash !== hash && !world.isFinal(number, hash)) return `stale row ${key}@${hash}`;
    if (finalized !== null && number <= finalized && world.chain[number]!.hash !== hash)
      return `stale row ${key}@${hash} at or below finality`;
  }
  return null;
}

function coverageProblem({ coverage, blocks, finalized, rows }: Stored, world: World): string | null {
  for (const [source, heights] of coverage) {
    for (const n of heights) {
      const final = n <= world.safe && hasRows(world.chain[n]!.hash, source, rows, world);
      const ours = blocks.get(n);
      const isOpen = ours && (finalized === null || n > finalized);
      // logs that an endpoint did not have are found before the block is recorded as final
      const news = isOpen && (world.hidden.has(ours.hash) || hasRows(ours.hash, source, rows, world));
      if (!final && !news)
        return `coverage of ${source} claims ${n} (${ours?.hash ?? 'final'}) without its rows`;
    }
  }
  return null;
}

/** Whether all logs of a block are stored, or their keys are held by final rows. */
function hasRows(hash: string, source: Source, rows: Stored['rows'], world: World): boolean {
  return world.block(hash).logs.every((log) => {
    if (log.source !== source) return true;
    const row = rows.get(log.key);
    if (!row || row.removed) return false;
    return row.hash === hash
      ? row.value === log.value && row.source === source
      : world.isFinal(row.number, row.hash);
  });
}

function feedProblem({ feed }: Stored): string | null {
  return feed.size && Math.max(...feed.keys()) !== feed.size
    ? `positions have holes: ${[...feed.keys()]}`
    : null;
}

/**
 * What must hold once all is applied and read: the table, the coverage and every stream equal the chain.
 * @param settled whether every block that an endpoint hid logs of is final by now.
 */
export function unfinished(
  stored: Stored,
  world: World,
  subscribers: readonly Subscriber[],
  settled: boolean,
): string | null {
  const { finalized } = stored;
  if (finalized !== world.safe) return `finality stuck at ${finalized}, true ${world.safe}`;
  for (const source of SOURCES) {
    const wrong = range(START, world.head + 1).find(
      (n) => !!stored.coverage.get(source)?.has(n) !== n <= world.head,
    );
    if (wrong !== undefined) return `coverage of ${source} wrong at ${wrong}, head ${world.head}`;
  }
  const open = (log: Log) => !settled && log.number > world.safe && world.hidden.has(log.hash);
  const logs = world.chain.slice(START).flatMap((b) => b.logs);
  const compare = (known: ReadonlyMap<string, Row>, wanted: readonly Log[], what: string) =>
    difference(known, wanted, open, what);
  const table = compare(stored.rows, logs, 'table');
  if (table) return table;
  for (const subscriber of subscribers) {
    const isTold = (log: Log) =>
      subscriber.wants(log) && (subscriber.kind !== 'final' || log.number <= finalized);
    const stream = compare(subscriber.known, logs.filter(isTold), `${subscriber.kind} stream`);
    if (stream) return stream;
  }
  return null;
}

function difference(
  known: ReadonlyMap<string, Row>,
  wanted: readonly Log[],
  isOpen: (log: Log) => boolean,
  what: string,
): string | null {
  const keys = new Set(wanted.map((log) => log.key));
  for (const log of wanted) {
    const row = known.get(log.key);
    const isSame = row && !row.removed && row.hash === log.hash && row.value === log.value;
    if (isSame || isOpen(log)) continue;
    return `${what} lacks ${log.key}@${log.hash}, has ${row ? (row.removed ? 'removed ' : '') + row.hash : 'nothing'}`;
  }
  const extra = [...known.values()].find((row) => !row.removed && !keys.has(row.key));
  return extra ? `${what} keeps ${extra.key}@${extra.hash}` : null;
}
