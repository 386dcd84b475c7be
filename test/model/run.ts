import { brokenBy, unfinished } from './checks.js';
import { Lanes } from './lanes.js';
import { Leader, type LeaderParts } from './leader.js';
import type { Ledger } from './ledger.js';
import { MemoryLedger } from './memory-ledger.js';
import { Random } from './random.js';
import { type Rules, rulesWithout } from './rules.js';
import { SOURCES, type Source } from './statements.js';
import { Subscriber } from './subscriber.js';
import { World } from './world.js';

/** How a run goes. */
export interface RunOptions {
  /** Rules that don't hold. */
  readonly off?: readonly string[];
  /** Steps of chaos before all faults stop. */
  readonly steps?: number;
  readonly trace?: boolean;
  /** Endpoints have every block's logs. */
  readonly honest?: boolean;
  /** Statements that a process runs in a row at most. */
  readonly inARow?: number;
  /** Where the transactions run; left out, on the model's own database. */
  readonly ledger?: Ledger;
  readonly onDecision?: LeaderParts['onDecision'];
}

/** What a run came to. */
export interface RunResult {
  /** What went wrong, or null. */
  readonly why: string | null;
  /** What happened, in order, if it was traced. */
  readonly lines: readonly string[];
  readonly counts: Counts;
}

export interface Counts {
  takeovers: number;
  reorgs: number;
  jumps: number;
  conflicts: number;
  refused: number;
  groups: number;
  hidden: number;
  commits: number;
}

/** Steps without anything to do after which all is at rest. */
const REST = 700;
const PEACE_LIMIT = 9_000;

class Violation extends Error {}

/** One run from a seed: chaos, then peace, and the checks after every commit and at the end. */
export async function run(seed: number, options: RunOptions = {}): Promise<RunResult> {
  const running = new Run(seed, options);
  try {
    await running.chaos();
    await running.peace();
    return running.result(null);
  } catch (error) {
    const { message, stack } = error as Error;
    return running.result(error instanceof Violation ? message : (stack ?? message));
  } finally {
    await running.close();
  }
}

class Run {
  private readonly rules: Rules;
  private readonly random: Random;
  private readonly ledger: Ledger;
  private readonly world: World;
  private readonly lanes: Lanes;
  private readonly subscribers: readonly Subscriber[];
  private readonly leaders: Leader[] = [];
  private readonly lines: string[] = [];
  private config: readonly Source[] = ['A'];
  private clock = 0;

  constructor(
    seed: number,
    private readonly options: RunOptions,
  ) {
    this.rules = rulesWithout(options.off);
    this.random = new Random(seed);
    this.ledger = options.ledger ?? new MemoryLedger(this.rules);
    const note = (line: string) => void (options.trace && this.lines.push(line));
    this.world = new World(this.random, note, options.honest);
    this.lanes = new Lanes(this.ledger, this.random, note);
    const kinds = ['all', 'filtered', 'final'] as const;
    this.subscribers = kinds.map((kind) => new Subscriber(kind, this.rules, this.ledger));
  }

  async chaos(): Promise<void> {
    this.startLeader(this.config);
    for (const end = this.options.steps ?? 400; this.clock < end; this.clock++) {
      const x = this.random.next();
      if (!(await this.disturb(x))) await this.chaoticStep(x);
    }
  }

  async peace(): Promise<void> {
    const { world, lanes, random } = this;
    world.chaos = false;
    lanes.chaos = false;
    this.note('PEACE');
    world.extend();
    // a slow lane is no fault that stops: progress must survive it
    lanes.delay = random.pick([0, 0, 60, 150]);
    await this.wantAllSources();
    await this.untilRest(0);
    await this.expectFinished(false);
    this.note('THE CHAIN GOES ON');
    await this.untilRest(400);
    world.settle(world.head);
    for (let i = 0; i < 3; i++) world.extend();
    await this.untilRest(0);
    await this.expectFinished(true);
  }

  result(why: string | null): RunResult {
    const { world, lanes, leaders } = this;
    const sum = (of: (leader: Leader) => number) => leaders.reduce((total, leader) => total + of(leader), 0);
    const counts: Counts = {
      takeovers: sum((leader) => leader.takeovers),
      reorgs: world.reorgs,
      jumps: sum((leader) => leader.jumps),
      conflicts: lanes.conflicts,
      refused: lanes.refused,
      groups: lanes.groups,
      hidden: world.hidden.size,
      commits: this.ledger.stored.feed.size,
    };
    return { why, lines: this.lines, counts };
  }

  async close(): Promise<void> {
    await this.lanes.close();
    for (const leader of this.alive()) await leader.die();
  }

  private note(line: string): void {
    if (this.options.trace) this.lines.push(line);
  }

  private alive(): Leader[] {
    return this.leaders.filter((leader) => leader.state !== 'dead');
  }

  private startLeader(sources: readonly Source[]): void {
    const { rules, random, world, ledger, lanes } = this;
    const parts = { rules, random, world, ledger, lanes, onDecision: this.options.onDecision };
    const own = { now: () => this.clock, note: (line: string) => this.note(line) };
    this.leaders.push(new Leader(`L${this.leaders.length}`, sources, { ...parts, ...own }));
  }

