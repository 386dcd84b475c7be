import type { ContentSettings } from './block-contents.js';
import { HEIGHT_LIMIT } from './identity.js';
import type { Pin } from './pins.js';
import { type BranchState, rootSegment } from './segments.js';
import { SOCKET_GATEWAY } from './socket-gateway.js';

/** How to make a chain. */
export interface ChainOptions {
  readonly seed: string;
  readonly chainId: number;
  /** Height of the newest block at the start; the blocks below it exist too. */
  readonly head: number;
  /** May be less than a second: then several blocks share a timestamp. */
  readonly blockTimeMs: number;
  /** Unix time of the block `head` in milliseconds; now by default. */
  readonly headTimestampMs?: number;
  /** Mean number of SocketBridge logs in a block; 0.4 by default. */
  readonly eventsPerBlock?: number;
  /** Contract that emits SocketBridge; SocketGateway by default. */
  readonly address?: string;
  /** How many blocks the `finalized` tag trails the head by; 20 by default. `safe` trails by half of it. */
  readonly finalityDepth?: number;
  readonly pins?: readonly Pin[];
}

/** Settings of a chain that never change. */
export interface ChainSettings extends ContentSettings {
  readonly blockTimeMs: number;
  readonly finalityDepth: number;
}

/** Everything that a chain is; a small JSON object. */
export interface ChainState extends BranchState {
  readonly version: 1;
  readonly settings: ChainSettings;
  readonly finalized: number;
  /** Segments ever begun; gives the next one its ordinal. */
  readonly begun: number;
}

/** The settings that options stand for, defaults filled in. */
export function chainSettings(options: ChainOptions): ChainSettings {
  const { seed, chainId, blockTimeMs, eventsPerBlock = 0.4, finalityDepth = 20, pins = [] } = options;
  const address = (options.address ?? SOCKET_GATEWAY).toLowerCase();
  return { seed, chainId, address, eventsPerBlock, blockTimeMs, finalityDepth, pins };
}

/**
 * The state of a new chain; equal options give an equal chain, `headTimestampMs` included.
 * @throws RangeError when its first block would lie before 1970, or the head is out of range.
 */
export function newChainState(options: ChainOptions): ChainState {
  const settings = chainSettings(options);
  const { head, blockTimeMs, headTimestampMs = Date.now() } = options;
  checkHeight('head', head, 0);
  const timestampMs = headTimestampMs - head * blockTimeMs;
  if (timestampMs < 0)
    throw new RangeError(
      `${head} blocks of ${blockTimeMs} ms reach back beyond 1970: take a lower head or a shorter block time`,
    );
  // finality may be set otherwise later and doesn't change a block
  const { finalityDepth, ...content } = settings;
  const segments = [rootSegment(JSON.stringify(content), timestampMs)];
  return { version: 1, settings, segments, head, finalized: Math.max(0, head - finalityDepth), begun: 1 };
}

/** @throws RangeError unless `height` is a whole number from `lowest` to 2^48 − 1. */
export function checkHeight(name: string, height: number, lowest: number): void {
  if (!Number.isSafeInteger(height) || height < lowest || height >= HEIGHT_LIMIT)
    throw new RangeError(`${name} must be a whole number from ${lowest} to 2^48 - 1, not ${height}`);
}
