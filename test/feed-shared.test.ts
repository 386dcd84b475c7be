import fc from 'fast-check';
import { pino } from 'pino';
import { expect, inject, test } from 'vitest';
import { changesSince } from '#apps/api/feed/changes.js';
import type { ChangesBatch } from '#apps/api/feed/changes-reader.js';
import { comparePlaces } from '#apps/api/feed/changes-reader.js';
import { CommitFeed } from '#apps/api/feed/commit-feed.js';
import { endable } from '#apps/api/feed/endable.js';
import { LiveReaders } from '#apps/api/feed/live-reader.js';
import type { FeedPlace } from '#apps/api/reads/cursors.js';
import { feedHead } from '#libs/database/feed-log.js';
import { socketBridge } from '#libs/events/socket-bridge/event.js';
import { Doorbell } from './services/api.js';
import { LedgerFixture } from './services/ledger-fixture.js';
import { query } from './services/query.js';
import { RandomLedger, seeded } from './services/random-ledger.js';
import { until } from './services/until.js';

/** Small, so that a subscriber that rests some moments is further behind than what is kept for it. */
const BATCH_SIZE = 1;

/** A subscriber that takes what it is told, with rests between. */
class Taker {
  place: FeedPlace;
  readonly known = new Map<string, string>();
  readonly wrong: string[] = [];
  private readonly told = new Set<string>();
  private resting: { over: Promise<void>; end: () => void } | null = null;
  private readonly changes: AsyncGenerator<ChangesBatch>;
  readonly done: Promise<void>;

  constructor(
    start: (since: FeedPlace, ended: AbortSignal) => AsyncGenerator<ChangesBatch>,
    readonly since: FeedPlace,
  ) {
    this.place = since;
    this.changes = endable((ended) => start(since, ended));
    this.done = this.take();
  }

  rest(): void {
    if (this.resting) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.resting = { over: promise, end: resolve };
  }

  goOn(): void {
    this.resting?.end();
    this.resting = null;
  }

  async leave(): Promise<void> {
    this.goOn();
    await this.changes.return(undefined);
    await this.done;
  }

  private async take(): Promise<void> {
    for await (const { place, changes } of this.changes) {
      if (comparePlaces(place, this.place) < 0) this.wrong.push('a cursor goes back');
      this.place = place;
      for (const { type, row } of changes) {
        const id = `${row.txHash}:${row.logIndex}`;
        const version = `${id} ${row.revision}`;
        if (this.told.has(version)) this.wrong.push(`told twice: ${version}`);
        this.told.add(version);
        if (type === 'REMOVED') this.known.delete(id);
        else this.known.set(id, `${row.blockHash}`);
      }
      await this.resting?.over;
    }
  }
}

/** Small, so that the slower ones have to read for themselves often. */
const BOUNDS = { batches: 4, changes: 50, changesInAll: 80 };

async function run(seed: number): Promise<void> {
  const random = seeded(seed);
  const ledger = await LedgerFixture.create(inject('postgresUrl'));
  const { database } = ledger;
  const feed = new CommitFeed(database, pino({ level: 'silent' }));
  const doorbell = new Doorbell();
  feed.start(doorbell);
  const takers: Taker[] = [];
  try {
    const world = new RandomLedger(ledger, random);
    await world.step();
    const { epoch } = await feedHead(database.statements);
    const parts = { feed, database, live: new LiveReaders(feed, BOUNDS) };
    const selection = { event: socketBridge, epoch, condition: { kind: 'and', of: [] } } as const;
    const wants = { ...selection, finalizedOnly: false, includeHistory: true, batchSize: BATCH_SIZE };
    const join = (since: FeedPlace) =>
      takers.push(new Taker((from, ended) => changesSince(parts, { ...wants, since: from, ended }), since));
    for (let i = 0; i < 5; i++) join({ position: 0, key: null });
    for (let i = 0; i < 60; i++) {
      doorbell.ring(await world.step());
      const taker = takers[random(takers.length)]!;
      if (random(3) === 0) taker.rest();
      else if (random(2)) taker.goOn();
      if (random(6) === 0) join({ position: 0, key: null });
      // some of the steps in one window of the shared reader, some in windows of their own
      const before = feed.head;
      if (random(4) === 0) await until('the feed', () => feed.head > before || random(3) === 0);
    }
    doorbell.ring(await world.complete());
    for (const taker of takers) taker.goOn();
    const { position } = await feedHead(database.statements);
    await until('all to be at the end', () => takers.every((taker) => taker.place.position >= position));
    const rows = await query<{ id: string; hash: string }>(
      ledger.url,
      `select '0x' || encode(tx_hash, 'hex') || ':' || log_index as id, '0x' || encode(block_hash, 'hex') as hash
       from socket_bridge_event where not removed`,
    );
    const table = rows.map(({ id, hash }) => `${id} ${hash}`).sort();
    for (const { known, wrong } of takers) {
      expect([...known].map(([id, hash]) => `${id} ${hash}`).sort()).toEqual(table);
      expect(wrong).toEqual([]);
    }
  } finally {
    await Promise.all(takers.map((taker) => taker.leave()));
    await feed.close();
    await ledger.close();
  }
}

test('subscribers that share a reader, each at its own pace, get what one alone would get', async () => {
  await fc.assert(fc.asyncProperty(fc.integer(), run), { numRuns: 4, endOnFailure: true });
}, 300_000);
