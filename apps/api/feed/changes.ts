import { apiMetrics } from '#libs/telemetry/metrics.js';
import type { FeedPlace } from '../reads/cursors.js';
import {
  type ChangesBatch,
  type ChangesParts,
  ChangesReader,
  type ChangesSelection,
  comparePlaces,
} from './changes-reader.js';
import type { LiveReaders } from './live-reader.js';

/** What a subscriber wants. */
export interface ChangesRequest extends ChangesSelection {
  readonly since: FeedPlace;
  /** Aborted when the subscriber has gone. */
  readonly ended: AbortSignal;
}

/**
 * The changes behind a place, until the subscriber or the server ends it, or the ledger is another: what is stored first, then
 * what comes (DESIGN §3.4). What is stored is read for this subscriber alone; what comes, once for all who want the same. Pulled:
 * a slow subscriber costs no memory, it goes back to reading for itself.
 * @throws PlaceExpired when the commit log doesn't reach back to the place any more.
 */
export async function* changesSince(
  parts: ChangesParts & { readonly live: LiveReaders },
  request: ChangesRequest,
): AsyncGenerator<ChangesBatch> {
  const event = request.event.name;
  apiMetrics.subscribers.inc({ event });
  try {
    for await (const batch of batchesSince(parts, request)) {
      if (batch.changes.length) apiMetrics.changesPushed.inc({ event }, batch.changes.length);
      yield batch;
    }
  } finally {
    apiMetrics.subscribers.dec({ event });
  }
}

async function* batchesSince(
  parts: ChangesParts & { readonly live: LiveReaders },
  request: ChangesRequest,
): AsyncGenerator<ChangesBatch> {
  const own = new ChangesReader(parts, request, request.since, request.ended);
  // the place at once, so that a client that is cut off before the first change can come back
  yield own.watermark();
  while (isWanted(parts, request)) {
    // what is far behind is read without holding a place among the followers
    yield* catchUp(parts, request, own, { position: parts.feed.head, key: null });
    const follower = parts.live.join(request, own.place, request.ended);
    try {
      yield* catchUp(parts, request, own, follower.start);
      for (let next = await follower.next(); next && isWanted(parts, request); next = await follower.next()) {
        const { from, batch } = next;
        // a batch is taken as it is only where this subscriber stands: so none is lost or told twice, whatever happened before
        if (comparePlaces(from, own.place) === 0) {
          own.moveTo(batch.place);
          if (batch.changes.length) observeDelay(request.event.name, batch);
          yield batch;
        } else yield* catchUp(parts, request, own, batch.place);
      }
    } finally {
      follower.leave();
    }
  }
}

function isWanted({ feed }: ChangesParts, { ended, epoch }: ChangesRequest): boolean {
  return !feed.isClosed && !ended.aborted && feed.isOf(epoch);
}

/** Reads for one subscriber up to a place. */
async function* catchUp(
  parts: ChangesParts,
  request: ChangesRequest,
  own: ChangesReader,
  until: FeedPlace,
): AsyncGenerator<ChangesBatch> {
  while (comparePlaces(own.place, until) < 0 && isWanted(parts, request)) {
    const before = own.place;
    yield* own.readSome(until);
    // another process has read further than this one
    if (own.place === before) await parts.feed.until(before.position, own.patienceMs, request.ended);
    if (own.patienceMs === 0) yield own.watermark();
  }
}

/** Replayed changes are as old as they are; only what comes live tells the delay. Clocks differ: never negative. */
function observeDelay(event: string, { committedAt }: ChangesBatch): void {
  apiMetrics.commitToPush.observe({ event }, Math.max(0, (Date.now() - committedAt.getTime()) / 1_000));
}
