import { COVERED, type Decision, decide, deniesFinality, type Known, missing, type View } from './decide.js';
import type { Lanes } from './lanes.js';
import type { Ledger, Running, Taken } from './ledger.js';
import type { Random } from './random.js';
import type { Rules } from './rules.js';
import { type Block, type Log, type News, range, type Source } from './statements.js';
import type { World } from './world.js';

/** Steps of the clock that a leader waits for progress at first, and that history in flight is waited for. */
const PATIENCE = 25;
/** News that may be unapplied at a time. */
const WINDOW = 8;

/** What leaders work with. */
export interface LeaderParts {
  readonly rules: Rules;
  readonly random: Random;
  readonly world: World;
  readonly ledger: Ledger;
  readonly lanes: Lanes;
  readonly now: () => number;
  readonly note: (line: string) => void;
  /** Is told of each decision, with what it was made from. */
  readonly onDecision?: (known: Known, view: View, decision: Decision) => void;
}

/** Without its sequence number, which `Leader.send` gives. */
type Unnumbered<N> = N extends News ? Omit<N, 'term' | 'seq'> : never;

/** A fetcher's hold on a chain: it takes over, says news and history, and stands by once another leads. */
export class Leader {
  state: 'taking over' | 'leading' | 'dead' = 'taking over';
  term: number | null = null;
  takeovers = 0;
  jumps = 0;
  private taking: Running<Taken | null>;
  private seq = 0;
  private applied = 0;
  private since = 0;
  private patience = PATIENCE;
  private said = new Map<number, string>();
  private finalized: number | null = null;
  private coveredTo = COVERED;
  /** Blocks that are said to be empty on an endpoint's word alone. */
  private unproven = new Set<number>();
  /** Heights whose logs were seen by range, and not by hash. */
  private owed = new Set<number>();
  /** Blocks that were stored with rows when the term began. */
  private full = new Set<string>();
  /** The highest block that an endpoint showed as final. */
  private safeSeen = -1;
  private readonly inFlight = new Map<string, number>();

  constructor(
    readonly name: string,
    readonly sources: readonly Source[],
    private readonly parts: LeaderParts,
  ) {
    this.taking = this.takeOver();
  }

  async die(): Promise<void> {
    if (this.state === 'taking over') await this.taking.crash();
    this.state = 'dead';
  }

  /** Says something, or goes on taking over. */
  async step(): Promise<void> {
    if (this.state === 'taking over') return this.goOnTakingOver();
    const { lane } = this.parts.ledger.stored;
    if (this.parts.rules.holder && lane!.term !== this.term) {
      this.parts.note(`${this.name} stands by`);
      this.state = 'dead';
      return;
    }
    if (this.parts.random.chance(0.6)) this.sayNews();
    else this.sayHistory();
  }

  private get unapplied(): number {
    return this.seq - this.applied;
  }

  private takeOver(): Running<Taken | null> {
    this.state = 'taking over';
    return this.parts.ledger.takeOver({ name: this.name, sources: this.sources, own: this.term });
  }

  private async goOnTakingOver(): Promise<void> {
    const done = await this.taking.step();
    if (!done) return;
    const taken = done.value;
    if (!taken) {
      this.state = 'dead';
      return;
    }
    const { rules, note, now } = this.parts;
    this.takeovers++;
    this.term = taken.term;
    this.seq = 0;
    this.applied = 0;
    this.since = now();
    this.said = new Map(taken.said);
    this.finalized = taken.finalized;
    this.coveredTo = rules.covered && taken.hole !== null ? taken.hole - 1 : COVERED;
    this.unproven = new Set(rules.heirDoubts ? taken.empty : []);
    this.owed = new Set();
    const unfinal = [...taken.said].filter(([n]) => n > (taken.finalized ?? -1));
    this.full = new Set(unfinal.filter(([n]) => !taken.empty.includes(n)).map(([, hash]) => hash));
    this.state = 'leading';
    note(
      `TAKEOVER ${this.name} term ${taken.term} ${this.sources} has ${[...taken.said.values()]} final ${taken.finalized}`,
    );
  }

  private sayNews(): void {
    const { rules, ledger, world, now, onDecision } = this.parts;
    this.takeNoteOf(ledger.stored.lane!);
    if (this.unapplied && now() - this.since > this.patience) {
      if (rules.backoff) this.patience *= 2;
      this.taking = this.takeOver();
      return;
    }
    if (this.unapplied >= WINDOW) return;
    const view = world.view();
    this.safeSeen = Math.max(this.safeSeen, view.finalized);
    const known = { said: this.said, finalized: this.finalized, coveredTo: this.coveredTo };
    if (rules.floor && deniesFinality(known, view)) return;
    const decision = decide(rules, known, view);
    onDecision?.(known, view, decision);
    if (decision.kind === 'advance') this.advance(decision, view);
    if (decision.kind === 'finality' && !this.findsMissed(decision.number)) {
      this.finalized = decision.number;
      for (const n of this.said.keys()) if (n < decision.number) this.said.delete(n);
      this.send(decision);
    }
  }

