/** What a request is for: news go out before history. */
export type Urgency = 'news' | 'history';

/**
 * While both wait, history gets one call for as many of news: polling would else use up whatever is there, and the history
 * never end.
 */
const NEWS_PER_HISTORY = 9;

interface Waiting {
  readonly calls: number;
  readonly settle: (mayGo: boolean) => void;
}

/**
 * Bounds the calls to one endpoint: a sliding window, so that no second sees more than the cap, not even after a pause (a
 * token bucket would let twice as many pass then). Own code, since the libraries lack one half each: `limiter` knows no
 * priorities, `p-queue` no weights, and a batch counts as many calls.
 */
export class RateLimiter {
  /** Calls that may go at a time. */
  readonly burst: number;
  private readonly windowMs: number;
  private readonly granted: { readonly at: number; readonly calls: number }[] = [];
  private readonly waiting: Readonly<Record<Urgency, Waiting[]>> = { news: [], history: [] };
  private newsSinceHistory = 0;
  private timer: NodeJS.Timeout | undefined;

  /**
   * @param maxRps calls per second, 1 or more; whole numbers bound every second, others (and 1) every `burst / maxRps` seconds:
   *   two calls must be able to go at once, since a range of logs and the header of its last block belong together.
   */
  constructor(maxRps: number) {
    this.burst = Math.max(2, Math.floor(maxRps));
    this.windowMs = (this.burst / maxRps) * 1_000;
  }

  /** Waits until so many calls (at most `burst`) may go. @returns false when it was closed meanwhile. */
  take(calls: number, urgency: Urgency): Promise<boolean> {
    return new Promise((settle) => {
      this.waiting[urgency].push({ calls, settle });
      this.letGo();
    });
  }

  /** Lets nobody go any more. */
  close(): void {
    clearTimeout(this.timer);
    for (const { settle } of [...this.waiting.news.splice(0), ...this.waiting.history.splice(0)])
      settle(false);
  }

  private letGo(): void {
    clearTimeout(this.timer);
    for (let urgency = this.next(); urgency; urgency = this.next()) {
      const { calls, settle } = this.waiting[urgency][0]!;
      const wait = this.untilRoomFor(calls);
      if (wait > 0) {
        this.timer = setTimeout(() => this.letGo(), Math.ceil(wait));
        return;
      }
      this.waiting[urgency].shift();
      this.granted.push({ at: performance.now(), calls });
      this.newsSinceHistory =
        urgency === 'history' || !this.waiting.history.length ? 0 : this.newsSinceHistory + calls;
      settle(true);
    }
  }

  private next(): Urgency | null {
    const { news, history } = this.waiting;
    if (!history.length) return news.length ? 'news' : null;
    const isDue = this.newsSinceHistory >= NEWS_PER_HISTORY * history[0]!.calls;
    return news.length && !isDue ? 'news' : 'history';
  }

  /** Milliseconds until the window has room for so many calls; 0 or less: now. */
  private untilRoomFor(calls: number): number {
    const now = performance.now();
    while (this.granted.length && this.granted[0]!.at + this.windowMs <= now) this.granted.shift();
    let used = this.granted.reduce((sum, one) => sum + one.calls, 0);
    for (const one of this.granted) {
      if (used + calls <= this.burst) break;
      used -= one.calls;
      if (used + calls <= this.burst) return one.at + this.windowMs - now;
    }
    return 0;
  }
}
