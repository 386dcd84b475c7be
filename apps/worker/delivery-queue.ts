import type { Delivery } from '#libs/broker/broker.js';
import { isPermanent } from '#libs/database/database.js';
import { UnknownEvents } from '#libs/database/event-catalog.js';
import type { Logger } from '#libs/telemetry/logger.js';
import { OutageLog } from '#libs/telemetry/outage-log.js';

/** Waits before a group that failed is tried again, in milliseconds: doubling from the first to the last. */
const RETRY_FIRST_MS = 250;
const RETRY_LAST_MS = 5_000;

/** How a queue's deliveries are stored. */
export interface StoringLane {
  /** Name for the log. */
  readonly name: string;
  /** How many of the waiting deliveries, from the first on, go into the next transaction (at least 1). */
  groupSize(waiting: readonly Delivery[]): number;
  /** Stores the group in one transaction; when it resolves, the group is committed. */
  store(group: readonly Delivery[]): Promise<void>;
  /**
   * Leaves a delivery whose events this worker doesn't know to other workers.
   * @returns whether all that is behind it goes back to the queue along with it.
   */
  leave(delivery: Delivery, unknown: UnknownEvents): boolean;
}

/**
 * Takes a lane's deliveries in order and stores them in groups: small and at once when idle, large when behind.
 *
 * What becomes of a delivery:
 *   committed                            → ack
 *   void (stale, duplicate, other ledger) → ack
 *   database away, contended, or unsure  → held and tried again; never nacked, since a quorum queue's delivery limit would
 *                                          throw good messages away
 *   of an event that isn't known here     → alone: left (see `StoringLane.leave`); in a group: the group is tried one by one
 *   can never be stored (data error)     → alone: reject with the reason; in a group: the group is tried one by one
 */
export class DeliveryQueue {
  private readonly waiting: Delivery[] = [];
  private running: Promise<void> | null = null;
  private stopped = false;
  private wake: (() => void) | null = null;
  private inHand = 0;
  /** Since when something waits and nothing was settled. */
  private waitingSince = 0;
  private lastError: string | null = null;
  private readonly outage: OutageLog;

  constructor(
    private readonly lane: StoringLane,
    private readonly logger: Logger,
  ) {
    this.outage = new OutageLog(logger, `${lane.name}: storing again`);
  }

  /** Why nothing is stored though messages have waited for this long, in words; null while all is well. */
  problem(patienceMs: number): string | null {
    const held = this.waiting.length + this.inHand;
    const waitedMs = performance.now() - this.waitingSince;
    if (!held || waitedMs < patienceMs) return null;
    const why = this.lastError ?? 'the database has not answered yet';
    return `${this.lane.name}: ${held} messages wait and none was stored for ${Math.round(waitedMs / 1_000)} s: ${why}`;
  }

  /** Adds a delivery; it is stored as soon as those before it are. */
  push(delivery: Delivery): void {
    if (!this.waiting.length && !this.inHand) this.waitingSince = performance.now();
    this.waiting.push(delivery);
    this.running ??= this.run().finally(() => {
      this.running = null;
    });
  }

  /** Finishes the group in hand and leaves the rest unacknowledged. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.wake?.();
    await this.running;
  }

  private async run(): Promise<void> {
    // deliveries that arrive in the same turn join the first group
    await new Promise(setImmediate);
    while (this.waiting.length && !this.stopped) {
      const group = this.waiting.splice(0, this.lane.groupSize(this.waiting));
      this.inHand = group.length;
      await this.storeGroup(group);
      this.inHand = 0;
    }
  }

  /** @returns false when what is behind the group went back to the queue. */
  private async storeGroup(group: readonly Delivery[]): Promise<boolean> {
    for (let wait = RETRY_FIRST_MS; !this.stopped; wait = Math.min(wait * 2, RETRY_LAST_MS)) {
      try {
        await this.lane.store(group);
        for (const delivery of group) delivery.ack();
        this.settled();
        return true;
      } catch (error) {
        if (error instanceof UnknownEvents || isPermanent(error)) {
          if (group.length > 1) return this.storeOneByOne(group);
          this.settled();
          return this.giveUp(group[0]!, error);
        }
        const reason = (error as Error).message;
        this.lastError = reason;
        this.outage.failed(
          `${this.lane.name}: holding ${group.length} messages until they can be stored: ${reason}`,
        );
      }
      await this.pause(wait);
    }
    return true;
  }

  /** @returns as `storeGroup`. */
  private giveUp(delivery: Delivery, error: unknown): boolean {
    if (error instanceof UnknownEvents) {
      const allGoBack = this.lane.leave(delivery, error);
      if (allGoBack) this.waiting.length = 0;
      return !allGoBack;
    }
    this.logger.error(
      { err: error },
      `${this.lane.name}: a message can't be stored, it goes to the dead-letter queue`,
    );
    delivery.reject(`can't be stored: ${(error as Error).message}`);
    return true;
  }

  private settled(): void {
    this.waitingSince = performance.now();
    this.lastError = null;
    this.outage.ended();
  }

  private async storeOneByOne(group: readonly Delivery[]): Promise<boolean> {
    for (const delivery of group) if (!(await this.storeGroup([delivery]))) return false;
    return true;
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
