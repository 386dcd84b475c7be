import { setTimeout as delay } from 'node:timers/promises';
import type { FeedPlace } from '../reads/cursors.js';
import {
  type ChangesBatch,
  type ChangesParts,
  ChangesReader,
  type ChangesSelection,
  comparePlaces,
} from './changes-reader.js';
import type { CommitFeed } from './commit-feed.js';

/** What is committed within this time is told together: live subscribers hear at most five times a second, and at once after a pause. */
const WINDOW_MS = 200;
/** How much is kept for the slower ones of those who share a reader; who is further behind reads for itself again. */
export interface KeptBounds {
  readonly batches: number;
  readonly changes: number;
  /** Changes of all readers of the process; some 1.5 kB each, with the row, the node and its text. */
  readonly changesInAll: number;
}

/** Some 20 s at five messages a second: where the processor is short, thousands that read for themselves would make it shorter. */
const KEPT: KeptBounds = { batches: 100, changes: 5_000, changesInAll: 50_000 };

/** A batch and where it begins. */
interface SharedBatch {
  readonly from: FeedPlace;
  readonly batch: ChangesBatch;
}

interface Waiter {
  wake: (() => void) | null;
}

interface KeptBatch extends SharedBatch {
  /** Followers that have not taken it. */
  left: number;
}

/** One subscriber's hand on a shared reader. */
export interface Follower {
  /** Where the first batch begins, or a later place if the reader has moved on: read up to here oneself. */
  readonly start: FeedPlace;
  /** The next batch; null: this one is too far behind, or it ended. @throws what the reading threw. */
  next(): Promise<SharedBatch | null>;
  leave(): void;
}

/** The shared readers of one process: one for each selection that somebody follows. */
export class LiveReaders {
  private readonly readers = new Map<string, LiveReader>();
  private readonly kept: KeptInAll;

  constructor(
    private readonly feed: CommitFeed,
    bounds: KeptBounds = KEPT,
  ) {
    this.kept = { bounds, changes: 0 };
  }

  /**
   * Follows a selection together with all who asked for the same.
   * @param place where the subscriber stands; @param ended wakes it.
   */
  join(selection: ChangesSelection, place: FeedPlace, ended: AbortSignal): Follower {
    const name = nameOf(selection);
    let reader = this.readers.get(name);
    if (!reader) {
      const { feed } = this;
      const head = { position: feed.head, key: null };
      const start = comparePlaces(place, head) > 0 ? place : head;
      const made = new LiveReader({ feed, database: feed.database }, this.kept, selection, start, () => {
        if (this.readers.get(name) === made) this.readers.delete(name);
      });
      reader = made;
      this.readers.set(name, reader);
    }
    return reader.join(ended);
  }
}

/** What the readers of a process keep together. */
interface KeptInAll {
  readonly bounds: KeptBounds;
  changes: number;
}

/** Equal for selections that have the same changes in the same batches. */
function nameOf(selection: ChangesSelection): string {
  const { epoch, event, condition, finalizedOnly, includeHistory, batchSize } = selection;
  const parts = [epoch, event.name, condition, finalizedOnly, includeHistory, batchSize];
  return JSON.stringify(parts, (key, value) => {
    if (key === 'column') return (value as { property: string }).property;
    return typeof value === 'bigint' ? String(value) : value;
  });
}

/** Reads once for all its followers; pulled by the fastest of them. */
class LiveReader {
  private readonly reader: ChangesReader;
  private readonly batches: AsyncGenerator<ChangesBatch>;
  private readonly end = new AbortController();
  private readonly kept: KeptBatch[] = [];
  private keptChanges = 0;
  /** Number of the first kept batch, counted from the beginning. */
  private first = 0;
  private place: FeedPlace;
  private followers = 0;
  private reading = false;
  private over = false;
  private failure: unknown = null;
  private readonly waiting = new Set<Waiter>();
  private readonly unfollow: () => void;

