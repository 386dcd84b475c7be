import { Interface, id } from 'ethers';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { filterColumns } from '#apps/api/reads/where.js';
import type { RunningApi } from '#apps/api/server.js';
import { MESSAGE_VERSION } from '#libs/broker/messages.js';
import { applyNews } from '#libs/database/apply-news.js';
import { decodeLogs } from '#libs/database/decode-logs.js';
import { declareFragments } from '#libs/database/event-fragments.js';
import { takeOver } from '#libs/database/ledger.js';
import { storeHistory } from '#libs/database/store-history.js';
import { columnKinds } from '#libs/events/column.js';
import type { ChainLog } from '#libs/events/log.js';
import { ask, askData, startTestApi } from './services/api.js';
import { LedgerFixture } from './services/ledger-fixture.js';
import { query } from './services/query.js';
import { get } from './services/rest.js';
import { until } from './services/until.js';

const CHAIN_ID = 7;
const TOKEN = `0x${'70'.repeat(20)}`;
const NFT = `0x${'71'.repeat(20)}`;
const OTHER = `0x${'72'.repeat(20)}`;
const [ALICE, BOB] = [`0x${'0a'.repeat(20)}`, `0x${'0b'.repeat(20)}`];
const HUGE = 2n ** 255n - 1n;

const erc20 = 'event Transfer(address indexed from, address indexed to, uint256 value)';
const erc721 = 'event Transfer(address indexed from, address indexed to, uint256 indexed tokenId)';
interface Page {
  nodes: { value: string }[];
  pageInfo: { endCursor: string; hasNextPage: boolean };
  totalCount: number;
}

/** Everything at once: what is negative, nested, nameless, indexed by its hash, or called as something that every event has. */
const odd =
  'event odd_one(int256 delta, int24 tick, (address owner, uint256[] ids, (string, bytes) note) order, string indexed label, bytes blob, bool, uint64 data, string first, uint8 count)';

let ledger: LedgerFixture;
let api: RunningApi;
let names: string[];
let term: number;

const chainLog = (
  fragment: string,
  address: string,
  at: { block: number; branch?: string; index?: number },
  values: unknown[],
): ChainLog => {
  const abi = new Interface([fragment]);
  const { topics, data } = abi.encodeEventLog(abi.fragments[0] as never, values);
  return {
    address,
    topics: [...topics],
    data,
    blockNumber: at.block,
    blockHash: id(`${at.block}${at.branch ?? ''}`),
    blockTimestamp: 1_700_000_000 + at.block,
    txHash: id(`tx ${at.block} ${at.index ?? 0}`),
    txIndex: 0,
    logIndex: at.index ?? 0,
  };
};
const blob = `0x${'c0de'.repeat(20_000)}`;
const oddValues = (first = 'Ärger \u{1f525}') => [
  -HUGE - 1n,
  -8_388_608,
  [ALICE, [1n, 2n ** 256n - 1n], ['by hand', '0xFF00']],
  'a label',
  blob,
  true,
  2n ** 64n - 1n,
  first,
  7,
];
const sources = () => [
  { address: TOKEN, event: names[0]! },
  { address: NFT, event: names[1]! },
  { address: OTHER, event: names[2]! },
];
const store = (from: number, to: number, logs: readonly ChainLog[]) => {
  const statement = { chainId: CHAIN_ID, sources: sources(), from, to };
  return storeHistory(ledger.database, [
    { statement, ...decodeLogs(ledger.database.events, CHAIN_ID, sources(), logs) },
  ]);
};
const advance = (seq: number, above: number, number: number, branch: string, logs: readonly ChainLog[]) => {
  const block = {
    number,
    hash: id(`${number}${branch}`),
    parentHash: id('19'),
    timestamp: 1_700_000_000 + number,
    logs: logs.map((log) => ({ ...log, topics: [...log.topics] })),
  };
  const statement = {
    version: MESSAGE_VERSION,
    ledger: id('').slice(2, 38),
    chainId: CHAIN_ID,
    kind: 'advance',
    term,
    seq,
    above,
    sources: sources(),
    blocks: [block],
  } as const;
  return applyNews(ledger.database, CHAIN_ID, [
    {
      statement: { ...statement, sources: [...statement.sources], blocks: [...statement.blocks] },
      ...decodeLogs(ledger.database.events, CHAIN_ID, sources(), logs),
    },
  ]);
};

