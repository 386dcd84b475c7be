import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from '@prometheus-io/client';

/** Begins every name, also those of the process's own metrics (memory, CPU, event loop). */
const PREFIX = 'event_monitor_';

/** Everything that this process measures. Names, units and labels: docs/metrics.md, written from here. */
export const registry = new Registry();
collectDefaultMetrics({ register: registry, prefix: PREFIX });

/** From a fast block on a fast machine to an hour of catching up. */
const DELAY_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3_600];
/** Work of one request or transaction. */
const WORK_SECONDS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const REORG_BLOCKS = [1, 2, 3, 5, 10, 20, 50, 100, 1_000];

function options<L extends string>(name: string, help: string, labelNames: readonly L[]) {
  return { name: `${PREFIX}${name}`, help, labelNames: [...labelNames], registers: [registry] };
}
const gauge = <L extends string>(name: string, help: string, labels: readonly L[]) =>
  new Gauge<L>(options(name, help, labels));
const counter = <L extends string>(name: string, help: string, labels: readonly L[]) =>
  new Counter<L>(options(name, help, labels));
const histogram = <L extends string>(name: string, help: string, labels: readonly L[], buckets: number[]) =>
  new Histogram<L>({ ...options(name, help, labels), buckets });

const chain = ['chain_id'] as const;

/** What the database says of every chain; an API tells it, so that it is there also when a fetcher is not. */
export const chainMetrics = {
  headBlock: gauge('head_block', "Height of the head that the chain's RPC showed last.", chain),
  finalizedBlock: gauge('finalized_block', 'Height up to which the stored blocks are final.', chain),
  lastProcessedBlock: gauge(
    'last_processed_block',
    'Through this block everything is stored, of all sources that count.',
    chain,
  ),
  lagBlocks: gauge('lag_blocks', 'Blocks from the newest stored block to the head.', chain),
  lagSeconds: gauge('lag_seconds', "Seconds since the newest stored block's own time.", chain),
  state: gauge('chain_state', '1 for the state that the chain is in, 0 for the others.', [
    'chain_id',
    'state',
  ]),
  backfillProgress: gauge(
    'backfill_progress_ratio',
    'Stored part of the history up to finality, 0 to 1.',
    chain,
  ),
  backfillRate: gauge('backfill_blocks_per_second', 'Blocks of history stored per second lately.', chain),
  backfillEta: gauge(
    'backfill_eta_seconds',
    'Seconds until the history is stored at the present rate; 0: it is.',
    chain,
  ),
  undecodableLogs: gauge('undecodable_logs', 'Logs of followed events that could not be decoded.', chain),
  conflictingLogs: gauge('conflicting_logs', 'Logs that claim the key of a row in another block.', chain),
} as const;

/** What a fetcher does. */
export const fetcherMetrics = {
  leading: gauge('leading', '1 while this process leads the chain, 0 while it stands by.', chain),
  outstandingRanges: gauge(
    'outstanding_ranges',
    'Ranges of history that are being fetched, or published and not yet stored.',
    chain,
  ),
  unappliedStatements: gauge('unapplied_statements', 'News that were said and are not yet stored.', chain),
  reorgs: counter('reorgs_total', 'Reorgs that this process, leading, noticed.', chain),
  reorgDepth: histogram('reorg_depth_blocks', 'Blocks that a reorg replaced.', chain, REORG_BLOCKS),
} as const;

/** What a chain's RPC endpoints do, by their host. */
export const rpcMetrics = {
  requests: counter('rpc_requests_total', 'Requests to RPC endpoints; a batch is one.', ['chain_id', 'host']),
  calls: counter('rpc_calls_total', 'Calls within these requests, as providers count them.', [
    'chain_id',
    'host',
  ]),
  errors: counter('rpc_errors_total', 'Failed requests, by what the failure means.', [
    'chain_id',
    'host',
    'kind',
  ]),
  seconds: histogram(
    'rpc_request_duration_seconds',
    'Time until an endpoint had answered.',
    ['chain_id', 'host'],
    WORK_SECONDS,
  ),
} as const;

/** What a worker does. */
export const workerMetrics = {
  eventsStored: counter('events_stored_total', 'Rows that were inserted, moved or revived.', [
    'chain_id',
    'event',
  ]),
  eventsRemoved: counter('events_removed_total', 'Rows that a reorg marked as removed.', [
    'chain_id',
    'event',
  ]),
  statements: counter('statements_total', 'Messages, by lane and what became of them.', ['lane', 'outcome']),
  transactionSeconds: histogram(
    'transaction_duration_seconds',
    'Time of one storing transaction.',
    ['lane'],
    WORK_SECONDS,
  ),
  blockToCommit: histogram(
    'block_to_commit_seconds',
    "From a new block's own time to the commit that stores it; the clock of blocks has whole seconds.",
    chain,
    DELAY_SECONDS,
  ),
  queueMessages: gauge('queue_messages', 'Messages that wait in a queue, the dead-letter queue too.', [
    'queue',
  ]),
} as const;

/** What an API does. */
export const apiMetrics = {
  refusals: counter(
    'refusals_total',
    'Requests, operations and connections that a limit or a missing key refused.',
    ['code'],
  ),
  subscribers: gauge('subscribers', 'Open subscriptions to the live feed.', ['event']),
  commitToPush: histogram(
    'commit_to_push_seconds',
    "From a transaction's commit to its change being handed to a subscriber that follows live.",
    ['event'],
    DELAY_SECONDS,
  ),
  changesPushed: counter('changes_pushed_total', 'Changes of rows that were handed to subscribers.', [
    'event',
  ]),
} as const;

const collectors = new Set<() => Promise<void>>();

/**
 * Calls `collect` before every reading, to set gauges that are looked up rather than counted. One that fails is passed
 * over: its gauges keep their last values.
 * @returns a function that ends it.
 */
export function beforeReading(collect: () => Promise<void>): () => void {
  collectors.add(collect);
  return () => void collectors.delete(collect);
}

/** All metrics in the text format of Prometheus. */
export async function metricsText(): Promise<string> {
  await Promise.allSettled([...collectors].map((collect) => collect()));
  return registry.metrics();
}
