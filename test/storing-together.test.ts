import { Client } from 'pg';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { block, hashOf, LedgerFixture, rowName } from './services/ledger-fixture.js';
import { query } from './services/query.js';
import { until } from './services/until.js';

let ledger: LedgerFixture;
const clients: Client[] = [];

beforeEach(async () => {
  ledger = await LedgerFixture.create(inject('postgresUrl'));
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.end()));
  await ledger.close();
});

/** A session of its own in an open transaction that holds what `statement` locks. */
async function holding(statement: string): Promise<Client> {
  const client = new Client({ connectionString: ledger.url });
  clients.push(client);
  await client.connect();
  await client.query('begin');
  await client.query(statement);
  return client;
}

/** Leads and states blocks 10 (final) to 12 of branch a, with a transaction in block 12. */
async function begin(): Promise<number> {
  const { term } = await ledger.lead();
  const blocks = [block(10, 'a'), block(11, 'a'), block(12, 'a', [{ tx: 't12' }])];
  await ledger.apply(term, 1, { above: 9, blocks }, { final: 10, hash: hashOf(10, 'a') });
  return term;
}

/** Number of the product's sessions that wait for a lock. */
async function waiting(): Promise<number> {
  const [row] = await query<{ n: string }>(
    ledger.url,
    `select count(*) as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
  );
  return Number(row!.n);
}

test('a statement that fails at the very end leaves neither rows nor coverage nor progress', async () => {
  const term = await begin();
  const before = [await ledger.rows(), await ledger.coverage()];
  await query(ledger.url, 'alter table feed_commit rename to hidden');
  await expect(ledger.history(1, 5, [block(3, 'a', [{ tx: 't3' }])])).rejects.toThrow(/feed_commit/);
  const next = { above: 12, blocks: [block(13, 'a', [{ tx: 't13' }])] };
  await expect(ledger.apply(term, 3, next)).rejects.toThrow(/feed_commit/);
  expect([await ledger.rows(), await ledger.coverage()]).toEqual(before);
  await query(ledger.url, 'alter table hidden rename to feed_commit');
  // the same statement is still the next one
  expect((await ledger.apply(term, 3, next)).verdicts).toEqual(['applied']);
});

test('history that states a block whose row a reorg is just removing waits for it, and the row is there in the end', async () => {
  const term = await begin();
  const counter = await holding('select * from feed_counter for update');
  const reorg = ledger.apply(term, 3, { above: 11, blocks: [block(12, 'b', [], 'a')] });
  await until('the reorg to be about to commit', async () => (await waiting()) === 1);
  const history = ledger.history(11, 12, [block(12, 'a', [{ tx: 't12' }])]);
  await until('history to wait, too', async () => (await waiting()) === 2);
  await counter.query('commit');
  await Promise.all([reorg, history]);
  expect(await ledger.coverage()).toBe('{[10,13)}');
  // removed by the reorg, and then there again
  expect(await ledger.rows()).toEqual([rowName('t12', 12, 'a', 2)]);
});

test('a position is never seen before the rows that it tells of', async () => {
  await begin();
  // the commit itself takes a moment
  await query(
    ledger.url,
    `create function slow() returns trigger language plpgsql as 'begin perform pg_sleep(1); return null; end';
     create constraint trigger slow after insert on socket_bridge_event deferrable initially deferred
       for each row execute function slow()`,
  );
  const positions =
    'select count(*) as n from feed_commit f where kind = $1 and not exists (select 1 from socket_bridge_event e where e.write_id = f.write_id)';
  const storing = ledger.history(1, 5, [block(3, 'a', [{ tx: 't3' }])]);
  let isStored = false;
  void storing.then(() => {
    isStored = true;
  });
  const seen = await until('the commit', async () => {
    const [row] = await query<{ n: string }>(ledger.url, positions, ['write']);
    return Number(row!.n) > 0 ? 'a position without rows' : isStored && 'none without';
  });
  expect(seen).toBe('none without');
  await storing;
});
