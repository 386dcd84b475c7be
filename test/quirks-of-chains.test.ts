import { afterEach, describe, expect, inject, test } from 'vitest';
import { Faults } from '#apps/devchain/faults.js';
import { type Branch, BuiltChain, buildChain, extend, forkAt } from './services/built-chain.js';
import { FollowedChain, type FollowOptions } from './services/followed-chain.js';
import { query } from './services/query.js';

/*
 * What chains put into their blocks that Ethereum doesn't (the table in docs/quirks.md): through the real fetcher and worker, in
 * the history (blocks up to 40) as well as in the news, and through a reorg.
 */

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const HEAD = 60;
const FINALITY = 20;
type Events = NonNullable<Parameters<typeof buildChain>[1]>[number];

async function follow(branch: Branch, options: Omit<FollowOptions, 'chain'> = {}) {
  const chain = new BuiltChain(branch, 77, FINALITY);
  const followed = await FollowedChain.start(inject('postgresUrl'), { chain, ...options });
  closing.push(() => followed.close());
  return { chain, followed };
}

/** Follows a chain with these events in three final blocks and three others; then a reorg puts them into other blocks. */
async function expectFollowed(
  events: (height: number) => Events,
  headers: Parameters<typeof buildChain>[2] = {},
  options: Omit<FollowOptions, 'chain'> = {},
): Promise<FollowedChain> {
  const at = (...heights: number[]) => Object.fromEntries(heights.map((n) => [n, events(n)]));
  const main = buildChain(HEAD, at(11, 12, 30, 45, 46, 58), headers);
  const { chain, followed } = await follow(main, options);
  const each = events(1).length;
  expect(await followed.expectTableEqualsChain()).toBe(6 * each);
  chain.become(extend(forkAt(main, 45), 18, at(47, 50, 63)));
  expect(await followed.expectTableEqualsChain()).toBe(7 * each);
  expect(await query(followed.databaseUrl, 'select * from conflicting_log')).toEqual([]);
  return followed;
}

describe('the table equals a chain', () => {
  test('whose log indexes count per transaction, so that one block has an index twice', async () => {
    await expectFollowed((n) => [
      { tx: `a${n}`, logIndex: 0 },
      { tx: `b${n}`, logIndex: 0 },
      { tx: `b${n}`, logIndex: 1 },
    ]);
  });

  test('whose blocks have logs of their own under the block’s hash for a transaction', async () => {
    await expectFollowed((n) => [{ tx: `${n}`, txHash: 'block' }, { tx: `${n} too` }]);
  });

  test('whose blocks have logs without a transaction: each has a row, under its block’s hash', async () => {
    const followed = await expectFollowed(() => [
      { tx: 'none', txHash: 'zero' },
      { tx: 'none', txHash: 'zero' },
    ]);
    const rows = await query(
      followed.databaseUrl,
      'select 1 from socket_bridge_event where tx_hash <> block_hash',
    );
    expect(rows).toEqual([]);
  });

  test('whose blocks share timestamps: rows are in order of blocks, not of times', async () => {
    const followed = await expectFollowed((n) => [{ tx: `${n}` }], {
      timeOf: (n) => 1_700_000_000 + Math.floor(n / 16),
    });
    const [shared] = await query<{ n: string }>(
      followed.databaseUrl,
      'select count(distinct block_number) as n from socket_bridge_event where not removed group by block_timestamp order by 1 desc limit 1',
    );
    expect(Number(shared!.n)).toBeGreaterThan(1);
  });

  test('whose times jump, so that no time follows from a height', async () => {
    await expectFollowed((n) => [{ tx: `${n}` }], {
      timeOf: (n) => 1_600_000_000 + n * n * 1_000 - (n % 2) * 900,
    });
  });

  test.each(['zero', 'full'] as const)(
    'whose blooms are %s: nothing is concluded from them',
    async (bloom) => {
      await expectFollowed((n) => [{ tx: `${n}` }], { bloom });
    },
  );

  test('whose blooms leave logs out, where the chain list says that they do', async () => {
    await expectFollowed(
      (n) => [{ tx: `${n}` }],
      { bloom: 'other' },
      { config: { bloomProvesAbsence: false } },
    );
  });

  test('that has more than one of these at once, read from a node that gives logs no times', async () => {
    await expectFollowed(
      (n) => [
        { tx: `${n}`, txHash: 'block' },
        { tx: `a${n}`, logIndex: 0 },
        { tx: `b${n}`, logIndex: 0, toChainId: 2n ** 256n - 1n, amount: 2n ** 256n - 1n },
      ],
      { bloom: 'zero', timeOf: (n) => 1_700_000_000 + Math.floor(n / 4) },
      { endpoints: [{ logTimestamps: false, maxRange: 7, maxBatch: 5 }] },
    );
  });
});

test.each(['zero', 'full'] as const)(
  'where blooms are %s and the node’s log index is late, no event is missed once its block is final',
  async (bloom) => {
    const faults = new Faults('late', { lagging_index: 1 }, { maxLag: 10 });
    const heights = Array.from({ length: 20 }, (_, i) => 41 + i);
    const contents = Object.fromEntries(heights.map((n) => [n, [{ tx: `t${n}` }]]));
    const main = buildChain(HEAD, contents, { bloom });
    const { chain, followed } = await follow(main, { endpoints: [{ faults }] });
    await followed.untilTipFollowed();
    expect(faults.counts.get('lagging_index')).toBeGreaterThan(0);
    faults.rates = {};
    // now the blocks that were taken for empty become final
    chain.become(extend(main, FINALITY + 1));
    await followed.untilFinalized(HEAD + 1);
    expect(await followed.expectTableEqualsChain()).toBe(20);
  },
);
