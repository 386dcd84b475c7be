import fc from 'fast-check';
import { Client, type QueryResultRow } from 'pg';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { type CoverageChange, changeCoverage, updateLastProcessed } from '#libs/database/coverage.js';
import {
  type BlockRanges,
  multirangeLiteral,
  parseMultirange,
} from '#libs/database/entities/multirange-type.js';
import { takeOver } from '#libs/database/ledger.js';
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
    countedFrom: fc.option(fc.integer({ min: 0, max: 12 })),
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
  countedFrom: number | null;
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

/** End of the part without holes that begins at a block. */
function endOfPart({ blocks }: PlainSource, from: number): number {
  let end = from - 1;
  while (blocks.has(end + 1)) end++;
  return end;
}

/** The lowest end, over the wanted sources that count, of the part without holes from where each counts; null: no block. */
function lastProcessed(plain: readonly PlainSource[], chainId: number): number | null {
  const counted = plain.filter((s) => s.chainId === chainId && !s.retired && s.countedFrom !== null);
  if (!counted.length) return null;
  const end = Math.min(...counted.map((s) => endOfPart(s, s.countedFrom!)));
  return end < Math.min(...counted.map((s) => s.countedFrom!)) ? null : end;
}

/** From now on those count, from their start blocks, that don't take the chain's value back. */
function count(plain: readonly PlainSource[], chainId: number): void {
  const last = lastProcessed(plain, chainId) ?? Number.NEGATIVE_INFINITY;
  for (const source of plain)
    if (source.chainId === chainId && !source.retired && endOfPart(source, source.startBlock) >= last)
      source.countedFrom = source.startBlock;
}

const addressOf = (i: number) => `0x${String(i + 1).padStart(40, '0')}`;

async function prepare(plain: readonly PlainSource[]): Promise<void> {
  await query('delete from source');
  await query('delete from chain');
  await query("insert into chain (chain_id, name) values (1, 'One'), (2, 'Two')");
  for (const { chainId, address, startBlock, retired, countedFrom } of plain) {
    await query(
      `insert into source (chain_id, address, event, start_block, retired_at, counted_from)
       values ($1, decode($2, 'hex'), 'E', $3, case when $4 then now() end, $5)`,
      [chainId, address.slice(2), startBlock, retired, countedFrom],
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
        const countedFrom = s.retired ? null : s.countedFrom;
        return { ...s, countedFrom, address: addressOf(i), blocks: new Set(), liveFrom: null };
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
        for (const chainId of new Set(changes.map((one) => one.chainId))) count(plain, chainId);
      }
      await ledger.database.transaction((tx) => updateLastProcessed(tx, [1, 2]));
      for (const chainId of [1, 2]) count(plain, chainId);
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

const operation = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('gain' as const), ranges, of: fc.nat(7) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('drop' as const), ranges }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('configure' as const),
      of: fc.integer({ min: 1, max: 7 }),
      startBlock: fc.nat(12),
    }),
  },
);
type Operation = typeof operation extends fc.Arbitrary<infer O> ? O : never;

interface CountedRow extends QueryResultRow {
  readonly address: string;
  readonly start_block: string;
  readonly counted_from: string | null;
  readonly coverage: string;
}

/** Chain 1 as it is stored now: its value, and its wanted sources. */
async function chainOne() {
  const [chain] = await query<{ last: string | null }>(
    'select last_processed_block as last from chain where chain_id = 1',
  );
  const rows = await query<CountedRow>(
    `select encode(address, 'hex') as address, start_block, counted_from, coverage::text as coverage
     from source where retired_at is null order by id`,
  );
  const counted = rows
    .filter((row) => row.counted_from !== null)
    .map((row) => ({
      address: row.address,
      from: Number(row.counted_from),
      blocks: new Set(blocksOf(parseMultirange(row.coverage))),
    }));
  const starts = new Map(rows.map((row) => [row.address, Number(row.start_block)]));
  return {
    last: chain && chain.last !== null ? Number(chain.last) : null,
    counted,
    starts,
    wanted: rows.length,
  };
}

function expectStored({ last, counted, wanted }: Awaited<ReturnType<typeof chainOne>>): void {
  expect(counted.length > 0).toBe(wanted > 0);
  for (const { from, blocks } of counted)
    for (let n = from; n <= (last ?? -1); n++) expect(blocks).toContain(n);
}

/** Does one thing to chain 1. A start block is never raised: what counted before may not be wanted any more then. */
async function operate(one: Operation, starts: ReadonlyMap<string, number>): Promise<void> {
  const stated = (of: number) =>
    [0, 1, 2].filter((i) => (of >> i) & 1).map((i) => ({ address: addressOf(i), event: 'E' }));
  if (one.kind !== 'configure') {
    const [dropped, gained] = one.kind === 'drop' ? [one.ranges, []] : [[], one.ranges];
    const sources = one.kind === 'gain' ? stated(one.of) : [];
    await ledger.database.transaction((tx) => changeCoverage(tx, [{ chainId: 1, dropped, gained, sources }]));
    return;
  }
  await query("update chain_lane set expires_at = '-infinity'");
  const sources = stated(one.of).map((source) => {
    return {
      ...source,
      startBlock: Math.min(one.startBlock, starts.get(source.address.slice(2)) ?? one.startBlock),
    };
  });
  await takeOver(ledger.database, { chainId: 1, chainName: 'One', holder: 'test', sources });
}

test('the last processed block is never ahead of what is stored, and goes back only by blocks that are dropped, whatever is added, removed or moved', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 14 }), async (operations) => {
      await prepare([]);
      let before = await chainOne();
      for (const one of operations) {
        await operate(one, before.starts);
        const now = await chainOne();
        expectStored(now);
        // one that has nothing stored up to there has nothing to hold it by when the others leave
        const remain = before.counted.some(
          ({ address, from }) => from <= (before.last ?? -1) && now.starts.has(address),
        );
        if (one.kind !== 'drop' && remain) expect(now.last ?? -1).toBeGreaterThanOrEqual(before.last ?? -1);
        before = now;
      }
    }),
    { numRuns: 100 },
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
