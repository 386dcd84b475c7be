import { query } from '../services/query.js';
import type { Crew } from './crew.js';
import type { Role, World } from './world.js';

const LOOK_MS = 200;
const MEMORY_MS = 1_000;
/** A process that has just begun is left out of the memory figures. */
const GROWN_UP_MS = 5_000;

interface Look {
  readonly position: number;
  /** Height of the stored tip by chain. */
  readonly tips: ReadonlyMap<number, number>;
  /** Some history is still missing. */
  readonly backfilling: boolean;
}

/** An attack that is over, and how long until the system had caught up with where the chains were then. */
interface Recovery {
  readonly kind: string;
  readonly endedAt: number;
  readonly goals: ReadonlyMap<number, number>;
}

/** Looks at the database all the time and takes notes: progress, recoveries, memory. */
export class Watch {
  /** The longest time without a commit, in milliseconds. */
  longestStandstillMs = 0;
  /** When it ended, in ms of the monotonic clock. */
  longestStandstillTo = 0;
  /** Milliseconds from the end of an attack until the chains' tips of that moment were stored, by kind. */
  readonly recoveries = new Map<string, number[]>();
  /** Resident memory in bytes by role, with the time of the reading. */
  readonly memory: { readonly at: number; readonly role: Role; readonly bytes: number }[] = [];
  private last: Look = { position: 0, tips: new Map(), backfilling: true };
  private lastCommit = performance.now();
  private pending: Recovery[] = [];
  private readonly timers: NodeJS.Timeout[] = [];

  constructor(
    private readonly databaseUrl: string,
    private readonly world: World,
    private readonly crew: Crew,
  ) {}

  start(): void {
    this.lastCommit = performance.now();
    let looking = false;
    const look = async () => {
      if (looking) return;
      looking = true;
      // while the database is away there is nothing to see
      await this.look().catch(() => {});
      looking = false;
    };
    this.timers.push(
      setInterval(() => void look(), LOOK_MS),
      setInterval(() => this.weigh(), MEMORY_MS),
    );
  }

  stop(): void {
    for (const timer of this.timers) clearInterval(timer);
  }

  /** Whether history was missing at the last look. */
  get backfilling(): boolean {
    return this.last.backfilling;
  }

  /** Whether the system has caught up after every attack so far. */
  get recovered(): boolean {
    return this.pending.length === 0;
  }

  /** An attack is over: from now on it counts how long the recovery takes. */
  attackEnded(kind: string): void {
    const goals = new Map(this.world.chains.map(({ chain }) => [chain.chainId, chain.head]));
    this.pending.push({ kind, endedAt: performance.now(), goals });
  }

  private async look(): Promise<void> {
    const [row] = await query<{ position: string; tips: Record<string, number>; backfilling: boolean }>(
      this.databaseUrl,
      `select position, (select jsonb_object_agg(chain_id, top) from (select chain_id, max(number) as top from block group by 1) b) as tips,
         (select count(*) < ${this.world.chains.length} or bool_or(coalesce(last_processed_block, 0) < coalesce(finalized_block, 1)) from chain) as backfilling
       from feed_counter`,
    );
    const now = performance.now();
    const position = Number(row!.position);
    if (now - this.lastCommit > this.longestStandstillMs) {
      this.longestStandstillMs = now - this.lastCommit;
      this.longestStandstillTo = now;
    }
    if (position > this.last.position) this.lastCommit = now;
    const tips = new Map(Object.entries(row!.tips ?? {}).map(([id, top]) => [Number(id), top]));
    this.last = { position, tips, backfilling: row!.backfilling };
    this.pending = this.pending.filter((recovery) => !this.hasRecovered(recovery, now));
  }

  private hasRecovered({ kind, endedAt, goals }: Recovery, now: number): boolean {
    const caughtUp = this.world.chains.every(({ chain }) => {
      // a later reorg may have made the chain shorter
      const goal = Math.min(goals.get(chain.chainId)!, chain.head);
      return (this.last.tips.get(chain.chainId) ?? -1) >= goal;
    });
    if (caughtUp) this.recoveries.set(kind, [...(this.recoveries.get(kind) ?? []), now - endedAt]);
    return caughtUp;
  }

  private weigh(): void {
    for (const post of this.crew.posts) {
      const bytes = post.memory;
      if (bytes === null || performance.now() - post.since < GROWN_UP_MS) continue;
      this.memory.push({ at: performance.now(), role: post.role, bytes });
    }
  }
}
