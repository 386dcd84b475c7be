import fc from 'fast-check';
import { Client, type QueryResultRow } from 'pg';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { type CoverageChange, changeCoverage, updateLastProcessed } from '#libs/database/coverage.js';
import {
  type BlockRanges,
  multirangeLiteral,
  parseMultirange,
} from '#libs/database/entities/multirange-type.js';
import { LedgerFixture } from './services/ledger-fixture.js';

let ledger: LedgerFixture;
let client: Client;

beforeAll(async () => {
  ledger = await LedgerFixture.create(inject('postgresUrl'));
  client = new Client({ connectionString: ledger.url });
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await ledger.close();
});

async function query<T extends QueryResultRow>(
  statement: string,
  values: readonly unknown[] = [],
): Promise<T[]> {
  return (await client.query<T>(statement, [...values])).rows;
}

const TOP = 30;
const block = fc.integer({ min: 0, max: TOP });
/** Half-open ranges in any order, overlapping or touching as they come. */
const ranges = fc.array(
  fc.tuple(block, fc.integer({ min: 1, max: 8 })).map(([from, length]) => [from, from + length] as const),
  { maxLength: 3 },
);
const sources = fc.array(
  fc.record({
    chainId: fc.constantFrom(1, 2),
    startBlock: fc.integer({ min: 0, max: 12 }),
    retired: fc.boolean(),
  }),
  { minLength: 1, maxLength: 4 },
);
const change = fc.record({
  chainId: fc.constantFrom(1, 2),
  dropped: fc.oneof(fc.constant([] as BlockRanges), ranges),
  gained: ranges,
  of: fc.nat(15),
  liveFrom: fc.option(block, { nil: undefined }),
});
const transactions = fc.array(fc.array(change, { minLength: 1, maxLength: 4 }), { maxLength: 5 });

interface PlainSource {
  readonly chainId: number;
  readonly address: string;
  readonly startBlock: number;
  readonly retired: boolean;
  readonly blocks: Set<number>;
  liveFrom: number | null;
}

const blocksOf = (list: BlockRanges) =>
  list.flatMap(([from, to]) => Array.from({ length: to - from }, (_, i) => from + i));

/** What a change does to coverage, said plainly. */
function applyPlainly(
  plain: readonly PlainSource[],
  { chainId, dropped, gained, sources: stated, liveFrom }: CoverageChange,
): void {
  for (const source of plain.filter((s) => s.chainId === chainId)) {
    for (const n of blocksOf(dropped)) source.blocks.delete(n);
    if (!stated.some((s) => s.address === source.address)) continue;
    for (const n of blocksOf(gained)) source.blocks.add(n);
    source.liveFrom ??= liveFrom ?? null;
  }
}

/** The lowest end, over the wanted sources, of the part without holes that begins at the start block; null: no block. */
function lastProcessed(plain: readonly PlainSource[], chainId: number): number | null {
  const wanted = plain.filter((s) => s.chainId === chainId && !s.retired);
  const ends = wanted.map(({ startBlock, blocks }) => {
    let end = startBlock - 1;
    while (blocks.has(end + 1)) end++;
    return end;
  });
  const none = Math.min(...wanted.map((s) => s.startBlock)) - 1;
  return Math.min(...ends) > none && wanted.length ? Math.min(...ends) : null;
}

async function prepare(plain: readonly PlainSource[]): Promise<void> {
  await query('delete from source');
  await query('delete from chain');
  await query("insert into chain (chain_id, name) values (1, 'One'), (2, 'Two')");
  for (const { chainId, address, startBlock, retired } of plain) {
    await query(
      `insert into source (chain_id, address, event, start_block, retired_at)
       values ($1, decode($2, 'hex'), 'E', $3, case when $4 then now() end)`,
      [chainId, address.slice(2), startBlock, retired],
    );
  }
}

async function stored(): Promise<{ sources: unknown[]; last: unknown }> {
  const rows = await query<{ address: string; coverage: string; live_from: string | null }>(
    `select '0x' || encode(address, 'hex') as address, coverage::text as coverage, live_from from source order by address`,
  );
  const chains = await query<{ chain_id: string; last: string | null }>(
    'select chain_id, last_processed_block as last from chain order by chain_id',
  );
  const number = (text: string | null) => (text === null ? null : Number(text));
  return {
    sources: rows.map((r) => ({
      address: r.address,
      blocks: blocksOf(parseMultirange(r.coverage)),
      liveFrom: number(r.live_from),
    })),
    last: chains.map((c) => number(c.last)),
  };
}

test('coverage and last processed block are what counting block by block says, after any changes in any grouping', async () => {
  await fc.assert(
    fc.asyncProperty(sources, transactions, async (given, list) => {
      const plain = given.map((s, i): PlainSource => {
        return { ...s, address: `0x${String(i + 1).padStart(40, '0')}`, blocks: new Set(), liveFrom: null };
      });
      await prepare(plain);
      for (const drawn of list) {
        const changes = drawn.map(({ of, ...rest }): CoverageChange => {
          // the bits of `of` say which sources it is for; one of another chain is nobody's
          const stated = plain
            .filter((_, i) => (of >> i) & 1)
            .map(({ address }) => ({ address, event: 'E' }));
          return { ...rest, sources: stated };
        });
        await ledger.database.transaction((tx) => changeCoverage(tx, changes));
        for (const one of changes) applyPlainly(plain, one);
      }
      await ledger.database.transaction((tx) => updateLastProcessed(tx, [1, 2]));
      expect(await stored()).toEqual({
        sources: plain.map(({ address, blocks, liveFrom }) => {
          return { address, blocks: [...blocks].sort((a, b) => a - b), liveFrom };
        }),
        last: [lastProcessed(plain, 1), lastProcessed(plain, 2)],
      });
    }),
    { numRuns: 60 },
  );
});

test('a multirange is read as Postgres writes it, and written as Postgres reads it', async () => {
  const list = fc.array(ranges, { minLength: 1, maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(list, async (given) => {
      const rows = await query<{ coverage: string }>(
        'select r::int8multirange::text as coverage from unnest($1::text[]) with ordinality as u(r, i) order by i',
        [given.map(multirangeLiteral)],
      );
      for (const [i, { coverage }] of rows.entries()) {
        const expected = [...new Set(blocksOf(given[i]!))].sort((a, b) => a - b);
        expect(blocksOf(parseMultirange(coverage))).toEqual(expected);
        expect(multirangeLiteral(parseMultirange(coverage))).toBe(coverage);
      }
    }),
    { numRuns: 20 },
  );
});
