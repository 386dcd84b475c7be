import { id } from 'ethers';
import { Client } from 'pg';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { conditionOf } from '#apps/api/reads/chain-condition.js';
import { Findings } from '#apps/verify/findings.js';
import { Verification } from '#apps/verify/verification.js';
import type { ChainClient } from '#libs/chain/chain-client.js';
import { chainStatuses } from '#libs/database/chain-status.js';
import { keepLogs } from '#libs/database/kept-logs.js';
import { repairRange } from '#libs/database/repair-range.js';
import { takeBackFinality } from '#libs/database/take-back-finality.js';
import { forgetVerified, recordedFinality, rememberVerified } from '#libs/database/verified.js';
import { ProgressLine } from '#libs/telemetry/progress-line.js';
import {
  ADDRESS,
  block,
  CHAIN_ID,
  chainLog,
  hashOf,
  LedgerFixture,
  rowName,
} from './services/ledger-fixture.js';
import { query } from './services/query.js';
import { until } from './services/until.js';

let ledger: LedgerFixture;

beforeEach(async () => {
  ledger = await LedgerFixture.create(inject('postgresUrl'));
});
afterEach(() => ledger.close());

const source = { address: ADDRESS, event: 'SocketBridge' };
const one = async (statement: string) =>
  (await query<{ v: string }>(ledger.url, `select (${statement})::text as v`))[0]!.v;

/** Leads, states blocks 10 to 12 of branch a, of which 12 is final, and stores history below. */
async function begin(): Promise<number> {
  const { term } = await ledger.lead();
  const blocks = [block(10, 'a'), block(11, 'a', [{ tx: 't11' }]), block(12, 'a', [{ tx: 't12' }])];
  await ledger.apply(term, 1, { above: 9, blocks }, { final: 12, hash: hashOf(12, 'a') });
  await ledger.history(1, 9, [block(5, 'a', [{ tx: 't5' }])]);
  return term;
}

/** Takes finality back to block 5, as `npm run repair` does. */
async function takeBack() {
  const from = (await recordedFinality(ledger.database.statements, CHAIN_ID))!;
  const { hash, parentHash, timestamp } = block(5, 'a');
  return takeBackFinality(ledger.database, {
    chainId: CHAIN_ID,
    from,
    to: { number: 5, hash, parentHash, timestamp },
  });
}

test.each(['amount = amount + 1', "bridge = 'other'", "data = data || '\\x00'", 'block_timestamp = now()'])(
  'history stored again repairs a final row whose block is the same (%s), and touches no equal one',
  async (change) => {
    await begin();
    await ledger.history(6, 6, [block(6, 'a', [{ tx: 't6' }])]);
    const right = await one(
      "select jsonb_agg(to_jsonb(e) - array['revision', 'write_id'] order by tx_hash) from socket_bridge_event e",
    );
    await query(ledger.url, `update socket_bridge_event set ${change} where block_number = 5`);
    const result = await ledger.history(1, 9, [block(5, 'a', [{ tx: 't5' }]), block(6, 'a', [{ tx: 't6' }])]);
    expect(result.touched).toMatchObject([{ added: 1 }]);
    expect(
      await one(
        "select jsonb_agg(to_jsonb(e) - array['revision', 'write_id'] order by tx_hash) from socket_bridge_event e",
      ),
    ).toBe(right);
    expect((await ledger.rows()).filter((row) => row.includes(' r1'))).toEqual([rowName('t5', 5, 'a', 1)]);
  },
);

test('a log that was kept aside is forgotten once history stores it as a row, and no other', async () => {
  await begin();
  const kept = (tx: string, number: number, branch: string) => ({
    chainId: CHAIN_ID,
    event: source.event,
    log: chainLog({ tx }, number, hashOf(number, branch)),
    reason: 'words',
  });
  const logs = [kept('t5', 5, 'a'), kept('t5', 5, 'b'), kept('t6', 6, 'a')];
  await ledger.database.transaction(async (tx) => {
    await keepLogs(tx, 'undecodable_log', logs);
    await keepLogs(tx, 'conflicting_log', logs);
  });
  await ledger.history(1, 9, [block(5, 'a', [{ tx: 't5' }])]);
  const left = await query(
    ledger.url,
    `select '0x' || encode(block_hash, 'hex') as hash from undecodable_log
     union all select '0x' || encode(block_hash, 'hex') from conflicting_log`,
  );
  const [other, unstored] = [{ hash: hashOf(5, 'b') }, { hash: hashOf(6, 'a') }];
  expect(left).toHaveLength(4);
  expect(left).toEqual(expect.arrayContaining([other, unstored, other, unstored]));
});

