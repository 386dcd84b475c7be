import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { renewLease, takeOver } from '#libs/database/ledger.js';
import { ADDRESS, block, CHAIN_ID, hashOf, LedgerFixture, rowName } from './services/ledger-fixture.js';
import { query } from './services/query.js';

let ledger: LedgerFixture;

beforeEach(async () => {
  ledger = await LedgerFixture.create(inject('postgresUrl'));
});
afterEach(() => ledger.close());

/** Leads and states blocks 10 to 12 of branch a, of which 10 is final; transaction t12 is in block 12. */
async function begin(): Promise<number> {
  const { term } = await ledger.lead();
  const blocks = [block(10, 'a'), block(11, 'a', [{ tx: 't11' }]), block(12, 'a', [{ tx: 't12' }])];
  const result = await ledger.apply(term, 1, { above: 9, blocks }, { final: 10, hash: hashOf(10, 'a') });
  expect(result.verdicts).toEqual(['applied', 'applied']);
  return term;
}

test('a zombie leader cannot undo a newer block', async () => {
  const term = await begin();
  const { term: newer } = await ledger.lead();
  await ledger.apply(newer, 1, { above: 12, blocks: [block(13, 'a', [{ tx: 't13' }])] });
  // also where its number would be the next one
  for (const seq of [2, 3]) {
    const zombie = await ledger.apply(term, seq, { above: 11, blocks: [block(12, 'z', [], 'a')] });
    expect(zombie.verdicts).toEqual(['ignored']);
  }
  expect(await ledger.rows()).toEqual([
    rowName('t11', 11, 'a'),
    rowName('t12', 12, 'a'),
    rowName('t13', 13, 'a'),
  ]);
});

test('a repeated statement and one that follows a lost one take no effect', async () => {
  const term = await begin();
  const repeated = await ledger.apply(term, 2, { above: 11, blocks: [block(12, 'b', [], 'a')] });
  const afterGap = await ledger.apply(term, 4, { above: 11, blocks: [block(12, 'b', [], 'a')] });
  expect([repeated.verdicts, afterGap.verdicts]).toEqual([['ignored'], ['ignored']]);
  expect(await ledger.coverage()).toBe('{[10,13)}');
});

test('a reorg marks the rows of the dropped blocks removed and takes back their coverage', async () => {
  const term = await begin();
  await ledger.apply(term, 3, { above: 10, blocks: [block(11, 'b', [{ tx: 'other' }], 'a')] });
  expect(await ledger.rows()).toEqual(
    [rowName('t11', 11, 'a', 1, true), rowName('other', 11, 'b'), rowName('t12', 12, 'a', 1, true)].sort(
      byBlock,
    ),
  );
  expect(await ledger.coverage()).toBe('{[10,12)}');
});

test('a reorg takes back the coverage of every source of the chain, also of those that are not followed now', async () => {
  const term = await begin();
  await query(
    ledger.url,
    `insert into source (chain_id, address, event, start_block, coverage, retired_at)
     select chain_id, '\\xbb', event, start_block, coverage, now() from source`,
  );
  await ledger.apply(term, 3, { above: 11, blocks: [block(12, 'b', [], 'a')] });
  const rows = await query<{ coverage: string }>(
    ledger.url,
    'select coverage::text from source order by retired_at nulls first',
  );
  expect(rows.map(({ coverage }) => coverage)).toEqual(['{[10,13)}', '{[10,12)}']);
});

test('of blocks that are stated again beside new ones, no row is touched', async () => {
  const term = await begin();
  const blocks = [block(11, 'a', [{ tx: 't11' }]), block(12, 'b', [{ tx: 'other' }], 'a')];
  await ledger.apply(term, 3, { above: 10, blocks });
  expect(await ledger.rows()).toEqual(
    [rowName('t11', 11, 'a'), rowName('t12', 12, 'a', 1, true), rowName('other', 12, 'b')].sort(byBlock),
  );
});

