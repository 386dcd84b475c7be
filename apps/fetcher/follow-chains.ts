import type { Broker } from '#libs/broker/broker.js';
import { WrongChain } from '#libs/chain/chain-client.js';
import type { ChainConfig } from '#libs/config/chain-config.js';
import type { Database } from '#libs/database/database.js';
import { FragmentRefused } from '#libs/database/event-fragments.js';
import type { Logger } from '#libs/telemetry/logger.js';
import { pause } from '#libs/telemetry/run-process.js';
import { ChainCondition } from './chain-condition.js';
import { followChain } from './fetcher.js';
import { Sharing } from './sharing.js';

/** Waits before a chain that couldn't be followed is begun anew, doubling from the first to the last. */
const AGAIN_FIRST_MS = 10_000;
const AGAIN_LAST_MS = 300_000;

/** One of the chains that a process follows. */
export interface FollowedChain {
  readonly config: ChainConfig;
  readonly condition: ChainCondition;
}

/** A chain with its condition, which readiness can ask from the first moment on. */
export function chainToFollow(config: ChainConfig, logger: Logger): FollowedChain {
  const { chainId } = config;
  return { config, condition: new ChainCondition(chainId, config, logger.child({ chainId })) };
}

/** What the chains are followed with. */
interface Parts {
  readonly database: Database;
  readonly broker: Broker;
  readonly logger: Logger;
}

/**
 * Follows chains until `stop`, each for itself: what befalls one leaves the others alone. They are shared with other processes
 * that follow some of them.
 * @throws WrongChain, FragmentRefused when the only chain can't be followed as configured. With several that chain stays halted and
 *   is tried again.
 */
export async function followChains(
  chains: readonly FollowedChain[],
  parts: Parts,
  stop: AbortSignal,
): Promise<void> {
  const sharing = new Sharing(parts.database, parts.logger);
  const end = new AbortController();
  const until = AbortSignal.any([stop, end.signal]);
  const shared = sharing.run(until);
  try {
    const [only, ...others] = chains;
    if (only && !others.length) await followChain({ ...parts, ...only, sharing }, until);
    else await Promise.all(chains.map((chain) => followForEver(chain, { ...parts, sharing }, until)));
  } finally {
    end.abort();
    await shared;
  }
}

/** Begins a chain anew, ever more rarely, that can't be followed. */
async function followForEver(
  { config, condition }: FollowedChain,
  parts: Parts & { sharing: Sharing },
  stop: AbortSignal,
): Promise<void> {
  for (let waitMs = AGAIN_FIRST_MS; !stop.aborted; waitMs = Math.min(waitMs * 2, AGAIN_LAST_MS)) {
    try {
      await followChain({ ...parts, config, condition }, stop);
    } catch (error) {
      if (!(error instanceof WrongChain || error instanceof FragmentRefused)) {
        // an error of ours: its stack is needed
        parts.logger.error({ chainId: config.chainId, err: error }, 'the chain is begun anew');
        condition.found('stuck', (error as Error).message);
      }
      await pause(waitMs, stop);
    }
  }
}
