import type { SimulatedChain } from './chain.js';
import { Draw } from './draw.js';
import { digestOf } from './identity.js';

/** So far behind the clock the missing blocks aren't made up for: the chain goes on as after a pause. */
const GIVE_UP_BEHIND_MS = 30_000;

const DEEPEST_REORG = 5;

export interface MinerOptions {
  /** Mean number of blocks between reorgs; 0, the default: none. */
  readonly reorgEvery?: number;
}

/** Lets a chain grow with the clock, with a shallow reorg now and then; which ones follows from the chain's seed. */
export class Miner {
  readonly #chain: SimulatedChain;
  readonly #reorgChance: number;
  readonly #key: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(chain: SimulatedChain, { reorgEvery = 0 }: MinerOptions = {}) {
    this.#chain = chain;
    this.#reorgChance = reorgEvery > 0 ? 1 / reorgEvery : 0;
    this.#key = Number.parseInt(digestOf(`miner:${chain.seed}`, 6), 16);
  }

  /** Begins to mine. Blocks missed while nobody mined are skipped: the next one has the present time. */
  start(): void {
    if (this.#timer !== undefined) return;
    this.#chain.resumeAt(Date.now());
    this.#schedule();
  }

  /** Mines no more, until started again. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #schedule(): void {
    const pace = this.#chain.blockTimeMs;
    const wait = this.#chain.nextBlockDueMs - Date.now();
    // after a reorg to a lower head the chain catches up at four times its pace; one that was mined ahead by hand grows slower
    this.#timer = setTimeout(() => this.#tick(), Math.min(Math.max(wait, pace / 4), pace * 1.5));
  }

  #tick(): void {
    const now = Date.now();
    if (now - this.#chain.nextBlockDueMs > GIVE_UP_BEHIND_MS) this.#chain.resumeAt(now);
    this.#grow();
    this.#schedule();
  }

  #grow(): void {
    const { head, finalized } = this.#chain;
    const draw = new Draw(this.#key, head, this.#chain.state().begun);
    const deepest = Math.min(DEEPEST_REORG, head - finalized);
    if (deepest < 1 || !draw.chance(this.#reorgChance)) {
      this.#chain.mine();
      return;
    }
    let depth = 1;
    while (depth < deepest && draw.chance(0.5)) depth++;
    this.#chain.reorg({ depth, newHead: newHeadOf(draw, head, depth) });
  }
}

/** Half of the new branches are longer than the old one; the others are as long or, if deep enough, shorter. */
function newHeadOf(draw: Draw, head: number, depth: number): number {
  if (draw.chance(0.5)) return head + 1;
  return depth > 1 && draw.chance(0.4) ? head - 1 : head;
}
