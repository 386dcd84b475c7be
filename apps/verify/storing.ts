import type { StatedSource } from '#libs/broker/messages.js';
import { chainStatuses } from '#libs/database/chain-status.js';
import type { Database } from '#libs/database/database.js';
import { readSources } from '#libs/database/ledger.js';
import type { ProgressLine } from '#libs/telemetry/progress-line.js';
import { pause } from '#libs/telemetry/run-process.js';
import { blocksWithin } from './plan.js';
import type { Ranges } from './verification.js';

const LOOK_MS = 500;
/** A takeover takes up to 12 s; what is not fetched and stored by this long after the last progress needs a person. */
const LEADER_PATIENCE_MS = 30_000;
const PATIENCE_MS = 300_000;

/** What is waited for, and with what. */
interface Waiting {
  readonly database: Database;
  readonly chainId: number;
  readonly ranges: ReadonlyMap<StatedSource, Ranges>;
  readonly progress: ProgressLine;
  readonly stop: AbortSignal;
}

/**
 * Waits until blocks that left coverage are stored again.
 * @returns null when they are; else why waiting is of no use, in words.
 */
export async function untilStored({
  database,
  chainId,
  ranges,
  progress,
  stop,
}: Waiting): Promise<string | null> {
  let [left, since, led] = [Number.POSITIVE_INFINITY, performance.now(), performance.now()];
  for (; ; await pause(LOOK_MS, stop)) {
    stop.throwIfAborted();
    const now = await missingWithin(database, chainId, ranges);
    if (now === 0) return null;
    if (now < left) since = performance.now();
    left = now;
    const chain = (await chainStatuses(database.statements)).find((status) => status.chainId === chainId);
    if (chain?.leader) led = performance.now();
    progress.show(`waiting: ${left} blocks to be stored again; the chain is ${chain?.state ?? 'unknown'}`);
    if (performance.now() - led > LEADER_PATIENCE_MS) return `no fetcher leads chain ${chainId}: start one`;
    if (performance.now() - since > PATIENCE_MS)
      return `nothing was stored for ${PATIENCE_MS / 60_000} min; the chain is ${chain?.state}: ${chain?.stateReason ?? 'are workers running?'}`;
  }
}

async function missingWithin(
  database: Database,
  chainId: number,
  ranges: ReadonlyMap<StatedSource, Ranges>,
): Promise<number> {
  const sources = await readSources(database.statements, chainId);
  let missing = 0;
  for (const [{ address, event }, repaired] of ranges) {
    // one that is retired meanwhile needn't be stored any more
    const its = sources.filter((source) => source.address === address && source.event === event);
    for (const [from, to] of repaired) {
      const { covered, wanted } = blocksWithin(its, from, to - 1);
      missing += wanted - covered;
    }
  }
  return missing;
}
