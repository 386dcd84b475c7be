import type { Delivery } from '#libs/broker/broker.js';
import { isPermanent } from '#libs/database/database.js';
import type { Logger } from '#libs/telemetry/logger.js';

/** Waits before a group that failed is tried again, in milliseconds: doubling from the first to the last. */
const RETRY_FIRST_MS = 250;
const RETRY_LAST_MS = 5_000;

/** How a queue's deliveries are stored. */
export interface Lane {
  /** Name for the log. */
  readonly name: string;
  /** How many of the waiting deliveries, from the first on, go into the next transaction (at least 1). */
  groupSize(waiting: readonly Delivery[]): number;
  /** Stores the group in one transaction; when it resolves, the group is committed. */
  store(group: readonly Delivery[]): Promise<void>;
}

/**
 * Takes a lane's deliveries in order and stores them in groups: small and at once when idle, large when behind.
 *
 * What becomes of a delivery:
 *   committed                            → ack
 *   void (stale, duplicate, other ledger) → ack
 *   database away, contended, or unsure  → held and tried again; never nacked, since a quorum queue's delivery limit would
 *                                          throw good messages away
 *   can never be stored (data error)     → alone: reject with the reason; in a group: the group is tried one by one
 */
export class DeliveryQueue {
  private readonly waiting: Delivery[] = [];
  private running: Promise<void> | null = null;
  private stopped = false;
  private wake: (() => void) | null = null;

  constructor(
    private readonly lane: Lane,
    private readonly logger: Logger,
  ) {}

  /** Adds a delivery; it is stored as soon as those before it are. */
  push(delivery: Delivery): void {
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
      await this.storeGroup(group);
    }
  }

  private async storeGroup(group: readonly Delivery[]): Promise<void> {
    for (let wait = RETRY_FIRST_MS; !this.stopped; wait = Math.min(wait * 2, RETRY_LAST_MS)) {
      try {
        await this.lane.store(group);
        for (const delivery of group) delivery.ack();
        return;
      } catch (error) {
        const reason = (error as Error).message;
        if (isPermanent(error)) {
          if (group.length > 1) return this.storeOneByOne(group);
          this.logger.error(
            { err: error },
            `${this.lane.name}: a message can't be stored, it goes to the dead-letter queue`,
          );
          return group[0]!.reject(`can't be stored: ${reason}`);
        }
        this.logger.warn(
          `${this.lane.name}: holding ${group.length} messages, next try in ${wait} ms: ${reason}`,
        );
      }
      await this.pause(wait);
    }
  }

  private async storeOneByOne(group: readonly Delivery[]): Promise<void> {
    for (const delivery of group) await this.storeGroup([delivery]);
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
