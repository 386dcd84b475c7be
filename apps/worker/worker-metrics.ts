import { allQueues, type Broker, shortName } from '#libs/broker/broker.js';
import type { NewsStatement } from '#libs/broker/messages.js';
import type { AppliedNews } from '#libs/database/apply-news.js';
import type { Stored } from '#libs/database/store-history.js';
import { beforeReading, workerMetrics } from '#libs/telemetry/metrics.js';

/** Runs a transaction and measures how long it took, also when it failed. */
export async function timed<T>(lane: 'history' | 'live', transaction: () => Promise<T>): Promise<T> {
  const end = workerMetrics.transactionSeconds.startTimer({ lane });
  try {
    return await transaction();
  } finally {
    end();
  }
}

/** Counts the rows that a transaction touched. */
export function measureStored({ touched }: Stored): void {
  for (const { chainId, event, added, removed } of touched) {
    if (added) workerMetrics.eventsStored.inc({ chain_id: chainId, event }, added);
    if (removed) workerMetrics.eventsRemoved.inc({ chain_id: chainId, event }, removed);
  }
}

/** Counts what became of news, and how old each newest block was when it was stored. */
export function measureNews(statements: readonly NewsStatement[], verdicts: AppliedNews['verdicts']): void {
  for (const [i, outcome] of verdicts.entries()) {
    const statement = statements[i]!;
    workerMetrics.statements.inc({ lane: 'live', outcome });
    if (outcome !== 'applied' || statement.kind !== 'advance') continue;
    const age = Date.now() / 1_000 - statement.blocks.at(-1)!.timestamp;
    workerMetrics.blockToCommit.observe({ chain_id: statement.chainId }, Math.max(0, age));
  }
}

/** Asks the broker how many messages wait whenever the metrics are read. @returns a function that ends it. */
export function measureQueues(broker: Pick<Broker, 'depth'>): () => void {
  return beforeReading(async () => {
    for (const queue of allQueues) {
      workerMetrics.queueMessages.set({ queue: shortName(queue) }, await broker.depth(queue));
    }
  });
}
