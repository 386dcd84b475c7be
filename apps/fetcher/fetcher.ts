import type { Broker } from '#libs/broker/broker.js';
import type { StatedSource } from '#libs/broker/messages.js';
import { ChainClient, RpcUnavailable, WrongChain } from '#libs/chain/chain-client.js';
import type { FinalityRule } from '#libs/chain/endpoint.js';
import type { EndpointStatus } from '#libs/chain/endpoint-health.js';
import type { ChainConfig } from '#libs/config/chain-config.js';
import type { ConfiguredSource } from '#libs/config/chain-sources.js';
import type { Database } from '#libs/database/database.js';
import { FragmentRefused } from '#libs/database/event-fragments.js';
import { reportState } from '#libs/database/ledger.js';
import type { Logger } from '#libs/telemetry/logger.js';
import { OutageLog } from '#libs/telemetry/outage-log.js';
import { pause } from '#libs/telemetry/run-process.js';
import type { ChainCondition } from './chain-condition.js';
import { ChainFollower } from './chain-follower.js';
import { declaredSources } from './declared-sources.js';
import { NewsLane } from './news-lane.js';
import type { Sharing } from './sharing.js';
import { wantedSources } from './wanted-sources.js';

/** Wait between tries to reach a chain's RPC at start. */
const RETRY_MS = 2_000;
/** Looks at the `finalized` tag before a node that doesn't show it is believed not to know it, and the wait between them. */
const TAG_LOOKS = 3;
const TAG_LOOK_MS = 1_000;

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
 * @throws WrongChain when an endpoint is of another chain at start, FragmentRefused when the database has an event otherwise; the
 *   chain's state says so, too.
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
    const declared = await untilDeclared(parts, stop);
    const known = declared && (await untilReached(parts, declared, client, stop));
    if (!known) return;
    logger.info(`final means ${known.words}`);
    const news = new NewsLane(client, {
      filter: database.events.filterOf(known.sources),
      isWanted: database.events.isOf(known.sources),
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
    // a leader's requests show by themselves how its endpoints fare
    const reaches = async () => condition.isStandingBy && client.use((endpoint) => endpoint.chainId());
    sharing.standsReady(config.chainId, reaches);
    await follower.run(stop);
  } finally {
    sharing.leaves(config.chainId);
    client.close();
  }
}

/** Makes the events without a folder known to all, and names every source as the database does; waits for the database. */
async function untilDeclared(parts: FollowParts, stop: AbortSignal): Promise<StatedSource[] | null> {
  const { config, database, condition, logger } = parts;
  const outage = new OutageLog(logger, 'the events are known');
  for (; !stop.aborted; await pause(RETRY_MS, stop)) {
    try {
      const sources = await declaredSources(database, config.sources);
      outage.ended();
      tellOtherNames(config.sources, sources, logger);
      return sources;
    } catch (error) {
      if (!(error instanceof FragmentRefused)) {
        outage.failed(`waiting: ${(error as Error).message}`);
        continue;
      }
      condition.found('halted', error.message);
      await reportUnled(parts, []);
      throw error;
    }
  }
  return null;
}

/** Tells where an event's own name stood for another one already. */
function tellOtherNames(
  configured: readonly ConfiguredSource[],
  declared: readonly StatedSource[],
  logger: Logger,
): void {
  const names = new Map(configured.map(({ event }, i) => [event, declared[i]!.event]));
  for (const [event, name] of names)
    if (name !== event.name) logger.info(`${event.identity} is followed as ${name}`);
}

/** Asks the chain what only it can tell: its finality, and where `latest` is; until it answers. */
async function untilReached(
  parts: FollowParts,
  sources: readonly StatedSource[],
  client: ChainClient,
  stop: AbortSignal,
) {
  const { config, condition } = parts;
  for (; !stop.aborted; await pause(RETRY_MS, stop)) {
    try {
      const { rule, words } = await finalityRule(config, client, stop);
      return { rule, words, sources: await wantedSources(sources, config.startBlock, client, rule) };
    } catch (error) {
      if (!(error instanceof WrongChain || error instanceof RpcUnavailable)) throw error;
      if (stop.aborted) break;
      condition.failed(error);
      await reportUnled(parts, client.status());
      if (error instanceof WrongChain) throw error;
    }
  }
  return null;
}

/** Says the chain's state before anybody leads it from here. */
async function reportUnled(
  { config: { chainId, chainName }, database, condition }: FollowParts,
  endpoints: readonly EndpointStatus[],
): Promise<void> {
  const report = { chainId, chainName, holder: '', head: null, ...condition.current, endpoints };
  await reportState(database.statements, report).catch(() => {});
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
