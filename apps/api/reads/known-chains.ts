import { type KnownChain, knownChains } from '#libs/database/chain-status.js';
import type { Database, SqlExecutor } from '#libs/database/database.js';

/** For rows of the live feed, names and finality may be this old. */
const FRESH_MS = 500;

/** Names and recorded finality of all chains. */
export class KnownChains {
  private latest: Promise<Map<number, KnownChain>> | null = null;
  private readAt = 0;

  constructor(private readonly database: Database) {}

  /** As a transaction sees them. */
  read(executor: SqlExecutor): Promise<Map<number, KnownChain>> {
    return knownChains(executor);
  }

  /** As of now, shared by all subscribers for a moment. */
  current(): Promise<Map<number, KnownChain>> {
    if (!this.latest || performance.now() - this.readAt > FRESH_MS) {
      this.readAt = performance.now();
      this.latest = knownChains(this.database.statements);
      this.latest.catch(() => {
        this.latest = null;
      });
    }
    return this.latest;
  }
}
