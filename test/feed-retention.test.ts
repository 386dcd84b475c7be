import { pino } from 'pino';
import { afterEach, expect, inject, test } from 'vitest';
import { changesSince } from '#apps/api/feed/changes.js';
import { CommitFeed } from '#apps/api/feed/commit-feed.js';
import { LiveReaders } from '#apps/api/feed/live-reader.js';
import { retainFeed } from '#apps/worker/feed-retention.js';
import { feedHead } from '#libs/database/feed-log.js';
import { socketBridge } from '#libs/events/socket-bridge/event.js';
import { askData, Doorbell, Follower, type FollowVariables, startTestApi } from './services/api.js';
import { block, hashOf, LedgerFixture } from './services/ledger-fixture.js';
import { query } from './services/query.js';
import { until } from './services/until.js';

const logger = pino({ level: 'silent' });
const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A chain whose block 10 is final: position 1. */
async function start() {
  const ledger = await LedgerFixture.create(inject('postgresUrl'));
  closing.push(() => ledger.close());
  const { term } = await ledger.lead();
  const final = (number: number) => ({ final: number, hash: hashOf(number, 'a') });
  await ledger.apply(term, 1, { above: 9, blocks: [block(10, 'a')] }, final(10));
  let seq = 2;
  const sayBlock = (number: number) =>
    ledger.apply(term, ++seq, { above: number - 1, blocks: [block(number, 'a', [{ tx: `t${number}` }])] });
  const sayFinal = (number: number) => ledger.apply(term, ++seq, final(number));
  return { ledger, sayBlock, sayFinal };
}

/** Lets everything up to a position be older than the retention, and waits until a worker has pruned it. */
async function pruneThrough(ledger: LedgerFixture, position: number): Promise<void> {
  const old = "update feed_commit set committed_at = now() - interval '25 hours' where position <= $1";
  await query(ledger.url, old, [position]);
  const stop = retainFeed({ database: ledger.database, logger }, 1, 0);
  closing.push(stop);
  const writes = "select 1 from feed_commit where kind = 'write' and position <= $1";
  await until('pruning', async () => (await query(ledger.url, writes, [position])).length === 0);
  await stop();
}

async function asOf(url: string): Promise<string> {
  return (await askData(url, '{ socketBridgeEvents(first: 1) { asOf } }')).socketBridgeEvents.asOf;
}

function follow(url: string, variables: FollowVariables): Follower {
  const follower = new Follower(url, variables);
  closing.push(() => follower.close());
  return follower;
}

const told = (follower: Follower) => follower.changes.map((c) => `${c.type} ${c.node.blockNumber}`);

test('after pruning, whoever is not behind it gets every change, and finality as of each position', async () => {
  const { ledger, sayBlock, sayFinal } = await start();
  await sayBlock(11);
  await sayBlock(12);
  await sayFinal(11);
  await sayBlock(13);
  const api = await startTestApi({ database: ledger.database });
  closing.push(() => api.close());
  const since = await asOf(api.url);
  await pruneThrough(ledger, 5);
  const positions = await query(ledger.url, 'select position from feed_commit order by position');
  expect(positions).toEqual([{ position: '4' }]);
  // of a block that is final as of position 4
  await ledger.history(5, 5, [block(5, 'a', [{ tx: 'old' }])]);
  await sayFinal(13);
  const late = await startTestApi({ database: ledger.database });
  closing.push(() => late.close());
  const [final, all] = [follow(late.url, { since, finality: 'FINALIZED' }), follow(late.url, { since })];
  await until('all of it', () => final.changes.length >= 3 && all.changes.length >= 1);
  expect([told(final), told(all)]).toEqual([['FINALIZED 5', 'FINALIZED 12', 'FINALIZED 13'], ['ADDED 5']]);
});

test('a cursor that the commit log does not reach back to, "0" too, has expired; a page goes on from its `asOf`', async () => {
  const { ledger, sayBlock } = await start();
  const api = await startTestApi({ database: ledger.database });
  closing.push(() => api.close());
  await sayBlock(11);
  const old = await asOf(api.url);
  await sayBlock(12);
  await sayBlock(13);
  await pruneThrough(ledger, 4);
  for (const since of ['0', old]) {
    const follower = follow(api.url, { since });
    const ended = await until('the end', () => follower.ended);
    expect(ended).toMatchObject([{ extensions: { code: 'CURSOR_EXPIRED' } }]);
  }
  const goingOn = follow(api.url, { since: await asOf(api.url) });
  await until('the first message', () => goingOn.messages.length > 0);
  await sayBlock(14);
  await until('what comes', () => goingOn.changes.length > 0);
  expect(told(goingOn)).toEqual(['ADDED 14']);
});

test('a subscriber that falls behind the retention while it replays is told', async () => {
  const { ledger, sayBlock } = await start();
  for (const number of [11, 12]) await sayBlock(number);
  // more than a process keeps in memory, of writes whose rows were all touched again
  await query(
    ledger.url,
    `with more as (insert into feed_commit (position, kind, chain_id, event, write_id)
       select n, 'write', 7, 'SocketBridge', 1000000 + n from generate_series(4, 1000) n returning position)
     update feed_counter set position = (select max(position) from more)`,
  );
  const { database } = ledger;
  const feed = new CommitFeed(database, logger);
  feed.start(new Doorbell());
  closing.push(() => feed.close());
  await until('the feed', () => feed.head === 1000);
  const { epoch } = await feedHead(database.statements);
  const changes = changesSince(
    { feed, database, live: new LiveReaders(feed) },
    {
      event: socketBridge,
      epoch,
      condition: { kind: 'and', of: [] },
      finalizedOnly: false,
      includeHistory: true,
      batchSize: 1,
      since: { position: 0, key: null },
      ended: new AbortController().signal,
    },
  );
  await changes.next();
  expect((await changes.next()).value?.changes).toHaveLength(1);
  await pruneThrough(ledger, 400);
  const rest = async () => {
    for await (const batch of changes) if (batch.place.position >= 1000) return 'told to the end';
    return 'ended';
  };
  await expect(rest()).rejects.toMatchObject({ name: 'PlaceExpired' });
});

test('pruning deletes nothing that is younger, and everything older, however many workers are at it', async () => {
  const { ledger } = await start();
  await query(
    ledger.url,
    `with more as (insert into feed_commit (position, kind, chain_id, event, write_id, committed_at)
       select n, 'write', 7, 'SocketBridge', 1000000 + n, now() - make_interval(hours => (n <= 12000)::int * 30)
       from generate_series(2, 12010) n returning position)
     update feed_counter set position = (select max(position) from more)`,
  );
  await query(
    ledger.url,
    "update feed_commit set committed_at = now() - interval '30 hours' where position = 1",
  );
  const stops = [1, 2, 3].map(() => retainFeed({ database: ledger.database, logger }, 1, 0));
  closing.push(() => Promise.all(stops.map((stop) => stop())));
  const left = async () =>
    (await query<{ position: string }>(ledger.url, 'select position from feed_commit order by position')).map(
      (row) => Number(row.position),
    );
  await until('pruning', async () => (await left()).length <= 11);
  // the first one tells finality
  expect(await left()).toEqual([1, ...Array.from({ length: 10 }, (_, i) => 12_001 + i)]);
});
