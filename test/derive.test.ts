import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { spawnOwned } from '#apps/local/owned-process.js';
import { nextWriteId } from '#libs/database/commit-log.js';
import { ofKeys, removeRows } from '#libs/database/event-rows.js';
import { socketBridge } from '#libs/events/socket-bridge/event.js';
import { type Outcome, runBuilt } from './services/command.js';
import { block, CHAIN_ID, LedgerFixture } from './services/ledger-fixture.js';
import { query } from './services/query.js';
import { until } from './services/until.js';

const main = fileURLToPath(new URL('../dist/apps/derive/main.js', import.meta.url));
const OTHER_CHAIN = 8;

let ledger: LedgerFixture;

beforeEach(async () => {
  ledger = await LedgerFixture.create(inject('postgresUrl'));
  const { term } = await ledger.lead();
  await ledger.apply(term, 1, { above: 9, blocks: [block(10, 'a', [{ tx: 'first' }])] });
  await query(ledger.url, `insert into chain (chain_id, name) values (${OTHER_CHAIN}, 'Other')`);
});
afterEach(async () => ledger.close());

const sql = <T extends object>(statement: string) =>
  query<T & Record<string, unknown>>(ledger.url, statement);
const number = async (statement: string) => Number((await sql<{ n: string }>(statement))[0]!.n);

/**
 * Copies of the first row, five to a block; of all but each fourth the column `bridge`, which follows from the log and is Hop, is
 * wrong, as if its code had been another when they were stored.
 */
async function staleRows(rows: number, chainId = CHAIN_ID): Promise<void> {
  await sql(
    `insert into socket_bridge_event
     select (jsonb_populate_record(e, jsonb_build_object('chain_id', ${chainId}, 'block_number', 11 + i / 5, 'log_index', i,
       'tx_hash', '\\x' || encode(sha256(i::text::bytea), 'hex'), 'bridge', case when i % 4 = 0 then 'Hop' else 'old ' || i end))).*
     from socket_bridge_event e, generate_series(1, ${rows}) i where e.chain_id = ${CHAIN_ID} and e.block_number = 10`,
  );
}

const wrong = (chainId = CHAIN_ID) =>
  number(`select count(*) as n from socket_bridge_event where bridge <> 'Hop' and chain_id = ${chainId}`);

/** Everything that derive must leave alone, and which versions of the rows that were right there are. */
async function untouched(): Promise<object> {
  const [all] = await sql(
    `select count(*), md5(string_agg((to_jsonb(e) - 'bridge')::text, ',' order by chain_id, tx_hash, log_index)) as others
     from socket_bridge_event e`,
  );
  const [right] = await sql(
    `select count(*), md5(string_agg(ctid::text || xmin::text, ',' order by tx_hash, log_index)) as versions
     from socket_bridge_event where log_index % 4 = 0`,
  );
  const [feed] = await sql('select position, (select count(*) from feed_commit) from feed_counter');
  return { all, right, feed };
}

const args = (...more: string[]) => ['--event', 'SocketBridge', '--columns', 'bridge', ...more];

function derive(...more: string[]): Promise<Outcome> {
  return runBuilt('derive', more, { DATABASE_URL: ledger.url });
}

test('a column is put right from the raw logs of all chains; rows that are right, write ids and positions stay as they are', async () => {
  await staleRows(12_000);
  await staleRows(400, OTHER_CHAIN);
  const before = await untouched();
  const { code, stdout } = await derive(...args('--share', '1'));
  expect([code, await wrong(), await wrong(OTHER_CHAIN)]).toEqual([0, 0, 0]);
  expect(stdout).toContain('12401 rows: 9300 filled, 0 unreadable');
  expect(await untouched()).toEqual(before);
  const again = await derive(...args('--share', '1'));
  expect(again).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('12401 rows: 0 filled, 0 unreadable'),
  });
});

