import fc from 'fast-check';
import { expect, inject, test } from 'vitest';
import {
  askData,
  type Change,
  Doorbell,
  Follower,
  type FollowVariables,
  startTestApi,
} from './services/api.js';
import { CHAIN_ID, LedgerFixture } from './services/ledger-fixture.js';
import { query } from './services/query.js';
import { RandomLedger, seeded } from './services/random-ledger.js';
import { until } from './services/until.js';

const someAmounts = { amount: { in: ['0', '2'] } };

/** What a client knows: content by id. */
type Known = Map<string, string>;
const content = (node: { blockNumber: number; blockHash: string; amount: string }) =>
  `${node.blockNumber} ${node.blockHash} ${node.amount}`;

/** A client that folds its stream, is cut off at any moment, and comes back with its last cursor. */
class Subscriber {
  readonly known: Known = new Map();
  private cursor: string;
  private follower: Follower | null = null;
  /** Ids that were told as final more than once. */
  readonly twice: string[] = [];

  constructor(
    readonly name: string,
    private readonly wants: FollowVariables,
    since: string,
  ) {
    this.cursor = since;
  }

  async connect(url: string, batchSize: number): Promise<void> {
    await this.follower?.close();
    const connection = { open: true };
    const follower = new Follower(url, { ...this.wants, since: this.cursor, batchSize }, (message) => {
      if (this.follower !== follower || !connection.open) return;
      for (const change of message.changes) this.fold(change);
      this.cursor = message.cursor;
    });
    this.follower = follower;
  }

  async close(): Promise<void> {
    const { follower } = this;
    this.follower = null;
    await follower?.close();
  }

  get ended(): unknown {
    return this.follower?.ended;
  }

  private fold({ type, node }: Change): void {
    if (type === 'REMOVED') this.known.delete(node.id);
    else {
      if (type === 'FINALIZED' && this.known.has(node.id)) this.twice.push(node.id);
      this.known.set(node.id, content(node));
    }
  }
}

const filters = {
  all: () => true,
  filtered: (row: Stored) => row.amount !== '1',
  final: (row: Stored) => row.final,
  'final and filtered': (row: Stored) => row.final && row.amount !== '1',
  'page and stream': (row: Stored) => row.amount !== '1',
} as const;

interface Stored {
  readonly id: string;
  readonly content: string;
  readonly amount: string;
  readonly final: boolean;
}

async function storedRows(databaseUrl: string): Promise<Stored[]> {
  const rows = await query<{ id: string; n: string; hash: string; amount: string; final: boolean }>(
    databaseUrl,
    `select e.chain_id || ':0x' || encode(tx_hash, 'hex') || ':' || log_index as id, block_number as n,
       '0x' || encode(block_hash, 'hex') as hash, amount::text as amount, block_number <= finalized_block as final
     from socket_bridge_event e join chain c using (chain_id) where not removed and e.chain_id = $1`,
    [CHAIN_ID],
  );
  return rows.map((r) => ({
    id: r.id,
    content: `${r.n} ${r.hash} ${r.amount}`,
    amount: r.amount,
    final: r.final,
  }));
}

const asList = (known: Iterable<readonly [string, string]>) =>
  [...known].map(([id, c]) => `${id} ${c}`).sort();

async function untilEqual(subscriber: Subscriber, rows: readonly Stored[]): Promise<void> {
  const wanted = asList(
    rows
      .filter(filters[subscriber.name as keyof typeof filters])
      .map((row) => [row.id, row.content] as const),
  );
  try {
    await until(
      `the stream of ${subscriber.name}`,
      () => {
        return subscriber.ended ?? asList(subscriber.known).join() === wanted.join();
      },
      15_000,
    );
  } catch {
    expect(asList(subscriber.known), subscriber.name).toEqual(wanted);
  }
  expect(subscriber.ended).toBeNull();
  expect(subscriber.twice, `${subscriber.name}: told as final twice`).toEqual([]);
}

