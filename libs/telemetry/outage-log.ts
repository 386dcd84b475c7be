import type { Logger } from './logger.js';

/** An outage that goes on is told this often. */
const REMIND_MS = 60_000;
/** The next outage of what comes and goes is told this long after the last line about the same at the earliest. */
const QUIET_MS = 15_000;

/**
 * Tells an outage in a few lines, however often what is away is tried: when it begins, once a minute while it lasts, and when it is
 * over.
 */
export class OutageLog {
  private since: number | null = null;
  private told = false;
  /** When each kind of failure was told last. */
  private readonly toldAt = new Map<string, number>();

  /** @param over what is said when it is over, e.g. `Postgres answers again`. */
  constructor(
    private readonly logger: Pick<Logger, 'warn' | 'info'>,
    private readonly over: string,
  ) {}

  /**
   * Something failed (again).
   * @param reason in words; it may differ from try to try.
   * @param kind each kind of failure is told for itself.
   */
  failed(reason: string, kind = ''): void {
    const now = performance.now();
    this.since ??= now;
    const quietMs = this.told ? REMIND_MS : QUIET_MS;
    if (now - (this.toldAt.get(kind) ?? Number.NEGATIVE_INFINITY) < quietMs) return;
    const seconds = Math.round((now - this.since) / 1_000);
    this.logger.warn(seconds ? `${reason} (for ${seconds} s now)` : reason);
    this.toldAt.set(kind, now);
    this.told = true;
  }

  /** It works. */
  ended(): void {
    if (this.since === null) return;
    if (this.told)
      this.logger.info(`${this.over}, after ${Math.round((performance.now() - this.since) / 1_000)} s`);
    this.since = null;
    this.told = false;
  }
}
