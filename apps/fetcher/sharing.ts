import { hostname } from 'node:os';
import {
  announce,
  forgetGoneCandidates,
  invite,
  type Leads,
  readLeads,
  withdraw,
} from '#libs/database/candidates.js';
import type { Database } from '#libs/database/database.js';
import type { Logger } from '#libs/telemetry/logger.js';
import { pause } from '#libs/telemetry/run-process.js';
import { handOver } from './hand-over.js';

/** How often a process says which chains it stands ready for, and looks whether it leads too many. */
const ANNOUNCE_MS = 2_000;
/** How often a process that stands by looks whether it reaches the chain: a standby costs next to nothing. */
const LOOK_MS = 10_000;

/** A chain that the process can lead, or does. */
interface OwnChain {
  readonly reaches: () => Promise<unknown>;
  lookedAt: number;
  isReached: boolean;
}

/**
 * A process's part in sharing the chains with others like it: says which ones it stands ready to lead, and invites others to take
 * one over while it leads more than they do. Taking over is the followers' own matter.
 */
export class Sharing {
  /** Name of the process, unique among all; its leases are held by it. */
  readonly process = `${hostname()}:${process.pid}:${Math.random().toString(36).slice(2, 8)}`;
  private readonly chains = new Map<number, OwnChain>();
  /** Chains that others were invited to take over. */
  private readonly offered = new Set<number>();

  constructor(
    private readonly database: Database,
    private readonly logger: Logger,
  ) {}

  /** The chain can be led from here, as long as it is reached. @param reaches is tried now and then, and throws when it isn't. */
  standsReady(chainId: number, reaches: () => Promise<unknown>): void {
    this.chains.set(chainId, { reaches, lookedAt: performance.now(), isReached: true });
  }

  /** The chain can't be led from here any more. */
  leaves(chainId: number): void {
    this.chains.delete(chainId);
  }

  /** Whether another process was invited to take the chain over; asked when it is no longer led from here. */
  wasOffered(chainId: number): boolean {
    return this.offered.delete(chainId);
  }

  /** Runs until `stop`. Without the database nothing is shared, and nothing else can be done: the chains tell it. */
  async run(stop: AbortSignal): Promise<void> {
    const { statements } = this.database;
    await forgetGoneCandidates(statements).catch(() => {});
    while (!stop.aborted) {
      await this.step().catch((error: Error) =>
        this.logger.debug(`the chains aren't shared: ${error.message}`),
      );
      await pause(ANNOUNCE_MS, stop);
    }
    await withdraw(statements, this.process).catch(() => {});
  }

  private async step(): Promise<void> {
    for (const chain of this.chains.values()) void this.look(chain);
    const ready = [...this.chains].filter(([, { isReached }]) => isReached).map(([chainId]) => chainId);
    await announce(this.database.statements, this.process, ready);
    // one that follows a single chain never has too many
    if (this.chains.size < 2) return;
    const choose = (leads: Leads) => handOver(this.process, leads);
    if (!choose(await readLeads(this.database.statements))) return;
    const chosen = await invite(this.database, this.process, choose);
    if (!chosen) return;
    this.offered.add(chosen.chainId);
    this.logger.info({ chainId: chosen.chainId }, `handing over to ${chosen.to}, which leads fewer chains`);
  }

  /** A chain that isn't reached from here must not be handed over to here. */
  private async look(chain: OwnChain): Promise<void> {
    if (performance.now() - chain.lookedAt < LOOK_MS) return;
    chain.lookedAt = Number.POSITIVE_INFINITY;
    chain.isReached = await chain.reaches().then(
      () => true,
      () => false,
    );
    chain.lookedAt = performance.now();
  }
}
