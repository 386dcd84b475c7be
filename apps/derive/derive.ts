import type { ChainClient } from '#libs/chain/chain-client.js';
import type { Database } from '#libs/database/database.js';
import {
  chainIds,
  claimRange,
  type Derivation,
  derivationProgress,
  divideWork,
  isUnfinished,
  underivedRows,
} from '#libs/database/derivation-plan.js';
import { exitCode } from '#libs/service/command.js';
import { ProgressLine } from '#libs/telemetry/progress-line.js';
import { pause } from '#libs/telemetry/run-process.js';
import type { Request } from './arguments.js';
import { RangeFiller } from './range-filler.js';

/** Rows that are told one by one; of all others only the number. */
const TOLD = 100;
/** Looks for ranges that another process has and may have left. */
const LOOK_MS = 500;
const SHOW_MS = 1_000;

/** What the command works with. */
export interface DeriveParts {
  readonly database: Database;
  /** Null where no column is from the chain. */
  readonly client: ChainClient | null;
}

/** Fills the columns, and tells what was done. @returns the exit code. @throws RpcUnavailable, AbortError */
export async function derive(request: Request, { database, client }: DeriveParts, stop: AbortSignal) {
  const { event, columns, chainId, anew } = request;
  const derivation: Derivation = { event, columns };
  const progress = new ProgressLine(process.stderr);
  const say = (line: string) => {
    progress.clear();
    process.stdout.write(`${line}\n`);
  };
  const known = await chainIds(database.statements);
  const chains = known.filter((id) => chainId === null || id === chainId);
  say(`${event.name}: ${columns.map((column) => column.property).join(', ')}`);
  if (!chains.length) {
    say(
      chainId === null
        ? 'no chain is followed in this database'
        : `chain ${chainId} is not followed in this database`,
    );
    return exitCode.found;
  }
  const run = anew
    ? 'anew'
    : (await isUnfinished(database.statements, derivation, chains))
      ? 'rest'
      : 'first';
  if (run === 'rest') say('goes on where an earlier run stopped (--anew begins anew)');
  for (const id of chains) {
    progress.show(`dividing the rows of chain ${id}`);
    await divideWork(database, derivation, id, run);
    stop.throwIfAborted();
  }
  await new Run(request, derivation, chains, { database, client, progress, stop }).toTheEnd();
  return tell(database, derivation, chains, say);
}

interface RunParts extends DeriveParts {
  readonly progress: ProgressLine;
  readonly stop: AbortSignal;
}

/** Fills ranges, some at a time, until all are done: by this process, or by others that run at the same time. */
class Run {
  private readonly begun = performance.now();
  private seen = 0;

  constructor(
    private readonly request: Request,
    private readonly derivation: Derivation,
    private readonly chains: readonly number[],
    private readonly parts: RunParts,
  ) {}

  async toTheEnd(): Promise<void> {
    const stopShowing = new AbortController();
    const showing = this.show(stopShowing.signal);
    try {
      await Promise.all(Array.from({ length: this.request.parallel }, () => this.fillRanges()));
    } finally {
      stopShowing.abort();
      await showing;
      this.parts.progress.clear();
    }
  }

  private async fillRanges(): Promise<void> {
    const { database, stop } = this.parts;
    const filler = new RangeFiller({
      ...this.parts,
      derivation: this.derivation,
      share: this.request.share,
      saw: (rows) => {
        this.seen += rows;
      },
    });
    for (;;) {
      stop.throwIfAborted();
      const range = await claimRange(database.statements, this.derivation, this.chains);
      if (range) await filler.fill(range);
      else if (!(await isUnfinished(database.statements, this.derivation, this.chains))) return;
      else await pause(LOOK_MS, stop);
    }
  }

  /** Shows now and then how far it is; what can't be read then is shown the next time. */
  private async show(ended: AbortSignal): Promise<void> {
    const { database, progress } = this.parts;
    for (; !ended.aborted; await pause(SHOW_MS, ended)) {
      const now = await derivationProgress(database.statements, this.derivation, this.chains).catch(
        () => null,
      );
      if (now && !ended.aborted) progress.show(this.words(now.rowsDone, now.rows));
    }
  }

  private words(done: number, rows: number): string {
    const rate = this.seen / ((performance.now() - this.begun) / 1_000);
    const percent = rows ? Math.floor((Math.min(done, rows) / rows) * 1_000) / 10 : 100;
    const left = rate > 0 ? `${duration(Math.max(0, rows - done) / rate)} left` : 'the end is not known yet';
    return `${percent} %: ${done} of ${rows} rows, ${Math.round(rate)} rows/s, ${left}`;
  }
}

function duration(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return seconds < 5_400 ? `${Math.ceil(seconds / 60)} min` : `${Math.ceil(seconds / 360) / 10} h`;
}

/** Tells what was filled, and each row that was left. */
async function tell(
  database: Database,
  derivation: Derivation,
  chains: readonly number[],
  say: (line: string) => void,
) {
  const done = await derivationProgress(database.statements, derivation, chains);
  const left = await underivedRows(database.statements, derivation, chains, TOLD);
  for (const { chainId, txHash, logIndex, blockNumber, reason } of left)
    say(`unreadable  chain ${chainId} block ${blockNumber} tx ${txHash} log ${logIndex}: ${reason}`);
  if (done.unreadable > left.length)
    say(`… and ${done.unreadable - left.length} more: all are in the table underived_row`);
  const unanswered = done.unanswered
    ? `, ${done.unanswered} of which the chain told nothing (yet): run it again to ask for them`
    : '';
  say(`${done.rows} rows: ${done.filled} filled, ${done.unreadable} unreadable${unanswered}`);
  return done.unreadable || done.unanswered ? exitCode.found : exitCode.well;
}
