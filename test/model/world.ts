import type { View } from './decide.js';
import type { Random } from './random.js';
import { type Block, blocksText, type Log, type Source } from './statements.js';

/** A block's logs as an endpoint answers for them. */
export interface BlockLogs {
  readonly logs: readonly Log[];
  /** False: there are none on the endpoint's word alone. */
  readonly proven: boolean;
}

/** The chain and the endpoints that show it: reorgs of every shape above finality, transactions that come back elsewhere. */
export class World {
  /** The chain as it is, from block 0 on. */
  chain: readonly Block[];
  /** Height up to which it is final. */
  safe = 0;
  /** While true, endpoints lag, show old branches, and may have a block before its logs. */
  chaos = true;
  /** Blocks whose logs some endpoint did not have, by hash. */
  readonly hidden = new Set<string>();
  reorgs = 0;
  /** How often an endpoint doesn't have a block's logs yet. */
  private readonly lag: number;
  private readonly blocks = new Map<string, Block>();
  private readonly perHeight = new Map<number, number>();
  private branches: (readonly Block[])[] = [];
  private mempool: string[] = [];
  private transactions = 0;

  constructor(
    private readonly random: Random,
    private readonly note: (line: string) => void,
    honest = false,
  ) {
    this.lag = honest ? 0 : random.pick([0.1, 0.1, 0.6]);
    this.chain = [this.mine(0, null, [])];
    for (let i = random.below(6); i > 0; i--) this.extend();
    this.safe = Math.max(0, this.head - 2);
  }

  get head(): number {
    return this.chain.length - 1;
  }

  block(hash: string): Block {
    return this.blocks.get(hash)!;
  }

  isFinal(number: number, hash: string): boolean {
    return number <= this.safe && this.chain[number]!.hash === hash;
  }

  extend(): void {
    this.chain = [...this.chain, this.mine(this.head + 1, this.chain.at(-1)!.hash, this.newLogs())];
    this.refill();
  }

  /** Another branch from somewhere above finality: an old one again, or a new one that is shorter, as long, or longer. */
  reorg(): void {
    if (this.head <= this.safe) return;
    const { chain, safe, random } = this;
    const tip = chain.at(-1)!.hash;
    const old = this.branches.filter((b) => b[safe]?.hash === chain[safe]!.hash && b.at(-1)!.hash !== tip);
    this.branches = [...this.branches, chain].slice(-5);
    this.reorgs++;
    if (old.length && random.chance(0.45)) this.chain = random.pick(old);
    else {
      const depth = 1 + random.below(this.head - safe);
      this.chain = chain.slice(0, chain.length - depth);
      this.refill();
      for (let i = random.below(depth + 2); i > 0; i--) this.extend();
    }
    this.refill();
    this.note(`REORG ${blocksText(this.chain.slice(safe))}`);
  }

  settle(number: number): void {
    if (number <= this.safe) return;
    this.safe = number;
    this.note(`FINAL ${this.chain[number]!.hash}`);
  }

  /** What an endpoint shows: the chain, a shorter piece of it, or an old branch with the finality that it knew. */
  view(): View {
    const { chain, random, safe } = this;
    if (!this.chaos || random.chance(0.6)) return { blocks: chain, finalized: safe };
    const branch = this.branches.length && random.chance(0.3) ? random.pick(this.branches) : chain;
    const other = branch.findIndex((b, n) => b.hash !== chain[n]?.hash);
    const common = other < 0 ? branch.length : other;
    const blocks = branch.slice(0, Math.max(1, branch.length - random.below(6)));
    const known = Math.min(safe, common - 1, blocks.length - 1) - random.below(2);
    return { blocks, finalized: Math.max(0, known) };
  }

  /** The logs of a block as an endpoint answers: it may have the block and not yet its logs. */
  logsOf(block: Block, sources: readonly Source[]): BlockLogs {
    const logs = block.logs.filter((log) => sources.includes(log.source));
    if (!logs.length) return { logs, proven: this.random.chance(0.5) };
    if (!this.chaos || !this.random.chance(this.lag)) return { logs, proven: true };
    this.hidden.add(block.hash);
    this.note(`HIDDEN ${block.hash}`);
    return { logs: [], proven: false };
  }

  private mine(number: number, parent: string | null, logs: readonly Omit<Log, 'number' | 'hash'>[]): Block {
    const siblings = this.perHeight.get(number) ?? 0;
    this.perHeight.set(number, siblings + 1);
    const hash = `${number}${String.fromCharCode(97 + siblings)}`;
    const block = { number, hash, parent, logs: logs.map((log) => ({ ...log, number, hash })) };
    this.blocks.set(hash, block);
    return block;
  }

  /** Transactions that are in no block of the chain now: they come back. */
  private refill(): void {
    const transactionsOf = (blocks: Iterable<Block>) =>
      new Set([...blocks].flatMap((b) => b.logs.map((log) => log.key.split('.')[0]!)));
    const inChain = transactionsOf(this.chain);
    this.mempool = [...transactionsOf(this.blocks.values())].filter((t) => !inChain.has(t));
  }

  private newLogs(): Omit<Log, 'number' | 'hash'>[] {
    const { random, mempool } = this;
    const chosen = new Set<string>();
    while (mempool.length && random.chance(0.6))
      chosen.add(mempool.splice(random.below(mempool.length), 1)[0]!);
    while (random.chance(0.45) && chosen.size < 3) chosen.add(`t${++this.transactions}`);
    return [...chosen].flatMap((transaction) => {
      const indexes = random.chance(0.2) ? [0, 1] : [random.chance(0.7) ? 0 : 1];
      return indexes.map((index) => {
        const source = random.chance(0.75) ? ('A' as const) : ('B' as const);
        return { key: `${transaction}.${index}`, source, value: random.below(3) };
      });
    });
  }
}
