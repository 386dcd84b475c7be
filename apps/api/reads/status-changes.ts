import { GraphQLError } from 'graphql';
import type { ChainStatus } from '#libs/database/chain-status.js';
import { WATERMARK_MS } from '../feed/changes-reader.js';
import { endable } from '../feed/endable.js';
import { Waiting } from '../feed/waiting.js';
import { conditionOf } from './chain-condition.js';

/** Statuses as they change, for any number of subscribers; a slow one gets the newest of each chain, and costs nothing. */
export class StatusChanges {
  /** Of each chain, the newest status and the number of the reading in which it changed. */
  private readonly newest = new Map<number, { status: ChainStatus; text: string; since: number }>();
  private reading = 0;
  /** What the last reading changed: the same list for all who have seen the one before. */
  private latest: readonly ChainStatus[] = [];
  private readonly waiting = new Waiting();
  private closed = false;

  /** Takes a reading of all chains. */
  note(statuses: readonly ChainStatus[]): void {
    const changed = statuses.filter((status) => this.newest.get(status.chainId)?.text !== textOf(status));
    if (this.reading && !changed.length) return;
    this.reading++;
    this.latest = changed;
    for (const status of changed)
      this.newest.set(status.chainId, { status, text: textOf(status), since: this.reading });
    this.waiting.wake();
  }

  /**
   * All chains first, then those that changed, at most as often as they are read; an empty list when nothing was told for some
   * seconds. @throws GraphQLError SERVER_CLOSING
   */
  follow(): AsyncGenerator<readonly ChainStatus[]> {
    return endable((ended) => this.followUntil(ended));
  }

  close(): void {
    this.closed = true;
    this.waiting.wake();
  }

  private async *followUntil(ended: AbortSignal): AsyncGenerator<readonly ChainStatus[]> {
    for (let seen = 0; !this.closed && !ended.aborted; ) {
      if (this.reading === seen) await this.waiting.until(WATERMARK_MS, ended);
      if (this.closed || ended.aborted) break;
      const changed = this.changedSince(seen);
      seen = this.reading;
      yield changed;
    }
    if (!ended.aborted)
      throw new GraphQLError('The server is closing; subscribe again.', {
        extensions: { code: 'SERVER_CLOSING' },
      });
  }

  private changedSince(seen: number): readonly ChainStatus[] {
    if (seen === this.reading) return [];
    if (seen === this.reading - 1) return this.latest;
    return [...this.newest.values()].filter(({ since }) => since > seen).map(({ status }) => status);
  }
}

/** Equal for statuses that are shown alike, but for what only grows older. */
function textOf(status: ChainStatus): string {
  return JSON.stringify([{ ...status, stateAgeSeconds: 0 }, conditionOf(status)]);
}