  private async killLeaders(): Promise<void> {
    for (const leader of this.alive()) await leader.die();
  }

  private async stepLeader(leader: Leader, inARow = 1): Promise<void> {
    const { takeovers } = leader;
    await leader.step();
    for (let i = 1; i < inARow && leader.state === 'taking over'; i++) await leader.step();
    if (leader.takeovers !== takeovers) this.check();
  }

  private async stepSubscriber(subscriber: Subscriber, pageSize: number): Promise<boolean> {
    const wrong = await subscriber.step(this.world, pageSize);
    if (wrong) throw new Violation(wrong);
    return wrong !== null;
  }

  private check(): void {
    const broken = brokenBy(this.ledger.stored, this.world);
    if (broken) throw new Violation(broken);
  }

  /** Somebody does something. @param x a draw from [0, 1). */
  private async chaoticStep(x: number): Promise<void> {
    const { random, lanes } = this;
    const alive = this.alive();
    const inARow = this.options.inARow ?? 1;
    if (x < 0.3 && alive.length) await this.stepLeader(random.pick(alive), inARow);
    else if (x < 0.3 && random.chance(0.2)) this.startLeader(this.config);
    else if (x < 0.86) await lanes.stepAny(this.clock, inARow, () => this.check());
    else await this.stepSubscriber(random.pick(this.subscribers), random.chance(0.5) ? 1 : 1_000);
  }

  /** Something happens to the chain, the leaders or the lanes. @param x a draw from [0, 1). */
  private async disturb(x: number): Promise<boolean> {
    const { world, lanes, random } = this;
    if (x < 0.07) world.extend();
    else if (x < 0.1) world.reorg();
    else if (x < 0.13) world.settle(world.head - random.below(5));
    else if (x < 0.14 && this.leaders.length < 7) await this.anotherLeader();
    else if (x < 0.145) await this.allLeadersDie();
    else if (x < 0.15) lanes.loseNews();
    else if (x < 0.155) lanes.loseHistory();
    else if (x < 0.16) lanes.reorderNews();
    else return false;
    return true;
  }

  private async anotherLeader(): Promise<void> {
    const { random } = this;
    if (random.chance(0.5)) this.config = SOURCES;
    const current = this.leaders.at(-1)!;
    if (random.chance(0.5)) await this.killLeaders();
    else if (current.state === 'taking over') await current.die();
    this.note('NEW LEADER');
    this.startLeader(random.chance(0.15) ? ['A'] : this.config);
  }

  private async allLeadersDie(): Promise<void> {
    const { random, world } = this;
    await this.killLeaders();
    this.note('ALL LEADERS DIE');
    for (let i = random.below(12); i > 0; i--) {
      if (random.chance(0.3)) world.reorg();
      else world.extend();
      if (random.chance(0.5)) world.settle(world.head - random.below(3));
    }
  }

  private async wantAllSources(): Promise<void> {
    const last = this.leaders.at(-1)!;
    if (last.state !== 'dead' && last.sources.length === SOURCES.length) return;
    await last.die();
    this.startLeader(SOURCES);
  }

  /** Until nothing moves any more; for the first steps the chain does. */
  private async untilRest(moving: number): Promise<void> {
    const start = this.clock;
    let busySince = start;
    while (this.clock - busySince < REST) {
      if (this.clock - start > PEACE_LIMIT)
        throw new Violation(`no rest: ${this.result(null).counts.takeovers} takeovers`);
      this.clock++;
      if (this.clock - start < moving && this.random.chance(0.02)) {
        this.world.extend();
        this.world.settle(this.world.head - 2);
        busySince = this.clock;
      }
      if (await this.peacefulStep()) busySince = this.clock;
    }
  }

  /** Everybody does what there is to do. @returns whether there was something. */
  private async peacefulStep(): Promise<boolean> {
    const progress = () => `${this.ledger.stored.lane?.term} ${this.ledger.stored.lane?.applied}`;
    const before = progress();
    const alive = this.alive();
    if (!alive.length) this.startLeader(SOURCES);
    for (const leader of alive) {
      // an old configuration that still leads is replaced
      const isOld = leader.sources.length < SOURCES.length && leader.state === 'leading';
      if (isOld && this.ledger.stored.lane?.term === leader.term) {
        await leader.die();
        this.startLeader(SOURCES);
      } else await this.stepLeader(leader);
    }
    let busy = false;
    for (let i = 0; i < 400; i++) {
      const some = await this.lanes.stepAll(this.clock, () => this.check());
      busy ||= some;
      if (!some) break;
    }
    return busy || !this.lanes.isEmpty || before !== progress();
  }

  private async expectFinished(settled: boolean): Promise<void> {
    for (const subscriber of this.subscribers) while (await this.stepSubscriber(subscriber, 1_000));
    this.check();
    const wrong = unfinished(this.ledger.stored, this.world, this.subscribers, settled);
    if (wrong) throw new Violation(wrong);
  }
}
