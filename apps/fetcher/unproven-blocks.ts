import type { ChainClient } from '#libs/chain/chain-client.js';
import type { Endpoint, LogFilter } from '#libs/chain/endpoint.js';
import type { Leadership } from '#libs/database/ledger.js';
import type { ChainLog } from '#libs/events/log.js';
import type { HeldBlock, Segment } from './segment.js';

/** Blocks between two unproven ones that are asked for along with them: another request would cost more. */
const GAP = 1_000;

/** Which logs are followed: what to ask the node for, and which of the answer are wanted. */
export interface WantedLogs {
  readonly filter: LogFilter;
  readonly isWanted: (log: ChainLog) => boolean;
}

/** The hash that is held at a height, undefined where none is. */
type Held = Pick<Segment, 'hashAt'>;

type Taken = Pick<Leadership, 'segment' | 'finalizedBlock' | 'emptyHeights'>;

/**
 * Blocks that were said to be empty on nothing but the node's word (its log index may lag behind its headers, and the bloom
 * was no help: see `bloomIsSaturated`). Before finality is recorded they are asked for once more, by range; so what is recorded
 * as final has been looked at twice, minutes apart, and a crash between loses nothing: recorded finality is where a successor
 * goes on. Where finality is a few blocks (CONFIRMATIONS=0), the node is believed.
 */
export class UnprovenBlocks {
  private readonly heights: Set<number>;
  /** No height lies above. */
  private top = Number.POSITIVE_INFINITY;
  /** Hashes of blocks, by height, whose logs were seen by range and not by hash. */
  private readonly owed = new Map<number, string>();
  /** Hashes of blocks that were stored with rows when the term began. */
  private readonly full: ReadonlySet<string>;

  /** @param taken what is stored above finality; nobody knows any more which of its blocks without rows were proven. */
  constructor({ segment, finalizedBlock, emptyHeights }: Taken) {
    this.heights = new Set(emptyHeights);
    const isFull = ([height]: readonly [number, string]) =>
      height > (finalizedBlock ?? -1) && !this.heights.has(height);
    this.full = new Set([...segment].filter(isFull).map(([, hash]) => hash));
  }

  /**
   * Takes note that blocks above `above` are said, and which of them are unproven.
   * @param upTo what is held above it stays; infinite when nothing does.
   */
  said(above: number, upTo: number, unproven: readonly number[]): void {
    // most news stand on the tip: a change costs what it changes
    if (above < this.top)
      for (const height of this.heights) if (height > above && height <= upTo) this.heights.delete(height);
    for (const height of unproven) this.heights.add(height);
    this.top = Math.max(upTo < this.top ? this.top : above, ...unproven);
  }

  /**
   * A node may not have a block's logs yet when some are known: seen by range, or stored by an earlier leader. To say that there
   * are none would be forgotten by the next leader, who takes a block with rows for proven.
   * @throws RpcError when it says so of one of these blocks.
   */
  assertNoneKnown(endpoint: Endpoint, unproven: readonly HeldBlock[]): void {
    const isOwed = ({ number, hash }: HeldBlock) => this.owed.get(number) === hash;
    const missing = unproven.find((block) => isOwed(block) || this.full.has(block.hash));
    if (!missing) return;
    const where = isOwed(missing) ? 'there are some by range' : 'some are stored';
    throw endpoint.blockError(
      'bad_data',
      `has no logs of block ${missing.number} by its hash, though ${where}`,
    );
  }

  /**
   * Asks again for the logs of unproven blocks up to a final one, which the endpoint must show: on another branch other blocks are empty.
   * @param held the blocks that were said: an endpoint that has logs of others is on another branch, and the next one is asked.
   * @returns the lowest block that has some after all, and so must be said again; null: all are proven now. @throws RpcUnavailable
   */
  async lookAgain(
    client: ChainClient,
    wanted: WantedLogs,
    final: HeldBlock,
    held: Held,
  ): Promise<number | null> {
    const upTo = final.number;
    for (const [from, last] of runsOf([...this.heights].filter((height) => height <= upTo))) {
      for (let next = from; next <= last; ) {
        const { to, logs } = await client.use((endpoint) =>
          logsOfHeld(endpoint, wanted, { from: next, last, final, held }),
        );
        const missed = this.heard(next, to, logs);
        if (missed !== null) return missed;
        next = to + 1;
      }
    }
    for (const [height, hash] of this.owed)
      if (height <= upTo || held.hashAt(height) !== hash) this.owed.delete(height);
    return null;
  }

  /** Takes note of which blocks of [from, to] have logs. @returns the lowest that should have none. */
  private heard(from: number, to: number, logs: readonly ChainLog[]): number | null {
    const missed = logs.filter(({ blockNumber }) => this.heights.has(blockNumber));
    for (const { blockNumber, blockHash } of missed) this.owed.set(blockNumber, blockHash);
    if (missed.length) return Math.min(...missed.map(({ blockNumber }) => blockNumber));
    for (const height of this.heights) if (from <= height && height <= to) this.heights.delete(height);
    return null;
  }
}

/** The wanted logs of held blocks, as far as the endpoint gives them at once. @throws RpcError when one is of a block that isn't held. */
async function logsOfHeld(
  endpoint: Endpoint,
  { filter, isWanted }: WantedLogs,
  { from, last, final, held }: { from: number; last: number; final: HeldBlock; held: Held },
): Promise<{ to: number; logs: ChainLog[] }> {
  const { number, hash } = final;
  // not recorded yet: the chain may have changed since it was shown
  const anchor = { number, hash, otherwise: 'bad_data' } as const;
  const { to, logs } = await endpoint.logsFrom(from, last, filter, anchor);
  const found = logs.filter(isWanted);
  for (const { blockNumber, blockHash } of found) {
    // below a jump nothing is held
    const ours = held.hashAt(blockNumber) ?? blockHash;
    if (blockHash === ours) continue;
    const message = `has logs of block ${blockNumber} as ${blockHash}, and was asked about ${ours}`;
    throw endpoint.blockError('bad_data', message);
  }
  return { to, logs: found };
}

/** Ranges that hold all heights, with no gap longer than `GAP`. */
function runsOf(heights: number[]): [from: number, last: number][] {
  const runs: [number, number][] = [];
  for (const height of heights.sort((a, b) => a - b)) {
    const run = runs.at(-1);
    if (run && height - run[1] <= GAP) run[1] = height;
    else runs.push([height, height]);
  }
  return runs;
}
