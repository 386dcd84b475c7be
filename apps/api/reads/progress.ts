import { setTimeout as delay } from 'node:timers/promises';
import { type ChainStatus, chainStatuses, type SourceStatus } from '#libs/database/chain-status.js';
import type { Database } from '#libs/database/database.js';
import type { Logger } from '#libs/telemetry/logger.js';
import { StatusChanges } from './status-changes.js';

/** Rates are measured over the last this many samples, one a second. */
const SAMPLES = 30;
const SAMPLE_MS = 1_000;
/** Stopping waits this long for a reading that is under way. */
const LAST_READING_MS = 2_000;

/** How far the history of a chain, or of one of its sources, is stored. */
export interface BackfillProgress {
  /** Blocks from the start block to finality; of a chain over all sources that are followed. */
  readonly blocksWanted: number;
  readonly blocksStored: number;
  /** 0 to 1; 1 when nothing is missing, 0 while no finality is known. */
  readonly fraction: number;
  /** Blocks stored per second lately; null while unknown. */
  readonly blocksPerSecond: number | null;
  /** Seconds until nothing is missing; null while unknown, 0 when done. */
  readonly etaSeconds: number | null;
}

/** How much of a source's blocks up to finality is stored. */
function storedBlocks({ startBlock, coverage }: SourceStatus, finalizedBlock: number | null) {
  const end = (finalizedBlock ?? -1) + 1;
  const parts = coverage.map(([from, to]) => Math.max(0, Math.min(to, end) - Math.max(from, startBlock)));
  return { wanted: Math.max(0, end - startBlock), stored: sum(parts) };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, n) => total + n, 0);
}

/** Watches how the chains are doing, and how fast the history of each is stored. */
export class ProgressWatch {
  /** What changed in the statuses that were read once a second. */
  readonly changes = new StatusChanges();
  /** Of the sources that are followed, by `keyOf`. */
  private readonly samples = new Map<string, { at: number; stored: number }[]>();
  private timer: NodeJS.Timeout | null = null;
  private reading: Promise<void> = Promise.resolve();

  constructor(
    private readonly database: Database,
    private readonly logger: Logger,
  ) {}

  start(): void {
    this.timer = setInterval(() => {
      this.reading = this.statuses()
        .then((statuses) => this.changes.note(statuses))
        .catch((error: Error) => void this.logger.debug(`no status: ${error.message}`));
    }, SAMPLE_MS);
  }

  /** Ends it; resolves when nothing is read any more, soon at any rate. */
  async stop(): Promise<void> {
    if (this.timer) clearInterval(this.timer);
    this.changes.close();
    // a database that hangs must not hold the process up
    await Promise.race([this.reading, delay(LAST_READING_MS, undefined, { ref: false })]);
  }

  /** Status of all chains, read now; each reading is a sample. */
  async statuses(): Promise<ChainStatus[]> {
    const statuses = await chainStatuses(this.database.statements);
    for (const status of statuses) for (const source of status.sources) this.sample(status, source);
    return statuses;
  }

  /** Of a chain, over all sources that are followed. */
  progressOf(status: ChainStatus): BackfillProgress {
    return this.progress(
      status,
      status.sources.filter((source) => source.retiredAt === null),
    );
  }

  /** Of one of its sources. */
  progressOfSource(status: ChainStatus, source: SourceStatus): BackfillProgress {
    return this.progress(status, [source]);
  }

  private progress(status: ChainStatus, sources: readonly SourceStatus[]): BackfillProgress {
    const blocks = sources.map((source) => storedBlocks(source, status.finalizedBlock));
    const [wanted, stored] = [sum(blocks.map((b) => b.wanted)), sum(blocks.map((b) => b.stored))];
    const rates = sources.map((source) => this.rateOf(status, source)).filter((rate) => rate !== null);
    const rate = rates.length ? sum(rates) : null;
    // a chain that was never led: nothing is known, least of all that all is stored
    const isKnown = status.finalizedBlock !== null;
    const missing = wanted - stored;
    const eta = rate !== null && rate > 0 ? missing / rate : null;
    return {
      blocksWanted: wanted,
      blocksStored: stored,
      fraction: wanted ? stored / wanted : Number(isKnown),
      blocksPerSecond: rate,
      etaSeconds: isKnown && missing === 0 ? 0 : eta,
    };
  }

  private rateOf(status: ChainStatus, source: SourceStatus): number | null {
    const samples = this.samples.get(keyOf(status, source)) ?? [];
    const [first, last] = [samples[0], samples.at(-1)];
    return first && last && last.at > first.at
      ? ((last.stored - first.stored) * 1_000) / (last.at - first.at)
      : null;
  }

  private sample(status: ChainStatus, source: SourceStatus): void {
    const key = keyOf(status, source);
    if (source.retiredAt !== null) {
      this.samples.delete(key);
      return;
    }
    const samples = this.samples.get(key) ?? [];
    const at = performance.now();
    if (samples.length && at - samples.at(-1)!.at < SAMPLE_MS / 2) return;
    samples.push({ at, stored: storedBlocks(source, status.finalizedBlock).stored });
    if (samples.length > SAMPLES) samples.shift();
    this.samples.set(key, samples);
  }
}

function keyOf({ chainId }: ChainStatus, { address, event }: SourceStatus): string {
  return `${chainId} ${address} ${event}`;
}