beforeAll(async () => {
  ledger = await LedgerFixture.create(inject('postgresUrl'));
  names = await declareFragments(
    ledger.database,
    [erc20, erc721, odd].map((fragment) => ({ fragment, name: null })),
  );
  const claim = { chainId: CHAIN_ID, chainName: 'Test', holder: 'test' };
  const wanted = sources().map((source) => ({ ...source, startBlock: 1 }));
  ({ term } = (await takeOver(ledger.database, { ...claim, sources: wanted }))!);
  await store(1, 10, [
    chainLog(erc20, TOKEN, { block: 3 }, [ALICE, BOB, HUGE]),
    chainLog(erc20, TOKEN, { block: 4 }, [BOB, ALICE, 5n]),
    chainLog(erc20, TOKEN, { block: 5 }, [ALICE, ALICE, 1_000n]),
    chainLog(erc721, NFT, { block: 5, index: 1 }, [ALICE, BOB, 42n]),
    // of the other kind: the same topic, and no log of this contract's event
    chainLog(erc20, NFT, { block: 5, index: 2 }, [ALICE, BOB, 43n]),
    chainLog(odd, OTHER, { block: 6 }, oddValues()),
    chainLog(odd, OTHER, { block: 7 }, oddValues('a \0 in it')),
    { ...chainLog(odd, OTHER, { block: 8 }, oddValues()), topics: [] },
  ]);
  api = await startTestApi({ database: ledger.database });
});
afterAll(async () => {
  await api?.close();
  await ledger?.close();
});

// biome-ignore lint/suspicious/noExplicitAny: answers are read by tests that know what they asked for
const transfers = async (args: string): Promise<any[]> =>
  (await askData(api.url, `{ transferEvents(includeRemoved: false, ${args}) { nodes { value from to } } }`))
    .transferEvents.nodes;

test('two events of one name and one topic have names that tell them apart, the same in every database', () => {
  expect(names).toEqual(['Transfer', expect.stringMatching(/^Transfer_[0-9a-f]{8}$/), 'OddOne']);
});

test('its rows are told with the types of its arguments: big numbers exactly, addresses in lower case', async () => {
  expect(await transfers('')).toEqual([
    { value: '1000', from: ALICE, to: ALICE },
    { value: '5', from: BOB, to: ALICE },
    { value: String(HUGE), from: ALICE, to: BOB },
  ]);
});

test('an ERC-721 Transfer is not taken for one of ERC-20, nor the other way round', async () => {
  const stem = `t${names[1]!.slice(1)}`;
  const data = await askData(api.url, `{ ${stem}Events { nodes { tokenId to address } } }`);
  expect(data[`${stem}Events`].nodes).toEqual([{ tokenId: '42', to: BOB, address: NFT }]);
});

test('it is filtered, ordered and paged by its arguments', async () => {
  const values = async (args: string) => (await transfers(args)).map(({ value }) => value);
  expect(await values(`where: { from: { eq: "${ALICE}" } }`)).toEqual(['1000', String(HUGE)]);
  expect(await values('where: { value: { eq: "5" } }')).toEqual(['5']);
  expect(await values('where: { value: { gt: "5" } }')).toEqual(['1000', String(HUGE)]);
  expect(await values(`where: { not: { to: { in: ["${BOB}"] } } }`)).toEqual(['1000', '5']);
  expect(await values(`where: { to: { in: ["${BOB}", "${ALICE}"] }, value: { ne: 5 } }`)).toHaveLength(2);
  expect(await values('orderBy: [{ field: value }]')).toEqual(['5', '1000', String(HUGE)]);
  const page = `query ($after: String) { transferEvents(orderBy: [{ field: value, direction: DESC }], first: 1, after: $after)
    { nodes { value } pageInfo { endCursor hasNextPage } totalCount } }`;
  const seen: string[] = [];
  for (let after: string | null = null; ; ) {
    const read: Page = (await askData(api.url, page, { after })).transferEvents;
    seen.push(read.nodes[0]!.value);
    expect(read.totalCount).toBe(3);
    if (!read.pageInfo.hasNextPage) break;
    after = read.pageInfo.endCursor;
  }
  expect(seen).toEqual([String(HUGE), '1000', '5']);
});

/** All rows of `manyEvents` in an order, from one page after the other. */
async function pagesOf(field: string, direction: string, backwards: boolean): Promise<{ id: string }[]> {
  const text = `query ($first: Int, $after: String, $last: Int, $before: String) { manyEvents(orderBy: [{ field: ${field}, direction: ${direction} }],
    first: $first, after: $after, last: $last, before: $before)
    { nodes { id ${field} } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }`;
  const rows: { id: string }[] = [];
  for (let cursor: string | null = null; ; ) {
    const place: object = backwards ? { last: 2, before: cursor } : { first: 2, after: cursor };
    const { nodes, pageInfo } = (await askData(api.url, text, place)).manyEvents;
    if (backwards) rows.unshift(...nodes);
    else rows.push(...nodes);
    if (!(backwards ? pageInfo.hasPreviousPage : pageInfo.hasNextPage)) return rows;
    cursor = backwards ? pageInfo.startCursor : pageInfo.endCursor;
  }
}

