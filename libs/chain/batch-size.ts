/** Requests that had to be split after which a larger batch is tried, doubling from the first to the last with each try that fails. */
const PROBE_AFTER_FIRST = 10;
const PROBE_AFTER_LAST = 1_000;

/**
 * How many calls an endpoint takes in one batch: halved when it refuses one, and tried again later. A proxy's hiccup looks like a
 * refusal, and without batches history near the head can't be believed, so no refusal may count for ever.
 */
export class BatchSize {
  private current: number;
  private probeAfter = PROBE_AFTER_FIRST;
  private split = 0;
  private probing = false;

  /** @param max calls per batch at most. */
  constructor(private readonly max: number) {
    this.current = max;
  }

  /** Calls to send at once. */
  get size(): number {
    return this.current;
  }

  /** So many calls are to be sent: now and then more at a time than of late. */
  wanted(calls: number): void {
    if (calls <= this.current || this.current >= this.max || ++this.split < this.probeAfter) return;
    this.split = 0;
    this.probing = true;
    this.current = Math.min(this.max, this.current * 2);
  }

  /** So many at once were refused. */
  refused(calls: number): void {
    if (this.probing) this.probeAfter = Math.min(this.probeAfter * 2, PROBE_AFTER_LAST);
    this.probing = false;
    this.split = 0;
    this.current = Math.min(this.current, Math.ceil(calls / 2));
  }

  /** It wasn't the batch: a single call is refused as well. */
  restore(size: number): void {
    this.current = size;
  }
}
