import type { Broker } from '#libs/broker/broker.js';
import { ChainClient, RpcUnavailable, WrongChain } from '#libs/chain/chain-client.js';
import type { FinalityRule } from '#libs/chain/endpoint.js';
import type { ChainConfig } from '#libs/config/chain-config.js';
import type { Database } from '#libs/database/database.js';
import { reportState, type WantedSource } from '#libs/database/ledger.js';
import type { Logger } from '#libs/telemetry/logger.js';
import { pause } from '#libs/telemetry/run-process.js';
import type { ChainCondition } from './chain-condition.js';
import { ChainFollower } from './chain-follower.js';
import { NewsLane } from './news-lane.js';
import type { Sharing } from './sharing.js';

/** Wait between tries to reach a chain's RPC at start. */
const RETRY_MS = 2_000;
/** Looks at the `finalized` tag before a node that doesn't show it is believed not to know it, and the wait between them. */
const TAG_LOOKS = 3;
const TAG_LOOK_MS = 1_000;

/** Pairs of contracts and events that a fetcher follows. */
function pairsOf(config: ChainConfig): { address: string; event: string }[] {
  return config.addresses.flatMap((address) => config.events.map((event) => ({ address, event })));
}

/** What a chain is followed with. */
interface FollowParts {
  readonly config: ChainConfig;
  readonly database: Database;
  readonly broker: Broker;
  readonly logger: Logger;
  readonly condition: ChainCondition;
  readonly sharing: Sharing;
}

/**
 * Follows one chain until `stop`. Waits for an RPC that is down, and says so in the chain's state.
 * @throws WrongChain when an endpoint is of another chain at start; the chain's state says so, too.
 */
export async function followChain(parts: FollowParts, stop: AbortSignal): Promise<void> {
  const { config, database, broker, condition, sharing } = parts;
  const logger = parts.logger.child({ chainId: config.chainId });
  const client = new ChainClient({
    chainId: config.chainId,
    urls: config.rpcUrls,
    batchSize: config.batchSize,
    limits: { maxRps: config.rpcMaxRps },
    onRequest: (report) => condition.requested(report),
    logger,
  });
  // what is being read is of no use any more, and an endpoint that hangs must not hold the stop up
  stop.addEventListener('abort', () => client.close(), { once: true });
  try {
    const known = await untilReached(parts, client, stop);
    if (!known) return;
    logger.info(`final means ${known.words}`);
    const news = new NewsLane(client, {
      filter: database.events.filterOf(pairsOf(config)),
      finality: () => known.rule,
      bloomProvesAbsence: config.bloomProvesAbsence,
    });
    const follower = new ChainFollower({
      config,
      sources: known.sources,
      client,
      news,
      database,
      broker,
      logger,
      condition,
      sharing,
    });
    await follower.run(stop);
  } finally {
    client.close();
  }
}

/** Asks the chain what only it can tell: its finality, and where `latest` is; until it answers. */
async function untilReached(parts: FollowParts, client: ChainClient, stop: AbortSignal) {
  const { config, database, condition } = parts;
  for (; !stop.aborted; await pause(RETRY_MS, stop)) {
    try {
      const { rule, words } = await finalityRule(config, client, stop);
      return { rule, words, sources: await wantedSources(config, client, rule) };
    } catch (error) {
      if (!(error instanceof WrongChain || error instanceof RpcUnavailable)) throw error;
      if (stop.aborted) break;
      condition.failed(error);
      const { chainId, chainName } = config;
      const report = {
        chainId,
        chainName,
        holder: '',
        head: null,
        ...condition.current,
        endpoints: client.status(),
      };
      await reportState(database.statements, report).catch(() => {});
      if (error instanceof WrongChain) throw error;
    }
  }
  return null;
}

/** CONFIRMATIONS if set; else the `finalized` tag if the node knows it; else the chain list's depth. */
async function finalityRule(
  config: ChainConfig,
  client: ChainClient,
  stop: AbortSignal,
): Promise<{ rule: FinalityRule; words: string }> {
  if (config.confirmations !== null) {
    const rule = { kind: 'depth', confirmations: config.confirmations } as const;
    return { rule, words: `${config.confirmations} blocks below the head (CONFIRMATIONS)` };
  }
  // the answer holds for as long as this process runs, and a node that has a bad moment may answer null
  for (let look = 1; look <= TAG_LOOKS && !stop.aborted; look++) {
    if (await client.use((endpoint) => endpoint.knowsFinalizedTag())) {
      return { rule: { kind: 'tag' }, words: "the node's finalized tag" };
    }
    if (look < TAG_LOOKS) await pause(TAG_LOOK_MS, stop);
  }
  const confirmations = config.fallbackConfirmations;
  return {
    rule: { kind: 'depth', confirmations },
    words: `${confirmations} blocks below the head (the node has no finalized tag)`,
  };
}

/** The sources with their start blocks; `latest` is the final block now, unless the ledger knows a start already. */
async function wantedSources(
  config: ChainConfig,
  client: ChainClient,
  rule: FinalityRule,
): Promise<WantedSource[]> {
  const { startBlock } = config;
  if (startBlock !== 'latest') return pairsOf(config).map((pair) => ({ ...pair, startBlock }));
  const { finalized } = await client.use((endpoint) => endpoint.observe([], rule));
  return pairsOf(config).map((pair) => ({ ...pair, startBlock: finalized.number, keepsStart: true }));
}
