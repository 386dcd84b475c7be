import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { RunningApi } from '#apps/api/server.js';
import { Database } from '#libs/database/database.js';
import { ask, askData, startTestApi } from './services/api.js';
import { ADDRESS, block, CHAIN_ID, hashOf, LedgerFixture } from './services/ledger-fixture.js';
import { get } from './services/rest.js';

let ledger: LedgerFixture;
let api: RunningApi;

beforeAll(async () => {
  ledger = await LedgerFixture.create(inject('postgresUrl'));
  const { term } = await ledger.lead();
  const logs = (n: number) =>
    [1, 2, 3].map((i) => ({ tx: `tx ${n}`, index: i, amount: 10n ** BigInt(10 * i) }));
  const blocks = [10, 11, 12, 13].map((n) => block(n, 'a', logs(n)));
  await ledger.apply(term, 1, { above: 9, blocks }, { final: 11, hash: hashOf(11, 'a') });
  await ledger.apply(term, 3, { above: 12, blocks: [block(13, 'b', [{ tx: 'other' }], 'a')] });
  api = await startTestApi({ database: ledger.database });
});
afterAll(async () => {
  await api?.close();
  await ledger?.close();
});

const EVENTS = '/socket-bridge-events';
const STATS = '/socket-bridge-stats';

/** A GraphQL selection of all fields of a type, as deep as it goes. */
async function selectionOf(type: string): Promise<string> {
  const { __type } = await askData(
    api.url,
    `query ($type: String!) { __type(name: $type) { fields { name type { ...T } } } }
     fragment T on __Type { name kind ofType { name kind ofType { name kind ofType { name kind } } } }`,
    { type },
  );
  const parts = __type.fields.map(async (field: { name: string; type: TypeRef }) => {
    const named = innermost(field.type);
    return named.kind === 'OBJECT' ? `${field.name} ${await selectionOf(named.name!)}` : field.name;
  });
  return `{ ${(await Promise.all(parts)).join(' ')} }`;
}

interface TypeRef {
  readonly name: string | null;
  readonly kind: string;
  readonly ofType: TypeRef | null;
}

function innermost(type: TypeRef): TypeRef {
  return type.ofType ? innermost(type.ofType) : type;
}

test('a page holds what GraphQL gives for the same arguments, every field in the same form', async () => {
  const node = await selectionOf('SocketBridgeEvent');
  const query = `{ socketBridgeEvents(where: {amount: {gte: "20"}}, orderBy: [{field: amount, direction: DESC}, {field: blockNumber}], first: 4, includeRemoved: true) {
    nodes ${node} pageInfo ${await selectionOf('PageInfo')} totalCount asOf } }`;
  const { socketBridgeEvents } = await askData(api.url, query);
  const page = await get(api.url, EVENTS, {
    'amount.gte': '20',
    orderBy: '-amount,blockNumber',
    first: '4',
    includeRemoved: 'true',
    totalCount: 'true',
  });
  expect(page.status).toBe(200);
  expect(page.body).toMatchObject(socketBridgeEvents);
  expect(socketBridgeEvents.nodes).toHaveLength(4);
  expect(Object.keys(page.body.nodes[0]).sort()).toEqual(Object.keys(socketBridgeEvents.nodes[0]).sort());
});

test('chains are given as GraphQL gives them, all and one by one', async () => {
  const { chains } = await askData(api.url, `{ chains ${await selectionOf('Chain')} }`);
  const moving = { lagSeconds: expect.any(Number), backfill: expect.anything() };
  const all = await get(api.url, '/chains');
  expect(all.body).toEqual(chains.map((chain: object) => ({ ...chain, ...moving })));
  expect((await get(api.url, `/chains/${CHAIN_ID}`)).body).toMatchObject({ id: CHAIN_ID, name: 'Test' });
});