test('only rows of the chain that is asked for are filled', async () => {
  await staleRows(40);
  await staleRows(40, OTHER_CHAIN);
  const { code } = await derive(...args('--chain', String(OTHER_CHAIN)));
  expect([code, await wrong(), await wrong(OTHER_CHAIN)]).toEqual([0, 30, 0]);
  const none = await derive(...args('--chain', '99'));
  expect(none).toMatchObject({ code: 1, stdout: expect.stringContaining('chain 99 is not followed') });
});

test('killed -9 in the middle it goes on where it was: what is done is not done again, and every row is filled once', async () => {
  await staleRows(25_000);
  const toFill = await wrong();
  const child = await spawnOwned(process.execPath, [main, ...args('--share', '0.1', '--parallel', '2')], {
    env: { PATH: process.env.PATH, DATABASE_URL: ledger.url },
  });
  const done = () =>
    sql<{ from_block: string }>('select from_block, done_at from derivation_range where done_at is not null');
  const partly = 'select count(*) as n from derivation_range where done_at is null and filled > 0';
  await until('one range to be done and another begun', async () => {
    return (await done()).length > 0 && (await number(partly)) > 0;
  });
  await child.end('SIGKILL');
  const before = await done();
  const left = await wrong();
  expect(left).toBeGreaterThan(0);
  expect(left).toBeLessThan(toFill);
  const { code, stdout } = await derive(...args('--share', '1'));
  expect([code, await wrong()]).toEqual([0, 0]);
  expect(stdout).toContain('goes on where an earlier run stopped');
  expect(stdout).toContain(`25001 rows: ${toFill} filled`);
  expect(await done()).toEqual(expect.arrayContaining(before));
});

test('two at once share the work', async () => {
  await staleRows(25_000);
  const toFill = await wrong();
  const both = await Promise.all([derive(...args('--share', '0.5')), derive(...args('--share', '0.5'))]);
  expect(both.map(({ code }) => code)).toEqual([0, 0]);
  for (const { stdout } of both) expect(stdout).toContain(`25001 rows: ${toFill} filled`);
  expect(await wrong()).toBe(0);
});

test('a raw log that cannot be read is counted and listed, and its row stays as it was', async () => {
  await staleRows(3_000);
  await sql(`update socket_bridge_event set data = '\\x1234' where log_index in (7, 2001)`);
  await sql(`update socket_bridge_event set topics = array['\\xabcd'::bytea] where log_index = 9`);
  const { code, stdout } = await derive(...args('--share', '1'));
  expect(code).toBe(1);
  expect(stdout.match(/^unreadable .*/gm)).toEqual([
    expect.stringMatching(
      /chain 7 block 12 tx 0x[0-9a-f]{64} log 7: SocketBridge has 224 bytes of data, this log has 2$/,
    ),
    expect.stringMatching(/chain 7 block 12 .* log 9: the raw log is not one of this event$/),
    expect.stringMatching(/chain 7 block 411 .* log 2001: SocketBridge has 224 bytes/),
  ]);
  expect(stdout).toContain('3001 rows: 2247 filled, 3 unreadable');
  const kept = await sql("select bridge from socket_bridge_event where bridge <> 'Hop' order by log_index");
  expect(kept).toEqual([{ bridge: 'old 7' }, { bridge: 'old 9' }, { bridge: 'old 2001' }]);
  expect(await number('select count(*) as n from underived_row')).toBe(3);
});

test('rows that are being removed meanwhile are filled, and stay removed', async () => {
  await staleRows(12_000);
  const keys = await sql<{ txHash: string; logIndex: string; blockHash: string }>(
    `select '0x' || encode(tx_hash, 'hex') as "txHash", log_index as "logIndex", '0x' || encode(block_hash, 'hex') as "blockHash"
     from socket_bridge_event order by log_index`,
  );
  const rows = keys.map((row) => ({ ...row, logIndex: Number(row.logIndex) }));
  const running = { derive: true };
  const deriving = derive(...args('--share', '0.3')).finally(() => {
    running.derive = false;
  });
  let removed = 0;
  for (let i = 0; running.derive && i + 50 < rows.length; i += 51) {
    removed += await ledger.database.transaction(async (tx) => {
      const some = rows.slice(i, i + 50);
      return removeRows(tx, socketBridge, CHAIN_ID, ofKeys(some), await nextWriteId(tx));
    });
  }
  expect((await deriving).code).toBe(0);
  expect(removed).toBeGreaterThan(100);
  expect(await wrong()).toBe(0);
  expect(await number('select count(*) as n from socket_bridge_event where removed and revision = 1')).toBe(
    removed,
  );
});

