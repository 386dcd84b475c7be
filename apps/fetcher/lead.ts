import type { Broker } from '#libs/broker/broker.js';
import { liveLaneOf } from '#libs/broker/broker.js';
import {
  type AdvanceStatement,
  MESSAGE_VERSION,
  type StatedBlock,
  type StatedSource,
} from '#libs/broker/messages.js';
import type { LaneProgress, Leadership, LedgerSource } from '#libs/database/ledger.js';
import { COVERED, type Known } from './decide.js';
import { type HeldBlock, Segment } from './segment.js';
import { UnprovenBlocks } from './unproven-blocks.js';

/** News statements that may be unapplied at a time (DESIGN §3.2). */
export const WINDOW = 8;

/** One term of leading a chain: what was said, and how far the workers applied it. */
export class Lead {
  readonly term: number;
  /** After a takeover nobody knows which of the stored empty blocks were proven. */
  readonly unproven: UnprovenBlocks;
  /** The chain's newest block when this term last looked; what an earlier one saw may be older than what another leader saw since. */
  chainHead: { readonly number: number; readonly timestamp: number } | null = null;
  private readonly ledger: string;
  private readonly segment: Segment;
  private finalizedSaid: number | null;
  private coveredTo: number;
  private seq = 0;
  private applied = 0;
  /** When the oldest unapplied statement began to wait, or the last one was applied (ms of the monotonic clock). */
  private waitingSince = performance.now();

  constructor(
    private readonly chainId: number,
    private readonly sources: readonly StatedSource[],
    private readonly broker: Broker,
    taken: Leadership,
  ) {
    this.term = taken.term;
    this.ledger = taken.ledger;
    this.segment = new Segment(taken.segment);
    this.finalizedSaid = taken.finalizedBlock;
    this.coveredTo = coveredTo(taken);
    this.unproven = new UnprovenBlocks(taken);
  }

  get known(): Known {
    return { segment: this.segment, finalized: this.finalizedSaid, coveredTo: this.coveredTo };
  }

  /** The block that is final for us, said or recorded; null: none is, or nobody knows its hash any more. */
  get final(): HeldBlock | null {
    if (this.finalizedSaid === null) return null;
    const hash = this.segment.hashAt(this.finalizedSaid);
    return hash === undefined ? null : { number: this.finalizedSaid, hash };
  }

  /** Statements that are said and not yet applied. */
  get unapplied(): number {
    return this.seq - this.applied;
  }

  /** How long the oldest unapplied statement has waited since the last progress, in milliseconds; 0 when none waits. */
  get waitedMs(): number {
    return this.unapplied ? performance.now() - this.waitingSince : 0;
  }

  /** The ledger's id and the chain's, for statements of history. */
  get head(): { version: typeof MESSAGE_VERSION; ledger: string; chainId: number } {
    return { version: MESSAGE_VERSION, ledger: this.ledger, chainId: this.chainId };
  }

  /** Takes note of what the workers have applied. @returns true when there was progress. */
  progressed({ appliedSeq }: LaneProgress): boolean {
    if (appliedSeq <= this.applied) return false;
    this.applied = appliedSeq;
    this.waitingSince = performance.now();
    return true;
  }

  /** Says that these blocks, above `above`, are the chain now. Not confirmed by the broker: it counts as said, perhaps lost. */
  async advance(above: number, blocks: StatedBlock[]): Promise<void> {
    this.segment.advance(above, blocks);
    // what stays below is covered, and what is stated will be; what stays above is stated again by the next ones
    const last = blocks.at(-1)!.number;
    this.coveredTo = this.segment.top > last ? last : COVERED;
    const statement: AdvanceStatement = {
      ...this.head,
      kind: 'advance',
      term: this.term,
      seq: this.nextSeq(),
      above,
      sources: [...this.sources],
      blocks,
    };
    await this.broker.publish(liveLaneOf(this.chainId), statement);
  }

  /** Lets the next `advance` begin at this block at most: what was said of it is incomplete. */
  restateFrom(height: number): void {
    this.coveredTo = Math.min(this.coveredTo, height - 1);
  }

  /** Says that this block, and all below it, is final. */
  async finality(number: number, hash: string): Promise<void> {
    this.finalizedSaid = number;
    this.segment.forgetBelow(number);
    const statement = {
      ...this.head,
      kind: 'finality' as const,
      term: this.term,
      seq: this.nextSeq(),
      number,
      hash,
    };
    await this.broker.publish(liveLaneOf(this.chainId), statement);
  }

  private nextSeq(): number {
    if (!this.unapplied) this.waitingSince = performance.now();
    return ++this.seq;
  }
}

/**
 * Height up to which every source covers all stored blocks above finality (DESIGN §3.2; the model's rule `covered`). Pure;
 * linear in the blocks and the ranges.
 */
export function coveredTo({
  segment,
  finalizedBlock,
  sources,
}: Pick<Leadership, 'segment' | 'finalizedBlock' | 'sources'>): number {
  const unfinal = [...segment.keys()].filter((n) => n > (finalizedBlock ?? -1)).sort((a, b) => a - b);
  const hole = Math.min(...sources.map((source) => firstOutside(unfinal, source.coverage)));
  return hole === Number.POSITIVE_INFINITY ? COVERED : hole - 1;
}

/** The first height that lies in none of the ranges, infinite when all do; both ascending. */
function firstOutside(heights: readonly number[], ranges: LedgerSource['coverage']): number {
  let next = 0;
  for (const height of heights) {
    while (next < ranges.length && ranges[next]![1] <= height) next++;
    const range = ranges[next];
    if (!range || height < range[0]) return height;
  }
  return Number.POSITIVE_INFINITY;
}