test('a transaction that a reorg moves to another block is one row, revived and moved', async () => {
  const term = await begin();
  const blocks = [block(11, 'b', [{ tx: 't12' }], 'a'), block(12, 'b', [{ tx: 't11', index: 0 }])];
  await ledger.apply(term, 3, { above: 10, blocks });
  // removed and revived in one transaction: two touches, one position
  expect(await ledger.rows()).toEqual([rowName('t12', 11, 'b', 2), rowName('t11', 12, 'b', 2)]);
});

test('blocks stated again with the same content touch no row and take no position', async () => {
  const term = await begin();
  const again = [block(11, 'a', [{ tx: 't11' }]), block(12, 'a', [{ tx: 't12' }])];
  const result = await ledger.apply(term, 3, { above: 10, blocks: again });
  expect(result).toMatchObject({ verdicts: ['applied'], touched: [], position: null });
});

test('what stands on the last of the blocks that are stated again stays, with its rows and its coverage', async () => {
  const term = await begin();
  const result = await ledger.apply(term, 3, { above: 10, blocks: [block(11, 'a', [{ tx: 't11' }])] });
  expect(result).toMatchObject({ verdicts: ['applied'], touched: [], position: null });
  expect(await ledger.rows()).toEqual([rowName('t11', 11, 'a'), rowName('t12', 12, 'a')]);
  expect(await ledger.coverage()).toBe('{[10,13)}');
  const other = await ledger.apply(term, 4, { above: 10, blocks: [block(11, 'b', [], 'a')] });
  expect(other.touched).toMatchObject([{ added: 0, removed: 2 }]);
  expect(await ledger.coverage()).toBe('{[10,12)}');
});

test('blocks that are no child of the stored chain, or reach below finality, are refused', async () => {
  const term = await begin();
  const stranger = await ledger.apply(term, 3, { above: 12, blocks: [block(13, 'x')] });
  const tooDeep = await ledger.apply(term, 3, { above: 9, blocks: [block(10, 'b', [], 'a')] });
  expect([stranger.verdicts, tooDeep.verdicts]).toEqual([['refused'], ['refused']]);
  const next = await ledger.apply(term, 3, { above: 12, blocks: [block(13, 'a')] });
  expect(next.verdicts).toEqual(['applied']);
});

test('news leaves a row that another block holds, and keeps the claim as conflicting', async () => {
  const term = await begin();
  const result = await ledger.apply(term, 3, { above: 12, blocks: [block(13, 'a', [{ tx: 't12' }])] });
  expect(result.conflicts).toBe(1);
  expect(await ledger.rows()).toEqual([rowName('t11', 11, 'a'), rowName('t12', 12, 'a')]);
  const kept = await query<{ n: string }>(ledger.url, 'select block_number as n from conflicting_log');
  expect(kept.map((k) => Number(k.n))).toEqual([13]);
});

test('history moves a row that another block holds: final wins', async () => {
  await begin();
  await ledger.history(9, 10, [block(10, 'a', [{ tx: 't12' }])]);
  expect(await ledger.rows()).toEqual([rowName('t12', 10, 'a', 1), rowName('t11', 11, 'a')]);
});

test('history stored twice stores nothing twice, and a changed content is never dropped', async () => {
  const { position } = await (async () => {
    await begin();
    await ledger.history(1, 5, [block(3, 'a', [{ tx: 't3' }, { tx: 't3', index: 1 }])]);
    return ledger.history(1, 5, [block(3, 'a', [{ tx: 't3' }, { tx: 't3', index: 1 }])]);
  })();
  expect(position).toBeNull();
  await ledger.history(1, 5, [block(3, 'a', [{ tx: 't3', amount: 2n }])]);
  const rows = await query<{ amount: string }>(
    ledger.url,
    'select amount from socket_bridge_event where block_number = 3 order by log_index',
  );
  expect(rows.map((r) => r.amount)).toEqual(['2', '1']);
});

