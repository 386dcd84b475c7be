import { randomUUID } from 'node:crypto';
import { AbiCoder, id } from 'ethers';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { MESSAGE_VERSION, type StatedBlock } from '#libs/broker/messages.js';
import { applyNews } from '#libs/database/apply-news.js';
import { decodeLogs } from '#libs/database/decode-logs.js';
import { UnknownEvents } from '#libs/database/event-catalog.js';
import { takeOver } from '#libs/database/ledger.js';
import { databaseProblem, migrate } from '#libs/database/migrate.js';
import { type DecodedLogs, storeHistory } from '#libs/database/store-history.js';
import { jsonEvent } from '#libs/events/json-event.js';
import type { ChainLog } from '#libs/events/log.js';
import { requestExtracted } from '#libs/events/request-extracted/event.js';
import { ask, askData, startTestApi } from './services/api.js';
import { LedgerFixture } from './services/ledger-fixture.js';
import { query } from './services/query.js';
import { Subscriber } from './services/subscriber.js';
import { until } from './services/until.js';

const CHAIN_ID = 7;
const ADDRESS = `0x${'e7'.repeat(20)}`;
const PER_BLOCK = 10;
/** Blocks of history that are stored before anything moves, and all that there are; news begin behind them. */
const STORED = 500;
const HISTORY = 2_000;

let ledger: LedgerFixture;
beforeEach(async () => {
  ledger = await LedgerFixture.create(inject('postgresUrl'));
});
afterEach(() => ledger.close());

/** What the transactions of the test were made of, as its columns show it, by hash. */
const made = new Map<string, string>();

/** The log that a named transaction has. */
function logOf(name: string, blockNumber: number, blockHash: string, logIndex: number): ChainLog {
  const hash = id(`args of ${name}`);
  const [implId, transmitter] = [Number(hash.slice(0, 4)), `0x${hash.slice(-40)}`];
  const execution = `0x${hash.slice(2).repeat(1 + (implId % 5))}`;
  const data = AbiCoder.defaultAbiCoder().encode(
    ['uint8', 'address', 'bytes'],
    [implId, transmitter, execution],
  );
  made.set(id(name), `${hash} ${implId} ${transmitter} ${execution}`);
  const place = { blockNumber, blockHash, blockTimestamp: 1_700_000_000 + blockNumber, txIndex: 0, logIndex };
  return { address: ADDRESS, topics: [requestExtracted.topic0, hash], data, txHash: id(name), ...place };
}

/** A block whose transactions are named; what another block has by the same name is the same transaction. */
function block(number: number, branch: string, names: readonly string[], parentBranch = branch): StatedBlock {
  const hash = id(`${number}${branch}`);
  const parentHash = id(`${number - 1}${parentBranch}`);
  const logs = names.map((name, i) => logOf(name, number, hash, i));
  return {
    number,
    hash,
    parentHash,
    timestamp: 1_700_000_000 + number,
    logs: logs.map((log) => ({ ...log, topics: [...log.topics] })),
  };
}

const namesIn = (label: string) => Array.from({ length: PER_BLOCK }, (_, i) => `${label} ${i}`);

/** Has a worker store what a chain says, and knows what that is. */
class ToldChain {
  readonly blocks = new Map<number, StatedBlock>();
  private readonly ever = new Set<string>();
  private seq = 0;
  private term = 0;

  /** @param decode what the worker's build makes of logs. */
  constructor(
    readonly event: string,
    public decode: (logs: readonly ChainLog[]) => DecodedLogs,
  ) {}

  async lead(): Promise<void> {
    const sources = [{ ...this.source, startBlock: 1 }];
    const claim = { chainId: CHAIN_ID, chainName: 'Test', holder: 'test', sources };
    this.term = (await takeOver(ledger.database, claim))!.term;
  }

  async history(from: number, to: number): Promise<void> {
    const blocks = Array.from({ length: to - from + 1 }, (_, i) =>
      block(from + i, '', namesIn(`old ${from + i}`)),
    );
    const statement = { chainId: CHAIN_ID, sources: [this.source], from, to };
    await storeHistory(ledger.database, [{ statement, ...this.decode(blocks.flatMap((b) => b.logs)) }]);
    this.note(blocks);
  }