test('a column of any kind that can be ordered by is paged by, forwards and backwards, in both directions', async () => {
  const many =
    'event Many(int256 signed, bool flag, uint256 whole, uint32 small, address who, bytes32 word, bytes some, string name)';
  await declareFragments(ledger.database, [{ fragment: many, name: null }]);
  const source = { address: `0x${'73'.repeat(20)}`, event: 'Many' };
  const logs = [-HUGE - 1n, -7n, 0n, 7n, HUGE].map((signed, i) => {
    const values = [
      signed,
      i % 2 === 0,
      10n ** BigInt(i),
      i,
      ALICE,
      id(`${i}`),
      `0x${'ab'.repeat(i)}`,
      `ä ${i}`,
    ];
    return chainLog(many, source.address, { block: i + 1 }, values);
  });
  const statement = { chainId: CHAIN_ID, sources: [source], from: 1, to: 10 };
  await storeHistory(ledger.database, [
    { statement, ...decodeLogs(ledger.database.events, CHAIN_ID, [source], logs) },
  ]);
  await until('the event', async () => !(await ask(api.url, '{ manyEvents { asOf } }')).errors);
  const columns = filterColumns(ledger.database.events.byName('Many')!);
  const unordered = ['bytes32List', 'json'];
  expect([...new Set([...unordered, ...columns.map(({ kind }) => kind)])].sort()).toEqual(
    Object.keys(columnKinds).sort(),
  );
  const signed = async (direction: string) =>
    (await pagesOf('signed', direction, false)).map((row) => (row as unknown as { signed: string }).signed);
  expect(await signed('ASC')).toEqual([String(-HUGE - 1n), '-7', '0', '7', String(HUGE)]);
  expect(await signed('DESC')).toEqual([String(HUGE), '7', '0', '-7', String(-HUGE - 1n)]);
  for (const { property } of columns) {
    for (const direction of ['ASC', 'DESC']) {
      const text = `{ manyEvents(orderBy: [{ field: ${property}, direction: ${direction} }]) { nodes { id ${property} } } }`;
      const { nodes } = (await askData(api.url, text)).manyEvents;
      expect(nodes).toHaveLength(5);
      expect(await pagesOf(property, direction, false), `${property} ${direction}`).toEqual(nodes);
      expect(await pagesOf(property, direction, true), `${property} ${direction}`).toEqual(nodes);
    }
  }
});

test('arguments with names that are longer than Postgres takes are read and filtered by', async () => {
  const long = `${'many_words_'.repeat(6)}`;
  const fragment = `event Wordy(uint256 ${long}a, string ${long}b)`;
  await declareFragments(ledger.database, [{ fragment, name: null }]);
  const source = { address: `0x${'74'.repeat(20)}`, event: 'Wordy' };
  const logs = [chainLog(fragment, source.address, { block: 9 }, [7n, 'said'])];
  const statement = { chainId: CHAIN_ID, sources: [source], from: 1, to: 10 };
  await storeHistory(ledger.database, [
    { statement, ...decodeLogs(ledger.database.events, CHAIN_ID, [source], logs) },
  ]);
  await until('the event', async () => !(await ask(api.url, '{ wordyEvents { asOf } }')).errors);
  const [a, b] = ledger.database.events.byName('Wordy')!.columns.map(({ property }) => property);
  const text = `{ wordyEvents(where: { ${a}: { gt: "6" }, ${b}: { in: ["said", "unsaid"] } }) { nodes { a: ${a} b: ${b} } } }`;
  expect((await askData(api.url, text)).wordyEvents.nodes).toEqual([{ a: '7', b: 'said' }]);
  const counted = `{ wordyStats(groupBy: [${a}, ${b}]) { groups { key { a: ${a} b: ${b} } count } } }`;
  expect((await askData(api.url, counted)).wordyStats.groups).toEqual([
    { key: { a: '7', b: 'said' }, count: 1 },
  ]);
});

test.each([
  ['eq', '"\\ud800"'],
  ['in', '["a", "b\\udc00"]'],
  ['notIn', '["\\ud800x"]'],
])('half a character in a filter of a text (%s) is refused as what it is', async (operator, value) => {
  const where = JSON.parse(`{ "first": { "${operator}": ${value} } }`);
  const text = 'query ($where: OddOneEventWhere) { oddOneEvents(where: $where) { nodes { id } } }';
  const refused = { message: `first.${operator} has half of a character (a lone surrogate)` };
  expect((await ask(api.url, text, { where })).errors).toMatchObject([
    { ...refused, extensions: { code: 'BAD_USER_INPUT' } },
  ]);
  const { status, body } = await get(api.url, '/odd-one-events', {
    where: `{"first":{"${operator}":${value}}}`,
  });
  expect([status, body.error.message]).toEqual([400, refused.message]);
});