test('aggregates are those of GraphQL, with the figures that are asked for', async () => {
  const { socketBridgeStats } = await askData(
    api.url,
    `{ socketBridgeStats(where: {amount: {gt: "1"}, blockTimestamp: {gte: "2023-11-14T00:00:00Z", lt: "2023-11-16T00:00:00Z"}},
         groupBy: [chainId, token], bucket: DAY, orderBy: [{field: sumAmount, direction: DESC}]) {
       groups { bucket key { chainId token } count distinct { sender } sum { amount } max { amount } } hasMore asOf } }`,
  );
  const parameters = {
    'amount.gt': '1',
    'blockTimestamp.gte': '2023-11-14T00:00:00Z',
    'blockTimestamp.lt': '2023-11-16T00:00:00Z',
    groupBy: 'chainId,token',
    bucket: 'DAY',
    orderBy: '-sumAmount',
  };
  const figures = 'distinctSender,sumAmount,maxAmount';
  const { body } = await get(api.url, STATS, { ...parameters, figures });
  const [group] = socketBridgeStats.groups;
  expect(group.count).toBe(9);
  expect(body).toEqual({ ...socketBridgeStats, groups: [{ ...group, min: {} }] });
  const counts = await get(api.url, STATS, parameters);
  expect(counts.body.groups).toEqual([{ ...body.groups[0], distinct: {}, sum: {}, max: {} }]);
});

describe('an aggregate is refused, in the words of GraphQL', () => {
  test.each<[string, RegExp]>([
    ['figures=sumAmount', /^amount can be summed .* add chainId and token to `groupBy`/],
    ['figures=sumAmont', /^figures.0: .*"sumAmont".*"sumAmount"/],
    ['groupBy=chain', /^groupBy.0: .*"chainId"/],
    ['bucket=HOUR', /^bucket HOUR needs a range of time/],
    ['orderBy=token', /group by it, too/],
    ['first=0', /1 to 1000 groups/],
    ['fist=1', /did you mean first\?/],
  ])('%s', async (query, message) => {
    const { status, body } = await get(api.url, `${STATS}?${query}`);
    expect([status, body.error.code]).toEqual([400, 'BAD_USER_INPUT']);
    expect(body.error.message).toMatch(message);
  });
});

test('the links of a page lead through all rows and back', async () => {
  const { body } = await get(api.url, EVENTS, { first: '100', 'amount.ne': '1' });
  const ids = body.nodes.map((node: { id: string }) => node.id);
  expect(ids).toHaveLength(9);
  const walk = async (start: string, relation: string) => {
    const pages: string[][] = [];
    for (let path: string | undefined = start; path; ) {
      const page = await get(api.url, path.replace(/^\/api/, ''));
      pages.push(page.body.nodes.map((node: { id: string }) => node.id));
      path = new RegExp(`<([^>]*)>; rel="${relation}"`).exec(page.headers.get('link') ?? '')?.[1];
    }
    return pages;
  };
  expect((await walk(`${EVENTS}?first=4&amount.ne=1`, 'next')).flat()).toEqual(ids);
  expect((await walk(`${EVENTS}?last=4&amount.ne=1`, 'prev')).reverse().flat()).toEqual(ids);
});

describe('filters', () => {
  const count = async (parameters: Record<string, string>) => {
    const { status, body } = await get(api.url, EVENTS, { totalCount: 'true', first: '0', ...parameters });
    expect([status, body]).toEqual([200, expect.anything()]);
    return body.totalCount;
  };

  test.each<[Record<string, string>, number]>([
    [{}, 10],
    [{ chainId: '7', bridge: 'Hop' }, 10],
    [{ chainId: '8' }, 0],
    [{ 'bridge.in': 'Across,Hop' }, 10],
    [{ 'bridge.in': '' }, 0],
    [{ 'blockNumber.in': '10,12' }, 6],
    [{ 'blockNumber.gt': '10', 'blockNumber.lte': '12' }, 6],
    [{ 'amount.ne': '10000000000' }, 7],
    [{ finality: 'FINALIZED' }, 6],
    [{ token: ADDRESS.toUpperCase().replace('X', 'x') }, 10],
    [{ 'blockTimestamp.lt': '2023-11-14T22:13:31Z' }, 3],
    [{ where: '{"or": [{"blockNumber": {"eq": 10}}, {"not": {"amount": {"ne": "1"}}}]}' }, 4],
    [{ where: '{"blockNumber": {"eq": 10}}', 'amount.gt': '10000000000' }, 2],
    [{ where: 'null' }, 10],
    [{ orderBy: '' }, 10],
  ])('%j find %i rows', async (parameters, rows) => {
    expect(await count(parameters)).toBe(rows);
  });
});