  async news(above: number, blocks: StatedBlock[]): Promise<void> {
    const head = {
      version: MESSAGE_VERSION,
      ledger: randomUUID(),
      chainId: CHAIN_ID,
      term: this.term,
    } as const;
    const statement = { ...head, kind: 'advance', seq: this.seq + 1, above, blocks } as const;
    const sources = [this.source];
    const news = { statement: { ...statement, sources }, ...this.decode(blocks.flatMap((b) => b.logs)) };
    expect((await applyNews(ledger.database, CHAIN_ID, [news])).verdicts).toEqual(['applied']);
    this.seq++;
    for (const n of [...this.blocks.keys()]) if (n > Math.max(above, HISTORY)) this.blocks.delete(n);
    this.note(blocks);
  }

  /** Rows that a table must hold, in the chain and out of it. */
  get rows(): { here: string[]; gone: string[] } {
    const logs = [...this.blocks.values()].flatMap((b) => b.logs);
    const here = logs.map((log) => `${log.txHash} ${log.logIndex} ${log.blockHash} ${made.get(log.txHash)}`);
    const txs = new Set(logs.map((log) => log.txHash));
    return { here: here.sort(), gone: [...this.ever].filter((tx) => !txs.has(tx)).sort() };
  }

  /** What a client knows that has heard of everything. */
  get nodes(): { id: string; blockHash: string }[] {
    return [...this.blocks.values()].flatMap((b) =>
      b.logs.map(({ txHash, logIndex, blockHash }) => ({
        id: `${CHAIN_ID}:${txHash}:${logIndex}`,
        blockHash,
      })),
    );
  }

  private get source() {
    return { address: ADDRESS, event: this.event };
  }

  private note(blocks: readonly StatedBlock[]): void {
    for (const b of blocks) {
      this.blocks.set(b.number, b);
      for (const log of b.logs) this.ever.add(log.txHash);
    }
  }
}

/** What the table of the event's folder holds. */
async function typedRows(): Promise<{ here: string[]; gone: string[] }> {
  const hex = (name: string) => `'0x' || encode(${name}, 'hex')`;
  const rows = await query<{ tx: string; removed: boolean; row: string }>(
    ledger.url,
    `select ${hex('tx_hash')} as tx, removed, concat_ws(' ', ${hex('tx_hash')}, log_index, ${hex('block_hash')},
       ${hex('request_hash')}, impl_id, ${hex('transmitter')}, ${hex('execution')}) as row from request_extracted_event`,
  );
  return {
    here: rows
      .filter((row) => !row.removed)
      .map(({ row }) => row)
      .sort(),
    gone: rows
      .filter((row) => row.removed)
      .map(({ tx }) => tx)
      .sort(),
  };
}

/** Makes the database one in which the event is followed without code, by a worker of a build that has no folder for it. */
async function followedWithoutFolder(name: string): Promise<ToldChain> {
  const { signature } = requestExtracted;
  await query(ledger.url, 'insert into event_fragment (name, fragment) values ($1, $2)', [name, signature]);
  const event = jsonEvent(signature, name);
  const decode = (logs: readonly ChainLog[]) => {
    const rows = logs.map((log) => ({ event, chainId: CHAIN_ID, log, values: event.decode(log)! }));
    return { rows, broken: [] };
  };
  const chain = new ToldChain(name, decode);
  await chain.lead();
  return chain;
}

/** From now on a worker of this build, which was told of the event by the name that it had. */
async function byThisBuild(chain: ToldChain): Promise<void> {
  const { database } = ledger;
  await database.events.load(database.statements);
  const sources = [{ address: ADDRESS, event: chain.event }];
  chain.decode = (logs) => decodeLogs(database.events, CHAIN_ID, sources, logs);
}

const counts = async () =>
  (
    await query<{ n: string; typed: string }>(
      ledger.url,
      'select (select count(*) from contract_event) as n, (select count(*) from request_extracted_event) as typed',
    )
  )[0]!;