  private takeNoteOf(lane: { term: number; applied: number }): void {
    if (lane.term !== this.term || lane.applied <= this.applied) return;
    this.applied = lane.applied;
    this.since = this.parts.now();
    this.patience = PATIENCE;
  }

  /** States some of the blocks from `from` on. */
  private advance({ above, from }: { above: number; from: number }, view: View): void {
    const { random, world } = this.parts;
    const left = view.blocks.length - from;
    const length = random.chance(0.5) ? left : 1 + random.below(left);
    const answers = view.blocks.slice(from, from + length).map((block) => {
      return { block, ...world.logsOf(block, this.sources) };
    });
    const unproven = answers.filter(({ proven }) => !proven).map(({ block }) => block);
    if (unproven.some((block) => this.contradicts(block))) return;
    if (from > above + 1) this.jumps++;
    const blocks = answers.map(({ block, logs }): Block => ({ ...block, logs }));
    this.hold(above, blocks);
    for (const block of unproven) this.unproven.add(block.number);
    this.send({ kind: 'advance', above, sources: this.sources, blocks });
  }

  /** Holds these blocks instead of what they replace: what is known is what will be stored once they are applied. */
  private hold(above: number, blocks: readonly Block[]): void {
    const last = blocks.at(-1)!;
    const isRestated = this.parts.rules.keepRestated && this.said.get(last.number) === last.hash;
    const upTo = isRestated ? last.number : COVERED;
    for (const n of this.said.keys()) if (n > above && n <= upTo) this.said.delete(n);
    for (const n of this.unproven) if (n > above && n <= upTo) this.unproven.delete(n);
    for (const block of blocks) this.said.set(block.number, block.hash);
    this.coveredTo = Math.max(...this.said.keys()) > last.number ? last.number : COVERED;
  }

  /** Whether this block has logs, whatever the endpoint says. */
  private contradicts({ number, hash }: Block): boolean {
    const { rules } = this.parts;
    return (rules.owed && this.owed.has(number)) || (rules.heirKnows && this.full.has(hash));
  }

  /** Asks again for the logs of unproven blocks that become final; what turns up is to be said again from there. */
  private findsMissed(upTo: number): boolean {
    if (!this.parts.rules.lookTwice) return false;
    const heights = [...this.unproven].filter((n) => n <= upTo);
    const missed = heights.filter((n) => this.logsOfChain(n, n, this.sources).length);
    for (const n of missed) this.owed.add(n);
    if (missed.length) {
      this.coveredTo = Math.min(this.coveredTo, Math.min(...missed) - 1);
      this.parts.note(`${this.name} finds logs of ${missed}`);
      return true;
    }
    for (const n of heights) this.unproven.delete(n);
    for (const n of this.owed) if (n <= upTo) this.owed.delete(n);
    return false;
  }

  private logsOfChain(from: number, to: number, sources: readonly Source[]): Log[] {
    const logs = this.parts.world.chain.slice(from, to + 1).flatMap((b) => b.logs);
    return logs.filter((log) => sources.includes(log.source));
  }

  private send(news: Unnumbered<News>): void {
    const { lanes, random, world, now, note } = this.parts;
    if (!this.unapplied) this.since = now();
    this.seq++;
    const fails = world.chaos && random.chance(0.02);
    if (!fails || random.chance(0.5)) lanes.send({ ...news, term: this.term!, seq: this.seq } as News, now());
    if (!fails) return;
    // nobody knows whether it was lost: say all again in a new term
    note(`${this.name} cannot publish ${this.term}/${this.seq}`);
    this.inFlight.clear();
    this.taking = this.takeOver();
  }

  private sayHistory(): void {
    const { rules, ledger, lanes, random, now } = this.parts;
    const { finalized, coverage } = ledger.stored;
    const upTo = rules.recordedOnly ? (finalized ?? -1) : this.safeSeen;
    for (const source of this.sources) {
      const flies = (n: number) =>
        (this.inFlight.get(source + n) ?? Number.NEGATIVE_INFINITY) > now() - PATIENCE;
      for (const [from, end] of missing(coverage.get(source)!, flies, upTo)) {
        const to = end - random.below(end - from + 1);
        for (const n of range(from, to)) this.inFlight.set(source + n, now());
        const logs = this.logsOfChain(from, to, [source]);
        lanes.send({ kind: 'final', sources: [source], from, to, logs }, now());
      }
    }
  }
}