test('a row that was seen in a wrong place, and is back in its own by the time of the repair, is not marked removed', async () => {
  await begin();
  await ledger.history(6, 6, [block(6, 'a', [{ tx: 't6' }])]);
  await query(ledger.url, 'update socket_bridge_event set block_number = 8 where block_number in (5, 6)');
  const extra = [5, 6].map((n) => {
    return { event: source.event, txHash: id(`t${n}`), logIndex: 0, blockHash: hashOf(n, 'a') };
  });
  await ledger.history(5, 5, [block(5, 'a', [{ tx: 't5' }])]);
  const repair = { chainId: CHAIN_ID, sources: [source], from: 7, to: 9, extra };
  expect(await repairRange(ledger.database, repair)).toMatchObject({ removed: 1 });
  const low = (await ledger.rows()).slice(0, 2);
  expect(low).toEqual([rowName('t5', 5, 'a', 1), rowName('t6', 6, 'a', 1, true).replace('@6', '@8')]);
});

test('taking finality back drops what lies above it in one commit that subscribers can follow', async () => {
  await begin();
  const done = await takeBack();
  expect(done).toMatchObject({ removed: 2 });
  expect(await ledger.rows()).toEqual([
    rowName('t5', 5, 'a'),
    rowName('t11', 11, 'a', 1, true),
    rowName('t12', 12, 'a', 1, true),
  ]);
  expect(await ledger.coverage()).toBe('{[1,6)}');
  const log = await query(
    ledger.url,
    'select kind, rows_removed, from_block, to_block from feed_commit order by position desc limit 2',
  );
  expect(log).toEqual([
    { kind: 'finality', rows_removed: 0, from_block: '12', to_block: '5' },
    { kind: 'write', rows_removed: 2, from_block: null, to_block: null },
  ]);
  expect(await one('select array_agg(number) from block')).toBe('{5}');
  expect(await one('select array[finalized_block, last_processed_block] from chain')).toBe('{5,5}');
});

test('what was said before finality was taken back is void: news by their term, history too', async () => {
  const term = await begin();
  await takeBack();
  const news = await ledger.apply(term, 3, { above: 12, blocks: [block(13, 'a')] });
  expect(news.verdicts).toEqual(['ignored']);
  const stale = await ledger.history(6, 12, [block(11, 'a', [{ tx: 't11' }])], term);
  expect(stale).toMatchObject({ voided: 1, touched: [], position: null });
  expect(await ledger.coverage()).toBe('{[1,6)}');
  const { term: next } = await ledger.lead();
  expect(next).toBe(term + 2);
  const fresh = await ledger.history(6, 12, [block(11, 'b', [{ tx: 't11' }])], next);
  expect(fresh).toMatchObject({ voided: 0, touched: [{ added: 1 }] });
  expect(await ledger.rows()).toContain(rowName('t11', 11, 'b', 2));
});

test('finality is taken back only between transactions that store history', async () => {
  await begin();
  await query(
    ledger.url,
    `create function slow() returns trigger language plpgsql as
    $$ begin perform pg_advisory_xact_lock(4711); return new; end $$`,
  );
  await query(
    ledger.url,
    'create trigger slow before insert on socket_bridge_event for each row execute function slow()',
  );
  // a worker that stores stale history stands in the middle of its transaction
  const client = new Client({ connectionString: ledger.url });
  await client.connect();
  await client.query('begin; select pg_advisory_xact_lock(4711)');
  const storing = ledger.history(8, 8, [block(8, 'a', [{ tx: 't8' }])]);
  await until(
    'the worker to stand still',
    async () =>
      (await one("select count(*) from pg_locks where locktype = 'advisory' and not granted")) === '1',
  );
  const repairing = takeBack();
  await until(
    'the repair to wait for it',
    async () =>
      (await one("select count(*) from pg_locks where locktype = 'advisory' and not granted")) === '2',
  );
  await client.query('commit');
  await client.end();
  await Promise.all([storing, repairing]);
  expect(await ledger.rows()).toContain(rowName('t8', 8, 'a', 1, true));
});

test('nothing is taken back when another block is final by now', async () => {
  await begin();
  const from = { number: 12, hash: hashOf(12, 'other') };
  expect(await takeBackFinality(ledger.database, { chainId: CHAIN_ID, from, to: null })).toBeNull();
  expect(await ledger.coverage()).toBe('{[1,13)}');
});