/** A chain with a reorg and back: rows of every kind, some told before the place that is returned, some behind it. */
async function tell(chain: ToldChain, stored = 50): Promise<{ cursor: string; nodes: ToldChain['nodes'] }> {
  const at = HISTORY;
  for (let from = 1; from <= stored; from += 50) await chain.history(from, from + 49);
  const a = [1, 2, 3, 4, 5, 6].map((n) => block(at + n, 'a', [...namesIn(`a ${n}`), `moves ${n}`]));
  await chain.news(at, a);
  await chain.news(at + 3, [block(at + 4, 'b', [...namesIn('b 4'), 'moves 5'], 'a'), block(at + 5, 'b', [])]);
  const api = await startTestApi({ database: ledger.database });
  const { asOf: cursor } = (await askData(api.url, '{ socketBridgeEvents { asOf } }')).socketBridgeEvents;
  await api.close();
  const { nodes } = chain;
  await chain.news(at + 3, a.slice(3));
  await chain.history(stored + 1, stored + 10);
  return { cursor, nodes };
}

test.each([
  ['under the name of its folder', 'RequestExtracted'],
  ['under another one', 'Request'],
])(
  'rows of an event that was followed without code, %s, move to its table while others store: killed in the middle, nothing lost, nothing asked of the chain',
  async (_, name) => {
    const chain = await followedWithoutFolder(name);
    const { cursor, nodes } = await tell(chain, STORED);
    const stored = Number((await counts()).n);
    expect(await databaseProblem(ledger.database)).toBe(
      `waiting for npm run migrate to move ${stored.toLocaleString('en')} rows of ${name} to request_extracted_event`,
    );
    const api = await startTestApi({ database: ledger.database });
    const early = await ask(api.url, '{ requestExtractedEvents { totalCount } }');
    expect(early.errors?.[0]?.extensions?.code).toBe('EVENT_MOVED');

    const kill = new AbortController();
    const killed = migrate(ledger.database, () => kill.abort(), kill.signal);
    await expect(killed).rejects.toThrow(/abort/i);
    const { n, typed } = await counts();
    expect(Number(n)).toBe(stored);
    expect(Number(typed)).toBeGreaterThan(0);
    expect(Number(typed)).toBeLessThan(stored);

    let height = HISTORY + 6;
    let from = STORED + 11;
    const storeMore = async () => {
      await chain.history(from, from);
      from++;
      const fork = height - 1;
      const branch = `c${from}`;
      const [last] = [...chain.blocks.keys()].filter((one) => one === fork);
      const parent = {
        ...block(fork + 1, branch, namesIn(branch)),
        parentHash: chain.blocks.get(last!)!.hash,
      };
      await chain.news(fork, [parent, block(fork + 2, branch, [`in ${branch}`, `out of ${branch}`])]);
      height = fork + 2;
    };
    let done = false;
    const refused = (async () => {
      for (;;) {
        try {
          await storeMore();
        } catch (error) {
          return error;
        }
        if (done) return null;
      }
    })();
    const { adopted } = await migrate(ledger.database);
    done = true;
    // the old build's worker leaves it to those who know the table
    expect(await refused).toBeInstanceOf(UnknownEvents);
    expect(adopted).toMatchObject([{ name, event: 'RequestExtracted', undecodable: 0 }]);
    expect(await databaseProblem(ledger.database)).toBeNull();
    expect(await counts()).toMatchObject({ n: '0' });
    await byThisBuild(chain);
    await storeMore();
    await storeMore();

    expect(await typedRows()).toEqual(chain.rows);
    const sources = await query(ledger.url, 'select event, coverage::text as coverage from source');
    expect(sources).toEqual([
      { event: 'RequestExtracted', coverage: `{[1,${from}),[${HISTORY + 1},${height + 1})}` },
    ]);
    await expectTold(api.url, chain, { cursor, nodes });
    await expectTold(api.url, chain, { cursor: '0', nodes: [] });
    await api.close();
  },
);

/** A subscriber of the folder's event that goes on at a cursor knows in the end what the chain says, and was told nothing twice. */
async function expectTold(
  url: string,
  chain: ToldChain,
  known: { cursor: string; nodes: ToldChain['nodes'] },
): Promise<void> {
  const subscriber = new Subscriber({
    event: 'RequestExtracted',
    cursor: known.cursor,
    events: known.nodes,
  });
  await subscriber.connect(url);
  const wanted = chain.nodes.map((node) => `${node.id} ${node.blockHash}`).sort();
  await until('all that was stored since', () => {
    const has = [...subscriber.events].map(([key, hash]) => `${key} ${hash}`).sort();
    return JSON.stringify(has) === JSON.stringify(wanted);
  });
  await subscriber.disconnect();
  expect(subscriber.repeats).toEqual([]);
  expect(subscriber.errors).toEqual([]);
}

