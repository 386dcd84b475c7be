import type { StatedBlock } from '#libs/broker/messages.js';
import { Random } from '../model/random.js';
import {
  type Advance,
  block,
  type Finality,
  hashOf,
  type LedgerFixture,
  type TestLog,
} from './ledger-fixture.js';

/** First block that is led; the blocks from 1 to it are history. */
const FIRST_LED = 20;

/** Whole numbers in [0, below) from a seed, so that a failing run can be repeated. */
export function seeded(seed: number): (below: number) => number {
  const random = new Random(seed);
  return (below) => random.below(below);
}

/**
 * A chain that grows, is reorganized and becomes final at random, and a worker that stores it: news in order, history in
 * any order, some of it again and again. Transactions of dropped blocks come back elsewhere, some with other contents.
 */
export class RandomLedger {
  private readonly blocks = new Map<number, { branch: string; logs: readonly TestLog[] }>();
  private head = FIRST_LED - 1;
  private finalized = FIRST_LED;
  private term = 0;
  private seq = 0;
  private branches = 0;
  private transactions = 0;
  private dropped: string[] = [];

  constructor(
    private readonly ledger: LedgerFixture,
    private readonly random: (below: number) => number,
  ) {
    for (let n = 1; n < FIRST_LED; n++) this.blocks.set(n, { branch: 'a', logs: this.newLogs() });
  }

  /** Does one thing. @returns the position that it took in the commit log, if any. */
  async step(): Promise<number | null> {
    const choice = this.term === 0 ? 9 : this.random(10);
    if (choice < 3) return this.say(this.extend(1 + this.random(3)));
    if (choice < 5 && this.head > this.finalized) return this.say(this.reorg());
    if (choice < 6 && this.head > this.finalized) return this.say(this.finality());
    if (choice < 7) return this.say(this.extend(1), this.finality());
    if (choice < 9) return this.history();
    return this.takeOver();
  }

  /** History that is still missing, so that the end is the same for all. */
  async complete(): Promise<number | null> {
    return (await this.ledger.history(1, this.finalized, this.stated(1, this.finalized))).position;
  }

  private async takeOver(): Promise<number | null> {
    const first = this.term === 0;
    this.term = (await this.ledger.lead()).term;
    this.seq = 0;
    if (!first) return null;
    return this.say(this.extend(2), { final: FIRST_LED, hash: hashOf(FIRST_LED, 'a') });
  }

  private async say(...news: (Advance | Finality)[]): Promise<number | null> {
    const { position, verdicts } = await this.ledger.apply(this.term, this.seq + 1, ...news);
    if (verdicts.some((verdict) => verdict !== 'applied')) throw new Error(`not applied: ${verdicts}`);
    this.seq += news.length;
    return position;
  }

  private extend(count: number, branch = this.blocks.get(this.head)!.branch): Advance {
    const above = this.head;
    for (let i = 0; i < count; i++) this.blocks.set(++this.head, { branch, logs: this.newLogs() });
    return { above, blocks: this.stated(above + 1, this.head) };
  }

  private reorg(): Advance {
    const depth = 1 + this.random(this.head - this.finalized);
    for (let n = this.head - depth + 1; n <= this.head; n++) {
      this.dropped.push(...new Set(this.blocks.get(n)!.logs.map((log) => log.tx)));
      this.blocks.delete(n);
    }
    this.head -= depth;
    return this.extend(1 + this.random(depth + 1), `b${++this.branches}`);
  }

  private finality(): Finality {
    this.finalized += this.random(this.head - this.finalized + 1);
    return { final: this.finalized, hash: hashOf(this.finalized, this.blocks.get(this.finalized)!.branch) };
  }

  private async history(): Promise<number | null> {
    const from = 1 + this.random(this.finalized);
    const to = Math.min(this.finalized, from + this.random(8));
    return (await this.ledger.history(from, to, this.stated(from, to))).position;
  }

  private stated(from: number, to: number): StatedBlock[] {
    return Array.from({ length: to - from + 1 }, (_, i) => {
      const { branch, logs } = this.blocks.get(from + i)!;
      return block(from + i, branch, logs, this.blocks.get(from + i - 1)?.branch ?? branch);
    });
  }

  private newLogs(): TestLog[] {
    const transactions = Array.from({ length: this.random(3) }, () => {
      const again = this.random(2) && this.dropped.length;
      return again ? this.dropped.splice(this.random(this.dropped.length), 1)[0]! : `t${++this.transactions}`;
    });
    return transactions.flatMap((tx) =>
      Array.from({ length: 1 + this.random(2) }, (_, index) => ({
        tx,
        index,
        amount: BigInt(this.random(3)),
      })),
    );
  }
}
