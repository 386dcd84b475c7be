import { finalizedBlocks } from '#libs/database/chain-status.js';
import type { Database, SqlExecutor } from '#libs/database/database.js';

/** For rows of the live feed, finality may be this old. */
const FRESH_MS = 500;

/** Recorded finality of all chains. */
export class FinalizedBlocks {
  private latest: Promise<Map<number, number>> | null = null;
  private readAt = 0;

  constructor(private readonly database: Database) {}

  /** As a transaction sees it. */
  read(executor: SqlExecutor): Promise<Map<number, number>> {
    return finalizedBlocks(executor);
  }

  /** As of now, shared by all subscribers for a moment. */
  current(): Promise<Map<number, number>> {
    if (!this.latest || performance.now() - this.readAt > FRESH_MS) {
      this.readAt = performance.now();
      this.latest = finalizedBlocks(this.database.statements);
      this.latest.catch(() => {
        this.latest = null;
      });
    }
    return this.latest;
  }
}