test('it is counted by its arguments', async () => {
  const data = await askData(
    api.url,
    '{ transferStats(groupBy: [from]) { groups { key { from } count distinct { to } } } }',
  );
  expect(data.transferStats.groups).toEqual([
    { key: { from: ALICE }, count: 2, distinct: { to: 2 } },
    { key: { from: BOB }, count: 1, distinct: { to: 1 } },
  ]);
});

test('REST serves it under its name, with the same filters', async () => {
  const { status, body } = await get(api.url, '/transfer-events', { 'value.lte': '1000', orderBy: 'value' });
  expect([status, body.nodes.map(({ value }: { value: string }) => value)]).toEqual([200, ['5', '1000']]);
  const { nodes } = (await get(api.url, '/transfer-events', { first: '1' })).body;
  expect((await get(api.url, `/transfer-events/${nodes[0].id}`)).body).toEqual(nodes[0]);
  const exported = (await get(api.url, '/odd-one-events/export.ndjson')).body.trimEnd().split('\n');
  expect(JSON.parse(exported[0]).blob).toBe(blob);
  expect(Object.keys((await get(api.url, '/openapi.json')).body.paths)).toContain('/api/transfer-events');
});

test('awkward arguments are told exactly: negative, nested, nameless, hashed, tens of kB, or of a name that every event has', async () => {
  const fields = 'delta tick order label blob arg5 dataArg first countArg data';
  const data = await askData(api.url, `{ oddOneEvents { nodes { ${fields} } } }`);
  const log = chainLog(odd, OTHER, { block: 6 }, oddValues());
  expect(data.oddOneEvents.nodes).toEqual([
    {
      delta: String(-HUGE - 1n),
      tick: '-8388608',
      order: { owner: ALICE, ids: ['1', String(2n ** 256n - 1n)], note: ['by hand', '0xff00'] },
      label: id('a label'),
      blob,
      arg5: true,
      dataArg: String(2n ** 64n - 1n),
      first: 'Ärger \u{1f525}',
      countArg: 7,
      data: log.data,
    },
  ]);
  const some = async (where: string) =>
    (await askData(api.url, `{ oddOneEvents(where: ${where}) { nodes { tick } } }`)).oddOneEvents.nodes
      .length;
  expect(await some('{ tick: { lt: 0 } }')).toBe(1);
  expect(await some('{ delta: { eq: "-1" } }')).toBe(0);
  expect(await some('{ arg5: { eq: true }, first: { eq: "Ärger \u{1f525}" } }')).toBe(1);
  expect(await some('{ arg5: { eq: false } }')).toBe(0);
});

test('the table keeps its arguments as JSON, whole numbers as strings', async () => {
  const [row] = await query<{ args: Record<string, unknown> }>(
    ledger.url,
    `select args from contract_event where event = 'Transfer' order by block_number limit 1`,
  );
  expect(row!.args).toEqual({ from: ALICE, to: BOB, value: String(HUGE) });
});

test('a log whose text Postgres can not keep is kept as undecodable with its reason', async () => {
  const kept = await query(ledger.url, 'select event, block_number, reason from undecodable_log');
  expect(kept).toEqual([
    { event: 'OddOne', block_number: '7', reason: expect.stringContaining('first has a NUL character') },
  ]);
});

test('a reorg takes its rows out of the chain, and a subscriber hears it', async () => {
  const changes = new AbortController();
  const heard: string[] = [];
  const response = await fetch(`${api.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
    body: JSON.stringify({
      query: `subscription { transferEvents(where: { from: { eq: "${BOB}" } }) { changes { type node { value } } } }`,
    }),
    signal: changes.signal,
  });
  const reading = (async () => {
    for await (const text of response.body!.pipeThrough(new TextDecoderStream()))
      for (const [, type, value] of text.matchAll(/"type":"(\w+)","node":\{"value":"(\d+)"/g))
        heard.push(`${type} ${value}`);
  })().catch(() => {});
  const at = (branch: string) => ({ block: 20, branch });
  await advance(1, 19, 20, 'a', [chainLog(erc20, TOKEN, at('a'), [BOB, ALICE, 77n])]);
  await until('the new one', () => heard.length > 0);
  await advance(2, 19, 20, 'b', []);
  await until('its removal', () => heard.length > 1);
  expect(heard).toEqual(['ADDED 77', 'REMOVED 77']);
  changes.abort();
  await reading;
});