  /** @param left called when nobody follows any more. */
  constructor(
    private readonly parts: ChangesParts,
    private readonly inAll: KeptInAll,
    private readonly selection: ChangesSelection,
    start: FeedPlace,
    private readonly left: () => void,
  ) {
    this.place = start;
    this.unfollow = parts.feed.follow();
    this.reader = new ChangesReader(parts, selection, start, this.end.signal);
    this.batches = this.read();
  }

  join(ended: AbortSignal): Follower {
    this.followers++;
    let [index, here] = [this.first + this.kept.length, true];
    const waiter: Waiter = { wake: null };
    const onEnd = () => waiter.wake?.();
    ended.addEventListener('abort', onEnd);
    return {
      start: this.place,
      next: async () => {
        while (!ended.aborted && index >= this.first) {
          if (index < this.first + this.kept.length) return this.take(index++);
          if (this.failure) throw this.failure;
          if (this.over) return null;
          await this.more(waiter);
        }
        return null;
      },
      leave: () => {
        if (!here) return;
        here = false;
        ended.removeEventListener('abort', onEnd);
        this.leave(index);
      },
    };
  }

  /** Waits until one more was read, or the waiter is woken. */
  private async more(waiter: Waiter): Promise<void> {
    if (!this.reading) void this.readOne();
    await new Promise<void>((resolve) => {
      waiter.wake = resolve;
      this.waiting.add(waiter);
    });
    this.waiting.delete(waiter);
  }

  private leave(index: number): void {
    for (const kept of this.kept.slice(Math.max(0, index - this.first))) kept.left--;
    this.forgetTaken();
    if (--this.followers) return;
    this.end.abort();
    this.count(-this.keptChanges);
    this.unfollow();
    this.left();
  }

  private take(index: number): SharedBatch {
    const kept = this.kept[index - this.first]!;
    kept.left--;
    this.forgetTaken();
    return kept;
  }

  private async readOne(): Promise<void> {
    this.reading = true;
    try {
      const { value: batch } = await this.batches.next();
      // what comes after the last one has left is for nobody
      if (batch && this.followers) this.keep({ from: this.place, batch, left: this.followers });
      else this.over = true;
    } catch (error) {
      this.failure = error;
      // whoever comes now begins with a new one
      this.left();
    }
    this.reading = false;
    for (const waiter of this.waiting) waiter.wake?.();
  }

  private keep(kept: KeptBatch): void {
    this.place = kept.batch.place;
    this.kept.push(kept);
    this.count(kept.batch.changes.length);
    while (this.kept.length > 1 && this.isTooMuch) this.forgetFirst();
  }

  private get isTooMuch(): boolean {
    const { bounds, changes } = this.inAll;
    if (this.kept.length > bounds.batches || this.keptChanges > bounds.changes) return true;
    return changes > bounds.changesInAll;
  }

  private count(changes: number): void {
    this.keptChanges += changes;
    this.inAll.changes += changes;
  }

  private forgetTaken(): void {
    while (this.kept[0]?.left === 0) this.forgetFirst();
  }

  private forgetFirst(): void {
    this.count(-this.kept.shift()!.batch.changes.length);
    this.first++;
  }

  private async *read(): AsyncGenerator<ChangesBatch> {
    const { reader } = this;
    const { feed } = this.parts;
    const { signal } = this.end;
    for (let window = 0; !signal.aborted && !feed.isClosed && feed.isOf(this.selection.epoch); ) {
      await feed.until(reader.place.position, reader.patienceMs, signal);
      if (reader.place.position < feed.head) {
        await pauseUntil(window + WINDOW_MS, signal);
        window = performance.now();
        const target = feed.head;
        while (reader.place.position < target && target <= feed.head && !signal.aborted)
          yield* reader.readSome(null);
      }
      if (reader.patienceMs === 0) yield reader.watermark();
    }
  }
}

async function pauseUntil(moment: number, signal: AbortSignal): Promise<void> {
  const ms = moment - performance.now();
  if (ms > 0) await delay(ms, undefined, { signal }).catch(() => {});
}