test('what a row was touched and when stays as it was: revisions, and writes of the commit log', async () => {
  const chain = await followedWithoutFolder('Request');
  await tell(chain);
  const state = (table: string) =>
    query(
      ledger.url,
      `select tx_hash, log_index, removed, revision, write_id from ${table} order by tx_hash, log_index`,
    );
  const before = await state('contract_event');
  expect(new Set(before.map(({ revision }) => revision))).toEqual(new Set(['0', '1', '2', '4']));
  await migrate(ledger.database);
  expect(await state('request_extracted_event')).toEqual(before);
});

test('a raw log that the code of the folder can not read is kept as undecodable with its reason, and counted', async () => {
  const chain = await followedWithoutFolder('Request');
  await tell(chain);
  const broken = `'\\x${id('old 7 3').slice(2)}', '\\x${id('a 1 0').slice(2)}', '\\x${id('b 4 0').slice(2)}'`;
  await query(ledger.url, `update contract_event set data = '\\x01' where tx_hash in (${broken})`);
  const { adopted } = await migrate(ledger.database);
  // the third one is of a block that left the chain
  expect(adopted).toMatchObject([{ undecodable: 2 }]);
  const kept = await query(
    ledger.url,
    'select event, block_number, reason from undecodable_log order by block_number',
  );
  const reason = expect.stringContaining('RequestExtracted');
  expect(kept).toEqual([
    { event: 'RequestExtracted', block_number: '7', reason },
    { event: 'RequestExtracted', block_number: String(HISTORY + 1), reason },
  ]);
  const wanted = chain.rows.here.filter(
    (row) => !row.startsWith(id('old 7 3')) && !row.startsWith(id('a 1 0')),
  );
  expect((await typedRows()).here).toEqual(wanted);
});

test('logs that were kept aside under the old name have the new one', async () => {
  await followedWithoutFolder('Request');
  const insert = (table: string, event: string, tx: string) =>
    query(
      ledger.url,
      `insert into ${table} (chain_id, event, tx_hash, log_index, block_hash, block_number, block_timestamp, tx_index, address, topics, data, reason)
       values (7, $1, $2::text::bytea, 0, '\\x00', 1, now(), 0, '\\x00', '{}', '\\x', 'broken')`,
      [event, `\\x${tx}`],
    );
  await insert('undecodable_log', 'Request', '01');
  await insert('conflicting_log', 'Request', '02');
  // kept under both, by a move that was broken off
  await insert('undecodable_log', 'Request', '03');
  await insert('undecodable_log', 'RequestExtracted', '03');
  await migrate(ledger.database);
  const names = (table: string) => query(ledger.url, `select event from ${table} order by tx_hash`);
  expect(await names('undecodable_log')).toEqual([
    { event: 'RequestExtracted' },
    { event: 'RequestExtracted' },
  ]);
  expect(await names('conflicting_log')).toEqual([{ event: 'RequestExtracted' }]);
});

test('a fetcher that goes on under the old name takes the lead for the same sources', async () => {
  const chain = await followedWithoutFolder('Request');
  await tell(chain);
  await migrate(ledger.database);
  await query(ledger.url, "update chain_lane set expires_at = '-infinity'");
  await chain.lead();
  expect(await query(ledger.url, 'select event, retired_at from source')).toEqual([
    { event: 'RequestExtracted', retired_at: null },
  ]);
});

test('a folder that has the name of another event of the database is refused, before anything moves', async () => {
  await query(ledger.url, 'insert into event_fragment (name, fragment) values ($1, $2)', [
    'RequestExtracted',
    'event RequestExtracted(uint256 id)',
  ]);
  const says =
    /^RequestExtracted is, in this database, the name of "event RequestExtracted\(uint256 id\)", .*give the folder's event another name$/;
  await expect(migrate(ledger.database)).rejects.toThrow(says);
  expect(await databaseProblem(ledger.database)).toMatch(says);
});