test('finality takes effect only upwards and only for a block that is held with that hash', async () => {
  const term = await begin();
  await ledger.apply(term, 3, { final: 11, hash: hashOf(11, 'x') });
  expect(await finalized()).toBe(10);
  await ledger.apply(term, 4, { final: 12, hash: hashOf(12, 'a') });
  await ledger.apply(term, 5, { final: 11, hash: hashOf(11, 'a') });
  expect(await finalized()).toBe(12);
});

test('the stored segment stands on its final block', async () => {
  const term = await begin();
  await ledger.apply(term, 3, { final: 11, hash: hashOf(11, 'a') });
  expect([...(await ledger.lead()).segment.keys()]).toEqual([11, 12]);
});

test('a jump over a gap covers only what it states, and drops a dead branch below it', async () => {
  await begin();
  const { term } = await ledger.lead();
  await ledger.apply(
    term,
    1,
    { above: 11, blocks: [block(50, 'b'), block(51, 'b')] },
    { final: 50, hash: hashOf(50, 'b') },
  );
  expect(await ledger.coverage()).toBe('{[10,12),[50,52)}');
  expect(await ledger.rows()).toEqual([rowName('t11', 11, 'a'), rowName('t12', 12, 'a', 1, true)]);
  const [chain] = await query<{ last: string | null }>(
    ledger.url,
    'select last_processed_block as last from chain',
  );
  expect(chain!.last).toBeNull();
});

test('positions of the commit log are dense and in commit order under concurrent workers', async () => {
  await ledger.lead();
  const ranges = Array.from({ length: 40 }, (_, i) => i * 10 + 1);
  await Promise.all(
    ranges.map((from) => ledger.history(from, from + 9, [block(from, 'a', [{ tx: `t${from}` }])])),
  );
  const rows = await query<{ position: string }>(
    ledger.url,
    'select position from feed_commit order by position',
  );
  expect(rows.map((r) => Number(r.position))).toEqual(ranges.map((_, i) => i + 1));
  expect(await ledger.coverage()).toBe('{[1,401)}');
  const [chain] = await query<{ last: string }>(ledger.url, 'select last_processed_block as last from chain');
  expect(Number(chain!.last)).toBe(400);
});

test('a new leader is told which unfinalized blocks have no rows of its own contracts', async () => {
  await begin();
  const emptyFor = async (address: string) => {
    await query(ledger.url, "update chain_lane set expires_at = '-infinity'");
    const sources = [{ address, event: 'SocketBridge', startBlock: 1 }];
    const taken = await takeOver(ledger.database, {
      chainId: CHAIN_ID,
      chainName: 'Test',
      holder: address,
      sources,
    });
    return taken!.emptyHeights;
  };
  expect(await emptyFor(ADDRESS)).toEqual([]);
  expect(await emptyFor(`0x${'bb'.repeat(20)}`)).toEqual([11, 12]);
});

test('one fetcher leads at a time; a lease that has ended is taken over with a higher term', async () => {
  const claim = (holder: string, ownTerm?: number) =>
    takeOver(ledger.database, {
      chainId: CHAIN_ID,
      chainName: 'Test',
      holder,
      sources: [{ address: ADDRESS, event: 'SocketBridge', startBlock: 1 }],
      ownTerm,
    });
  const first = await claim('first');
  expect(await claim('second')).toBeNull();
  await query(ledger.url, "update chain_lane set expires_at = '-infinity'");
  const second = await claim('second');
  expect(second!.term).toBe(first!.term + 1);
  expect(await claim('first', first!.term)).toBeNull();
  const lead = { chainId: CHAIN_ID, holder: 'first', term: first!.term };
  expect(await renewLease(ledger.database.statements, lead)).toBeNull();
});

async function finalized(): Promise<number> {
  const [row] = await query<{ n: string }>(ledger.url, 'select finalized_block as n from chain');
  return Number(row!.n);
}

/** The order of `LedgerFixture.rows` within one height is the key's. */
function byBlock(a: string, b: string): number {
  const height = (name: string) => Number(/@(\d\d)/.exec(name)![1]);
  return height(a) - height(b) || (a < b ? -1 : 1);
}
