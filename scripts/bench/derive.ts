import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { sql } from 'kysely';
import { type DeriveParts, derive } from '#apps/derive/derive.js';
import { type OwnedProcess, spawnOwned } from '#apps/local/owned-process.js';
import type { Database } from '#libs/database/database.js';
import { derivationProgress } from '#libs/database/derivation-plan.js';
import { defineEvent } from '#libs/events/event.js';
import { socketBridge } from '#libs/events/socket-bridge/event.js';
import { generateRows } from './generated-rows.js';
import { writeNews } from './news-writer.js';

const main = fileURLToPath(new URL('../../../dist/scripts/bench.js', import.meta.url));
/** None of the chains of the generated rows. */
const LIVE_CHAIN = 424_242;
/** Of live events before and after. */
const CALM_MS = 20_000;
const LOOK_MS = 100;

const digits = {
  kind: 'safeInt',
  description: 'Digits of the amount.',
  nullable: true,
  from: ({ amount }: Readonly<Record<string, unknown>>) => String(amount).length,
} as const;

/** SocketBridge with two columns more, one for each run. */
const event = defineEvent({
  name: socketBridge.name,
  signature: socketBridge.signature,
  description: 'The bench.',
  columns: { fullSpeed: digits, halfTheTime: digits },
});

/** What is tried. */
export interface DeriveBench {
  readonly rows: number;
  /** Live events per second. */
  readonly rate: number;
  readonly parallel: number;
  readonly databaseUrl: string;
}

/**
 * Fills a new column of generated rows while live events are stored: once as fast as it goes, and once half of the time, killed in the
 * middle. Prints rows per second, and how long live blocks took from their arrival to their commit before, meanwhile and afterwards.
 */
export async function benchDerive(database: Database, bench: DeriveBench): Promise<void> {
  await generateRows(database, socketBridge, bench.rows, (done) => process.stderr.write(`\r${done} rows `));
  const columns = event.columns.map((c) => sql`add column ${sql.ref(c.name)} bigint`);
  await sql`alter table ${sql.table(event.table)} ${sql.join(columns)}`.execute(database.statements);
  // as rows are that were stored long ago: vacuumed, and with what else the load has left to the server done
  await sql`vacuum analyze ${sql.table(event.table)}`.execute(database.statements);
  await sql`checkpoint`.execute(database.statements);
  const ended = new AbortController();
  const live = new LiveLatency();
  const news = writeNews(
    database,
    { ring: () => {} },
    {
      rate: bench.rate,
      seconds: Number.POSITIVE_INFINITY,
      chainId: LIVE_CHAIN,
      stored: live.add,
      ended: ended.signal,
    },
  );
  process.stdout.write(
    `\n${bench.rows} rows, ${bench.rate} live events/s, ${bench.parallel} ranges at a time\n`,
  );
  await delay(CALM_MS);
  live.tell('before');
  await run(database, bench, { column: 'fullSpeed', share: '1', isKilled: false });
  live.tell('at full speed');
  await run(database, bench, { column: 'halfTheTime', share: '0.5', isKilled: true });
  live.tell('half of the time');
  await delay(CALM_MS);
  live.tell('afterwards');
  ended.abort();
  await news;
}

interface RunOptions {
  readonly column: string;
  readonly share: string;
  /** Whether it is killed when half is done, and started again. */
  readonly isKilled: boolean;
}

async function run(
  database: Database,
  bench: DeriveBench,
  { column, share, isKilled }: RunOptions,
): Promise<void> {
  const before = await updates(database);
  const begun = performance.now();
  const start = () =>
    spawnOwned(process.execPath, [
      main,
      'derive-run',
      '--column',
      column,
      '--share',
      share,
      '--parallel',
      String(bench.parallel),
      '--database',
      bench.databaseUrl,
    ]);
  let child = await start();
  if (isKilled) {
    await untilHalf(database, column, child);
    await child.end('SIGKILL');
    const { filled, rows } = await progressOf(database, column);
    process.stdout.write(`killed -9 after ${seconds(begun)} s: ${filled} of ${rows} rows filled\n`);
    child = await start();
  }
  await child.exited;
  const took = performance.now() - begun;
  const { filled } = await progressOf(database, column);
  const after = await updates(database);
  const hot = (100 * (after.hot - before.hot)) / (after.all - before.all);
  const rate = Math.round(filled / (took / 1_000));
  process.stdout.write(
    `share ${share}: ${filled} rows in ${(took / 1_000).toFixed(1)} s, ${rate} rows/s; ${hot.toFixed(0)} % of the updates left the indexes alone\n${child.output()}`,
  );
}

const seconds = (since: number) => ((performance.now() - since) / 1_000).toFixed(1);

async function untilHalf(database: Database, column: string, child: OwnedProcess): Promise<void> {
  for (;;) {
    const ended = await Promise.race([child.exited.then(() => true), delay(LOOK_MS).then(() => false)]);
    if (ended) throw new Error(`it ended before it was killed: ${child.output()}`);
    const { filled, rows } = await progressOf(database, column);
    if (filled > rows / 2) return;
  }
}

function derivationOf(column: string) {
  return { event, columns: event.columns.filter((c) => c.property === column) };
}

async function progressOf(database: Database, column: string) {
  const { rows } = await sql<{ id: string }>`select chain_id as id from chain`.execute(database.statements);
  const ids = rows.map(({ id }) => Number(id));
  return derivationProgress(database.statements, derivationOf(column), ids);
}

async function updates(database: Database): Promise<{ all: number; hot: number }> {
  // the servers tell what they did with a delay of up to a second
  await delay(1_500);
  const { rows } = await sql<{ all: string; hot: string }>`
    select n_tup_upd as all, n_tup_hot_upd as hot from pg_stat_user_tables where relname = ${event.table}`.execute(
    database.statements,
  );
  return { all: Number(rows[0]!.all), hot: Number(rows[0]!.hot) };
}

/** The process that derives. */
export async function deriveRun(
  parts: DeriveParts,
  { column, share, parallel }: { column: string; share: number; parallel: number },
): Promise<number> {
  const request = {
    ...derivationOf(column),
    chainId: null,
    rpcUrls: undefined,
    share,
    parallel,
    anew: false,
  };
  return derive(request, parts, new AbortController().signal);
}

/** How long live blocks took. */
class LiveLatency {
  private milliseconds: number[] = [];

  readonly add = (milliseconds: number): void => {
    this.milliseconds.push(milliseconds);
  };

  /** Tells of those since the last time. */
  tell(when: string): void {
    const sorted = this.milliseconds.splice(0).sort((a, b) => a - b);
    const at = (part: number) =>
      `${Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0)} ms`;
    process.stdout.write(
      `live blocks ${when}: ${sorted.length}, from arrival to commit p50 ${at(0.5)}, p95 ${at(0.95)}, p99 ${at(0.99)}, worst ${at(1)}\n`,
    );
  }
}
