import type { Database } from '#libs/database/database.js';
import { pruneFeed } from '#libs/database/prune-feed.js';
import type { Logger } from '#libs/telemetry/logger.js';

/** How often the oldest entries are looked at; the first time soon, for a worker that is started and stopped daily, too. */
const EVERY_MS = 60_000;
const FIRST_MS = 5_000;
const DAY_SECONDS = 86_400;

/**
 * Prunes the commit log of entries that are older than `days`, as long as it runs, however many workers do.
 * @param firstMs when it begins.
 * @returns a function that ends it, once what is under way is done.
 */
export function retainFeed(
  { database, logger }: { database: Database; logger: Logger },
  days: number | null,
  firstMs = FIRST_MS,
): () => Promise<void> {
  if (days === null) return async () => {};
  let stopped = false;
  let running = Promise.resolve();
  const prune = async () => {
    let pruned = 0;
    // in transactions of their own: other work goes between
    for (let some = -1; some !== 0 && !stopped; pruned += some)
      some = await pruneFeed(database, days * DAY_SECONDS);
    if (pruned) logger.info(`${pruned} entries of the commit log were older than ${days} days: pruned`);
  };
  const round = () => {
    running = prune()
      .catch((error: Error) => logger.debug(`the commit log was not pruned: ${error.message}`))
      .then(() => {
        if (!stopped) timer = setTimeout(round, EVERY_MS);
      });
  };
  let timer = setTimeout(round, firstMs);
  return async () => {
    stopped = true;
    clearTimeout(timer);
    await running;
  };
}
