import type { ChainStatus } from '#libs/database/chain-status.js';
import { beforeReading, chainMetrics } from '#libs/telemetry/metrics.js';
import { conditionOf, lagOf, shownStates } from './reads/chain-condition.js';
import type { ProgressWatch } from './reads/progress.js';

/** Sets the metrics of all chains whenever they are read. @returns a function that ends it. */
export function measureChains(progress: ProgressWatch): () => void {
  return beforeReading(async () => {
    for (const status of await progress.statuses()) measure(status, progress);
  });
}

function measure(status: ChainStatus, progress: ProgressWatch): void {
  const labels = { chain_id: status.chainId };
  const { fraction, blocksPerSecond, etaSeconds } = progress.progressOf(status);
  const { lagBlocks, lagSeconds } = lagOf(status);
  const values = [
    [chainMetrics.headBlock, status.headBlock],
    [chainMetrics.finalizedBlock, status.finalizedBlock],
    [chainMetrics.lastProcessedBlock, status.lastProcessedBlock],
    [chainMetrics.lagBlocks, lagBlocks],
    [chainMetrics.lagSeconds, lagSeconds],
    [chainMetrics.backfillProgress, fraction],
    [chainMetrics.backfillRate, blocksPerSecond],
    [chainMetrics.backfillEta, etaSeconds],
    [chainMetrics.undecodableLogs, status.undecodable],
    [chainMetrics.conflictingLogs, status.conflicting],
  ] as const;
  for (const [gauge, value] of values) {
    // what isn't known has no series: a zero would be a lie
    if (value === null) gauge.remove(labels);
    else gauge.set(labels, value);
  }
  const { state } = conditionOf(status);
  for (const one of shownStates) chainMetrics.state.set({ ...labels, state: one }, one === state ? 1 : 0);
}