test('a row that a store has locked is waited for, and filled as the store left it', async () => {
  await staleRows(50);
  const store = new Client({ connectionString: ledger.url });
  await store.connect();
  try {
    await store.query('begin');
    await store.query(
      'update socket_bridge_event set removed = true, revision = 1, write_id = 1000 where log_index = 7',
    );
    const deriving = derive(...args());
    const waits =
      "select count(*) as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    await until('derive to wait for the row', async () => (await number(waits)) > 0);
    await store.query('commit');
    expect((await deriving).code).toBe(0);
  } finally {
    await store.end();
  }
  expect(await sql('select bridge, removed, write_id from socket_bridge_event where log_index = 7')).toEqual([
    { bridge: 'Hop', removed: true, write_id: '1000' },
  ]);
});

test('a chain that an earlier run was done with is not looked at again when the rest of the run is made up for', async () => {
  await staleRows(40);
  await derive(...args());
  await sql(
    `insert into derivation_range (event, columns, chain_id, from_block, rows) values ('SocketBridge', 'bridge', ${OTHER_CHAIN}, 1000, 0)`,
  );
  const ranges = () => sql('select done_at from derivation_range where chain_id = 7 order by from_block');
  const before = await ranges();
  expect(before.length).toBeGreaterThan(0);
  expect((await derive(...args())).stdout).toContain('goes on where an earlier run stopped');
  expect(await ranges()).toEqual(before);
  expect(await number('select count(*) as n from derivation_range where done_at is null')).toBe(0);
});

test('--anew begins at the beginning', async () => {
  await staleRows(40);
  await derive(...args());
  await sql(
    'update derivation_range set done_at = null where from_block > 0; update socket_bridge_event set bridge = upper(bridge)',
  );
  await sql(
    "insert into derivation_range (event, columns, chain_id, from_block, rows) values ('SocketBridge', 'bridge', 7, 1000, 0)",
  );
  const { stdout } = await derive(...args());
  expect(stdout).toContain('goes on where an earlier run stopped');
  expect(await wrong()).toBe(41);
  await derive(...args('--anew'));
  expect(await wrong()).toBe(0);
});

test.each([
  [
    'an unknown column',
    ['--event', 'SocketBridge', '--columns', 'bridge,colour'],
    'SocketBridge has no column "colour": there is amount, token, toChainId, bridgeName, bridge,',
  ],
  ['an unknown event', ['--event', 'Socket'], 'there is no event "Socket": there is SocketBridge'],
  ['no event', [], '--event is required: there is SocketBridge'],
  [
    'an event without columns that may be null',
    ['--event', 'SocketBridge'],
    'no column of SocketBridge may be null: say which to fill anew by --columns, of amount,',
  ],
  ['a share of 0', args('--share', '0'), '--share must be a number from 0.01 to 1, "0" is not'],
  ['a share above 1', args('--share', '1.5'), '--share must be a number from 0.01 to 1, "1.5" is not'],
  ['nobody to work', args('--parallel', '0'), '--parallel must be 1 to 32, not 0'],
  ['a chain that is no number', args('--chain', 'base'), '--chain must be a whole number'],
  ['an argument that there is not', args('--fast'), "Unknown option '--fast'"],
])('%s is refused, and what there is is named', async (_title, words, says) => {
  const { code, stderr } = await derive(...words);
  expect(code).toBe(2);
  expect(stderr).toContain(says);
  expect(stderr).toContain('npm run derive -- --event <name>');
});
