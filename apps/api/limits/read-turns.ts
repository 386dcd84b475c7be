import pLimit, { type LimitFunction } from 'p-limit';
import { limits } from './limits.js';
import { refusal } from './refusals.js';
import { currentRequest } from './request-context.js';

/**
 * Lets reads of the database take turns, so that one client's slow queries leave connections to the others and to the live feed.
 * A client is who the current request is of; the process's own reads don't wait.
 */
export class ReadTurns {
  private readonly all = pLimit(limits.readsTotal);
  private readonly byClient = new Map<string, LimitFunction>();

  /** @throws GraphQLError TOO_MANY_READS when the client has too many waiting. */
  async take<T>(read: () => Promise<T>): Promise<T> {
    const client = currentRequest()?.client;
    if (client === undefined) return read();
    const own = this.byClient.get(client) ?? pLimit(limits.readsPerClient);
    if (own.pendingCount >= limits.readsWaiting)
      throw refusal(
        'TOO_MANY_READS',
        `${limits.readsWaiting} reads of yours wait already: let some of them end first.`,
        1,
      );
    this.byClient.set(client, own);
    try {
      return await own(() => this.all(read));
    } finally {
      if (own.activeCount + own.pendingCount === 0) this.byClient.delete(client);
    }
  }
}