test('verifying ends with the reason when finality is taken back below it meanwhile', async () => {
  await begin();
  const finality = (await recordedFinality(ledger.database.statements, CHAIN_ID))!;
  const client = {
    async use() {
      await takeBack();
      return { to: 12, logs: [] };
    },
  } as unknown as ChainClient;
  const progress = new ProgressLine(process.stderr);
  const { signal: stop } = new AbortController();
  const findings = new Findings(process.stdout, progress);
  const { database } = ledger;
  const parts = { chainId: CHAIN_ID, client, database, finality, findings, progress, stop };
  await expect(new Verification(parts).run(1, 12, { repair: false })).rejects.toThrow(
    'chain 7: finality was taken back to block 5, below block 12, which is to be verified: verify again',
  );
});

test('where no common block is known, everything is to be stored anew', async () => {
  await begin();
  const from = (await recordedFinality(ledger.database.statements, CHAIN_ID))!;
  await takeBackFinality(ledger.database, { chainId: CHAIN_ID, from, to: null });
  expect(await ledger.coverage()).toBe('{}');
  expect((await ledger.rows()).every((row) => row.endsWith('removed'))).toBe(true);
  const { finalizedBlock, segment } = await ledger.lead();
  expect({ finalizedBlock, blocks: segment.size }).toEqual({ finalizedBlock: null, blocks: 0 });
});

test('verified is what joins the verified part from the start block, is covered, and was not found wrong since', async () => {
  await begin();
  const verified = () => one('select coalesce(verified_block, -1) from source');
  const remember = (from: number, to: number) =>
    rememberVerified(ledger.database.statements, CHAIN_ID, [{ ...source, from, to }]);
  await remember(3, 6);
  expect(await verified()).toBe('-1');
  await remember(1, 4);
  await remember(3, 9);
  await remember(2, 5);
  expect(await verified()).toBe('9');
  await remember(10, 14);
  expect(await verified()).toBe('9');
  await forgetVerified(ledger.database.statements, CHAIN_ID, [source], 8);
  expect(await verified()).toBe('7');
  await takeBack();
  expect(await verified()).toBe('5');
  await query(ledger.url, 'update source set start_block = 3');
  await ledger.lead();
  expect(await verified()).toBe('-1');
});

test('what leaves coverage makes nothing verified that was not', async () => {
  const term = await begin();
  const verified = () => one('select coalesce(verified_block, -1) from source');
  await ledger.apply(term, 2, { above: 12, blocks: [block(13, 'a')] });
  await ledger.apply(term, 3, { above: 12, blocks: [block(13, 'b', [], 'a')] });
  expect(await ledger.coverage()).toBe('{[1,14)}');
  expect(await verified()).toBe('-1');
  await repairRange(ledger.database, { chainId: CHAIN_ID, sources: [source], from: 7, to: 9, extra: [] });
  expect(await verified()).toBe('-1');
  await takeBack();
  expect(await verified()).toBe('-1');
});

test.each([
  [
    'a leader that is gone',
    { expires: '-1 second', state: 'halted', said: '-5 seconds' },
    'unled',
    /The last one said halted: words$/,
  ],
  [
    'a fetcher that was refused at start',
    { expires: '-1 day', state: 'halted', said: '-1 hour' },
    'halted',
    /^words$/,
  ],
  [
    'a fetcher that waits for its RPC',
    { expires: '-1 day', state: 'unreachable', said: '-5 seconds' },
    'unreachable',
    /^words$/,
  ],
  [
    'a fetcher that has waited and is gone',
    { expires: '-1 day', state: 'unreachable', said: '-5 minutes' },
    'unled',
    /The last one said unreachable: words$/,
  ],
  ['a leader', { expires: '5 seconds', state: 'halted', said: '-1 second' }, 'halted', /^words$/],
])('the state of %s', async (_, { expires, state, said }, shown, reason) => {
  await begin();
  await query(ledger.url, `update chain_lane set expires_at = now() + interval '${expires}'`);
  await query(
    ledger.url,
    `update chain set state = '${state}', state_reason = 'words', state_at = now() + interval '${said}'`,
  );
  const [status] = await chainStatuses(ledger.database.statements);
  expect(conditionOf(status!)).toEqual({ state: shown, reason: expect.stringMatching(reason) });
});