describe('is refused, naming the parameter', () => {
  test.each<[string, RegExp]>([
    ['frist=5', /^there is no parameter "frist": did you mean first\?$/],
    ['amont.gte=5', /"amont.gte": did you mean amount.gte\?/],
    ['bridge.gt=Hop', /"bridge.gt"/],
    ['__proto__=1', /"__proto__"/],
    ['zzzzzzzzzzzzzzz=1', /\/api\/docs/],
    ['first=5&first=6', /^first is given twice/],
    ['first=five', /^first: Int cannot represent/],
    ['first=1001', /a page has 0 to 1000 rows, not 1001/],
    ['first=1&last=1', /not both/],
    ['amount.gte=1e3', /^amount.gte: "1e3" is not a BigInt/],
    ['chainId=-1', /^chainId: -1 is not a SafeInt/],
    ['chainId=x', /^chainId: "x" is not a SafeInt/],
    ['chainId.in=1,,2', /^chainId.in.1: "" is not a SafeInt/],
    ['blockTimestamp.gt=yesterday', /^blockTimestamp.gt: "yesterday" is not a DateTime/],
    ['bridge=%00', /NUL/],
    ['finality=MAYBE', /^finality: .*MAYBE/],
    ['includeRemoved=yes', /^includeRemoved: Boolean cannot represent/],
    ['orderBy=-amont', /^orderBy.0.field: .*amont.*amount/],
    ['where={', /^where is not JSON/],
    ['where={"amont":{"eq":"1"}}', /^where: .*"amont".*"amount"/],
    ['where={"amount":{"eq":"x"}}', /^where.amount.eq: "x" is not a BigInt/],
    ['where=[1]', /^where: /],
    ['after=nonsense', /not a page cursor/],
    ['after=bm9uc2Vuc2U', /not a page cursor/],
  ])('%s', async (query, message) => {
    const { status, body } = await get(api.url, `${EVENTS}?${query}`);
    expect([status, body.error.code]).toEqual([400, 'BAD_USER_INPUT']);
    expect(body.error.message).toMatch(message);
  });

  test.each<[string, Record<string, string>, RegExp]>([
    [
      'a where nested 300 levels deep',
      { where: `${'{"not":'.repeat(300)}{}${'}'.repeat(300)}` },
      /10 levels/,
    ],
    ['a list of 1001 values', { 'chainId.in': Array(1_001).fill(1).join() }, /at most 1000/],
  ])('%s', async (_, parameters, message) => {
    const { status, body } = await get(api.url, EVENTS, parameters);
    expect([status, body.error.code]).toEqual([400, 'BAD_USER_INPUT']);
    expect(body.error.message).toMatch(message);
  });

  test('in the words that GraphQL uses', async () => {
    const { errors } = await ask(
      api.url,
      'query ($where: SocketBridgeEventWhere) { socketBridgeEvents(where: $where) { asOf } }',
      { where: { amount: { gte: 'x' } } },
    );
    const { body } = await get(api.url, EVENTS, { 'amount.gte': 'x' });
    const words = body.error.message.replace('amount.gte: ', '');
    expect(errors![0]!.message).toContain(words);
  });
});

