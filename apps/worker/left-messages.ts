import type { Logger } from '#libs/telemetry/logger.js';
import { OutageLog } from '#libs/telemetry/outage-log.js';

/** A leader says news that nobody stores again once a minute at least, and delayed history comes back more often. */
const SHOWN_FOR_MS = 90_000;

interface Left {
  times: number;
  /** When the last one was left (ms of the monotonic clock). */
  at: number;
  readonly outage: OutageLog;
}

/** Tells which messages this worker leaves to others, since it doesn't know their event. */
export class LeftMessages {
  /** By lane and event, in words. */
  private readonly left = new Map<string, Left>();

  /** @param known names of the events that this worker knows. */
  constructor(
    private readonly logger: Logger,
    private readonly known: () => readonly string[],
  ) {}

  /** A message of these events was left. @param lane its name for the log. */
  note(lane: string, unknown: readonly string[]): void {
    this.forgetOld();
    for (const event of unknown) {
      const what = `${lane}: messages of event ${event}`;
      const left = this.left.get(what) ?? {
        times: 0,
        at: 0,
        outage: new OutageLog(this.logger, `${what} come no more`),
      };
      left.times++;
      left.at = performance.now();
      this.left.set(what, left);
      left.outage.failed(
        `${what} are left for other workers; ${this.ownKnowledge}. Is this an older version?`,
      );
    }
  }

  /** What is left, in words, for a while after the last one; null: nothing. */
  get problem(): string | null {
    this.forgetOld();
    if (!this.left.size) return null;
    const words = [...this.left].map(
      ([what, { times, at }]) =>
        `${what} are left for other workers (${times} times, the last ${Math.round((performance.now() - at) / 1_000)} s ago)`,
    );
    return `${words.join('; ')}; ${this.ownKnowledge}`;
  }

  private get ownKnowledge(): string {
    return `this one knows ${this.known().join(', ')}`;
  }

  private forgetOld(): void {
    for (const [what, { at, outage }] of this.left) {
      if (performance.now() - at < SHOWN_FOR_MS) continue;
      outage.ended();
      this.left.delete(what);
    }
  }
}
