import { type Broker, type Lane, liveLaneOf } from '#libs/broker/broker.js';

/** How long progress may stand still before that is a problem, in milliseconds. */
export interface StallPatience {
  /** Of what is said and not stored. */
  readonly stalledAfterMs: number;
  /** Of the final block while the head moves. */
  readonly finalityStalledAfterMs: number;
}

/**
 * The watchdog of a chain that is led: notices that the chain moves on and what should follow doesn't, and says what it waits for.
 * It goes by what its callers tell; moments are in milliseconds of the monotonic clock.
 */
export class StallWatch {
  private newsSince: number | null = null;
  private unapplied = 0;
  private history = { since: null as number | null, ranges: 0 };
  private head: number | null = null;
  private shownFinal: number | null = null;
  private final: { block: number | null; since: number; head: number | null } | null = null;
  /** Of the two queues that the chain's statements go to; null: the broker didn't say. */
  private consumers: { news: number | null; history: number | null } = { news: null, history: null };
  /** Messages of history, of whichever chain, that workers passed on. */
  private passedOn = 0;

  constructor(private readonly patience: StallPatience) {}

  /** So many statements are said and not stored; those of earlier terms that were said in vain count along. */
  newsWait(unapplied: number): void {
    this.unapplied = unapplied;
    if (unapplied) this.newsSince ??= performance.now();
  }

  /** Workers stored a statement; so many still wait. */
  newsStored(unapplied: number): void {
    this.unapplied = unapplied;
    this.newsSince = unapplied ? performance.now() : null;
  }

  /** All that the chain has is said and stored. */
  newsIdle(): void {
    this.newsStored(0);
  }

  /** So many ranges of history are published and not stored, the first of them for so long; 0 when none is. */
  historyWaits(ranges: number, waitedMs: number): void {
    this.history = { ranges, since: waitedMs ? performance.now() - waitedMs : null };
  }

  /** What the chain's RPC shows: its head and its final block. */
  sawChain(head: number, final: number): void {
    this.head = head;
    this.shownFinal = final;
  }

  /** The final block that is recorded, null: none yet. */
  finalIs(block: number | null): void {
    if (this.final && this.final.block === block && this.final.head !== null) return;
    this.final = { block, since: performance.now(), head: this.head };
  }

  /** Where statements have waited too long: asks the broker whether anybody consumes them, and whether workers pass them on. */
  async lookForWorkers(broker: Pick<Broker, 'consumers' | 'depth'>, chainId: number): Promise<void> {
    if (!this.newsStand && !this.historyStands) return;
    const count = (lane: Lane) => broker.consumers(lane).catch(() => null);
    const [news, history, passedOn] = await Promise.all([
      count(liveLaneOf(chainId)),
      count({ lane: 'history' }),
      broker.depth({ lane: 'delayed' }).catch(() => 0),
    ]);
    this.consumers = { news, history };
    this.passedOn = passedOn;
  }

  /** What stands still and what it waits for, in words; null while all moves. */
  get problem(): string | null {
    if (this.newsStand) {
      const waited = secondsSince(this.newsSince!);
      return `no worker has stored a statement for ${waited} s, ${this.unapplied} wait: ${workers(this.consumers.news)}${this.passedOnWords}`;
    }
    if (this.historyStands) {
      const { ranges, since } = this.history;
      return `the history stands: ${ranges} published ranges, none of them stored for ${secondsSince(since!)} s: ${workers(this.consumers.history)}${this.passedOnWords}`;
    }
    return this.finalityStands ? this.finalityWords() : null;
  }

  private get passedOnWords(): string {
    return this.passedOn
      ? `; ${this.passedOn} messages of history wait for a worker that knows their event`
      : '';
  }

  private get newsStand(): boolean {
    return isOver(this.newsSince, this.patience.stalledAfterMs);
  }

  private get historyStands(): boolean {
    return isOver(this.history.since, this.patience.stalledAfterMs);
  }

  private get finalityStands(): boolean {
    const { final, head } = this;
    if (!final || final.head === null || head === null || head <= final.head) return false;
    return isOver(final.since, this.patience.finalityStalledAfterMs);
  }

  private finalityWords(): string {
    const { block, since, head } = this.final!;
    const shown =
      this.shownFinal! > (block ?? -1)
        ? `the RPC shows ${this.shownFinal}, which could not be recorded`
        : 'the RPC shows no later one';
    return `waiting for finality: the final block stands at ${block ?? 'none'} for ${secondsSince(since)} s while the head moved from ${head} to ${this.head}; ${shown}`;
  }
}

function isOver(since: number | null, patienceMs: number): boolean {
  return since !== null && performance.now() - since > patienceMs;
}

function secondsSince(moment: number): number {
  return Math.round((performance.now() - moment) / 1_000);
}

function workers(consumers: number | null): string {
  if (consumers === null) return 'is a worker running?';
  if (!consumers) return 'no worker consumes the queue, is one running?';
  const who =
    consumers === 1
      ? 'a worker consumes the queue and stores'
      : `${consumers} workers consume the queue and store`;
  return `${who} nothing: do they know its events? See their logs and /readyz`;
}