test('an event is found by its id, also a removed one; one that is not there is 404, and what is no id is 400', async () => {
  const removed = (await get(api.url, EVENTS, { includeRemoved: 'true' })).body.nodes.find(
    (node: { removed: boolean }) => node.removed,
  );
  expect((await get(api.url, `${EVENTS}/${removed.id}`)).body).toEqual(removed);
  expect((await get(api.url, `${EVENTS}/${encodeURIComponent(removed.id)}`)).body).toEqual(removed);
  const codes = async (path: string) => {
    const { status, body } = await get(api.url, path);
    return [status, body.error.code];
  };
  expect(await codes(`${EVENTS}/1:${hashOf(1, 'x')}:0`)).toEqual([404, 'NOT_FOUND']);
  expect(await codes(`${EVENTS}/5`)).toEqual([400, 'BAD_USER_INPUT']);
  expect(await codes(`${EVENTS}/%ff`)).toEqual([400, 'BAD_USER_INPUT']);
  expect(await codes(`${EVENTS}/${removed.id}?first=1`)).toEqual([400, 'BAD_USER_INPUT']);
  expect(await codes('/chains/8')).toEqual([404, 'NOT_FOUND']);
  expect(await codes('/nothing')).toEqual([404, 'NOT_FOUND']);
  expect(await codes('/docs/..%2f..%2fpackage.json')).toEqual([404, 'NOT_FOUND']);
});

test('HEAD has the headers of GET and no body; other methods are told which there are', async () => {
  const head = await get(api.url, EVENTS, { first: '1' }, { method: 'HEAD' });
  expect([head.status, head.body]).toEqual([200, '']);
  expect(Number(head.headers.get('content-length'))).toBeGreaterThan(100);
  expect(head.headers.get('cache-control')).toBe('no-store');
  const post = await get(api.url, EVENTS, {}, { method: 'POST', body: '{}' });
  expect([post.status, post.headers.get('allow'), post.body.error.code]).toEqual([
    405,
    'GET, HEAD, OPTIONS',
    'METHOD_NOT_ALLOWED',
  ]);
});

test('a page of an allowed origin may read, one of another origin may not', async () => {
  const origin = async (name: string, method = 'GET') =>
    (await get(api.url, '/chains', {}, { method, headers: { origin: name } })).headers;
  const allowed = await origin('http://localhost:5173');
  expect(allowed.get('access-control-allow-origin')).toBe('http://localhost:5173');
  expect(allowed.get('access-control-expose-headers')).toMatch(/Feed-Cursor/);
  expect((await origin('https://elsewhere.example')).get('access-control-allow-origin')).toBeNull();
  const preflight = await origin('http://localhost:5173', 'OPTIONS');
  expect(preflight.get('access-control-allow-methods')).toMatch(/GET/);
  expect(
    (await origin('https://elsewhere.example', 'OPTIONS')).get('access-control-allow-methods'),
  ).toBeNull();
});

test('without Postgres an answer is 503 and tells nothing of the connection', async () => {
  const database = Database.open('postgresql://nobody:secret@127.0.0.1:1/nothing');
  const away = await startTestApi({ database });
  try {
    for (const path of [EVENTS, '/chains', `${EVENTS}/export.ndjson`, `${EVENTS}/stream`]) {
      const { status, body } = await get(away.url, path);
      expect([status, body.error.code]).toEqual([503, 'DATABASE_UNAVAILABLE']);
      expect(JSON.stringify(body)).not.toMatch(/secret|nobody|127\.0\.0\.1/);
    }
  } finally {
    await away.close();
    await database.close();
  }
});

test('an error that nobody foresaw is masked, with an id', async () => {
  const broken = await LedgerFixture.create(inject('postgresUrl'));
  await broken.database.mikroOrm.schema.execute('drop table socket_bridge_event');
  const other = await startTestApi({ database: broken.database });
  try {
    const { status, body } = await get(other.url, EVENTS);
    expect([status, body.error.code]).toEqual([500, 'INTERNAL_SERVER_ERROR']);
    expect(body.error.requestId).toMatch(/^[0-9a-f-]{36}$/);
    expect(JSON.stringify(body)).not.toMatch(/socket_bridge_event|select/);
  } finally {
    await other.close();
    await broken.close();
  }
});