/** One random history with subscribers that come and go, on two API instances. */
async function run(seed: number): Promise<void> {
  const random = seeded(seed);
  const ledger = await LedgerFixture.create(inject('postgresUrl'));
  const doorbell = new Doorbell();
  const apis = await Promise.all(
    [1, 2].map(() => startTestApi({ database: ledger.database, broker: doorbell })),
  );
  const anyApi = () => apis[random(2)]!.url;
  const subscribers: Subscriber[] = [];
  try {
    const world = new RandomLedger(ledger, random);
    await world.step();
    subscribers.push(
      new Subscriber('all', {}, '0'),
      new Subscriber('filtered', { where: someAmounts }, '0'),
      new Subscriber('final', { finality: 'FINALIZED' }, '0'),
      new Subscriber('final and filtered', { finality: 'FINALIZED', where: someAmounts }, '0'),
    );
    for (let i = 0; i < 40; i++) {
      const position = await world.step();
      if (random(4)) doorbell.ring(position);
      if (i === 15) subscribers.push(await pageThenStream(anyApi()));
      const subscriber = subscribers[random(subscribers.length)]!;
      if (random(2)) await subscriber.connect(anyApi(), [1, 2, 3, 100][random(4)]!);
      else if (random(3) === 0) await subscriber.close();
    }
    doorbell.ring(await world.complete());
    const rows = await storedRows(ledger.url);
    for (const subscriber of subscribers) {
      await subscriber.connect(anyApi(), 100);
      await untilEqual(subscriber, rows);
    }
    await resumesFromEveryCursor(ledger, random);
  } finally {
    for (const subscriber of subscribers) await subscriber.close();
    await Promise.all(apis.map((api) => api.close()));
    await ledger.close();
  }
}

async function pageThenStream(url: string): Promise<Subscriber> {
  const { socketBridgeEvents: page } = await askData(
    url,
    'query ($where: SocketBridgeEventWhere) { socketBridgeEvents(where: $where, first: 1000) { asOf nodes { id blockNumber blockHash amount } } }',
    { where: someAmounts },
  );
  const subscriber = new Subscriber('page and stream', { where: someAmounts }, page.asOf);
  for (const node of page.nodes) subscriber.known.set(node.id, content(node));
  return subscriber;
}

/**
 * Nothing is written any more: from each cursor of a stream, another instance gives exactly what followed it. The instances
 * are new: one that was there may still tell a row's earlier version at its earlier position, and then the later one.
 */
async function resumesFromEveryCursor(
  ledger: LedgerFixture,
  random: (below: number) => number,
): Promise<void> {
  const apis = await Promise.all([1, 2].map(() => startTestApi({ database: ledger.database })));
  const [first, second] = apis.map((api) => api.url) as [string, string];
  for (const wants of [{}, { where: someAmounts }, { finality: 'FINALIZED' }] as const) {
    const single = new Follower(first, { ...wants, since: '0', batchSize: 1 });
    const bulk = new Follower(second, { ...wants, since: '0', batchSize: 1000 });
    await until('the same stream from both', () => {
      return bulk.changes.length > 0 && single.changes.length === bulk.changes.length;
    });
    const whole = bulk.changes;
    expect(single.changes).toEqual(whole);
    const cursors = single.messages.filter((message) => message.changes.length);
    for (const at of [0, random(cursors.length), random(cursors.length)]) {
      const batchSize = [1, 2, 100][random(3)]!;
      const resumed = new Follower(second, { ...wants, since: cursors[at]!.cursor, batchSize });
      await until('the rest', () => resumed.changes.length >= whole.length - at - 1);
      expect(resumed.changes).toEqual(whole.slice(at + 1));
      await resumed.close();
    }
    await single.close();
    await bulk.close();
  }
  for (const api of apis) await api.close();
}

test('a subscriber that comes back with any of its cursors, to any instance, gets every change once', async () => {
  await fc.assert(fc.asyncProperty(fc.integer(), run), { numRuns: 10, endOnFailure: true });
}, 600_000);
