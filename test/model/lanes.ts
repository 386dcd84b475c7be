import type { Ledger, Running } from './ledger.js';
import type { Random } from './random.js';
import { type Final, type News, type Statement, textOf } from './statements.js';

/** A message in a lane, and when it arrives at the earliest. */
interface Message<S extends Statement> {
  readonly statement: S;
  readonly at: number;
}

/** A transaction of a worker: the messages that it has in its hands. */
interface Job {
  readonly isLive: boolean;
  readonly messages: readonly Message<Statement>[];
  /** @returns what became of them, once it is committed. */
  readonly step: () => Promise<string | null>;
  readonly running: Running<unknown>;
}

/** A transaction takes this many messages at most. */
const GROUP = 3;

/**
 * The two lanes and their workers: three for history, in any order; two for news, in order, of which one was replaced and
 * doesn't know it. Messages may be lost, repeated and redelivered, and a worker may die between two statements.
 */
export class Lanes {
  history: Message<Final>[] = [];
  live: Message<News>[] = [];
  /** How long a message is under way. */
  delay = 0;
  chaos = true;
  conflicts = 0;
  refused = 0;
  groups = 0;
  private readonly jobs: (Job | null)[] = [null, null, null, null, null];

  constructor(
    private readonly ledger: Ledger,
    private readonly random: Random,
    private readonly note: (line: string) => void,
  ) {}

  get isEmpty(): boolean {
    return !this.history.length && !this.live.length;
  }

  send(statement: Statement, now: number): void {
    const at = now + this.delay;
    if (statement.kind === 'final') this.history.push({ statement, at });
    else this.live.push({ statement, at });
    this.note(`SAY ${textOf(statement)}`);
  }

  loseNews(): void {
    this.live = this.live.filter(() => this.random.chance(0.4));
    this.note('LIVE LOST');
  }

  loseHistory(): void {
    this.history = this.history.filter(() => this.random.chance(0.3));
    this.note('HISTORY LOST');
  }

  reorderNews(): void {
    if (!this.live.length) return;
    this.live.unshift(this.random.pick(this.live));
    this.note('LIVE REORDERED');
  }

  /**
   * A step of any worker, or some of its next ones in a row.
   * @param atMost steps in a row. @param committed is called after a commit.
   */
  async stepAny(now: number, atMost: number, committed: () => void): Promise<void> {
    const index = this.random.below(this.jobs.length);
    for (let i = atMost > 1 ? 1 + this.random.below(atMost) : 1; i > 0; i--) {
      await this.step(index, now, committed);
      if (!this.jobs[index]) return;
    }
  }

  /** A step of every worker. */
  async stepAll(now: number, committed: () => void): Promise<boolean> {
    let busy = false;
    for (let i = 0; i < this.jobs.length; i++) busy = (await this.step(i, now, committed)) || busy;
    return busy;
  }

  async close(): Promise<void> {
    for (const job of this.jobs) await job?.running.crash();
  }

  private async step(index: number, now: number, committed: () => void): Promise<boolean> {
    const job = this.jobs[index] ?? null;
    if (!job) return this.take(index, now);
    if (this.chaos && this.random.chance(0.02)) {
      await job.running.crash();
      this.note(`CRASH in ${textsOf(job)}`);
      this.putBack(job);
      this.jobs[index] = null;
      return true;
    }
    const result = await job.step();
    if (result === null) return true;
    this.note(`${result.toUpperCase()} ${textsOf(job)}`);
    // committed, and its acknowledgements lost
    if (this.chaos && this.random.chance(0.03)) this.putBack(job);
    this.jobs[index] = null;
    committed();
    return true;
  }

  private take(index: number, now: number): boolean {
    const isLive = index > 2;
    if (isLive && !this.chaos && index !== 4) return false;
    const queue: Message<Statement>[] = isLive ? this.live : this.history;
    const from = isLive ? 0 : this.random.below(queue.length);
    const size = this.random.chance(0.6) ? 1 : 1 + this.random.below(GROUP);
    let arrived = 0;
    while (arrived < size && from + arrived < queue.length && queue[from + arrived]!.at <= now) arrived++;
    if (!arrived) return false;
    const messages = queue.slice(from, from + arrived);
    // redelivered while another worker still has them
    if (this.chaos && this.random.chance(0.1))
      this.note(`DUPLICATE ${messages.map((m) => textOf(m.statement))}`);
    else queue.splice(from, arrived);
    if (arrived > 1) this.groups++;
    this.jobs[index] = isLive
      ? this.applying(messages as Message<News>[])
      : this.storing(messages as Message<Final>[]);
    return true;
  }

  private applying(messages: readonly Message<News>[]): Job {
    const running = this.ledger.apply(messages.map((m) => m.statement));
    const step = async () => {
      const done = await running.step();
      if (!done) return null;
      const { verdicts, conflicts } = done.value;
      this.conflicts += conflicts;
      this.refused += verdicts.filter((verdict) => verdict === 'refused').length;
      return verdicts.join(', ');
    };
    return { isLive: true, messages, running, step };
  }

  private storing(messages: readonly Message<Final>[]): Job {
    const running = this.ledger.store(messages.map((m) => m.statement));
    return { isLive: false, messages, running, step: async () => ((await running.step()) ? 'stored' : null) };
  }

  private putBack({ isLive, messages }: Job): void {
    if (isLive) this.live.unshift(...(messages as Message<News>[]));
    else this.history.push(...(messages as Message<Final>[]));
  }
}

function textsOf(job: Job): string {
  return job.messages.map((m) => textOf(m.statement)).join(' & ');
}
