import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { limits } from '#apps/api/limits/limits.js';
import type { RunningApi } from '#apps/api/server.js';
import { Database } from '#libs/database/database.js';
import { ask, startTestApi } from './services/api.js';
import { block, LedgerFixture } from './services/ledger-fixture.js';
import { query as sqlQuery } from './services/query.js';
import { firstAnswer, transports } from './services/transports.js';
import { until } from './services/until.js';

let ledger: LedgerFixture;
let api: RunningApi;

beforeAll(async () => {
  ledger = await LedgerFixture.create(inject('postgresUrl'));
  const { term } = await ledger.lead();
  await ledger.apply(term, 1, { above: 9, blocks: [block(10, 'a', [{ tx: 't' }])] });
  api = await startTestApi({ database: ledger.database });
});
afterAll(async () => {
  await api?.close();
  await ledger?.close();
});

const times = (n: number, text: (i: number) => string) =>
  Array.from({ length: n }, (_, i) => text(i)).join(' ');
const nested = (n: number) => `${'{ not: '.repeat(n)}{}${' }'.repeat(n)}`;
const fields =
  'id chainId blockNumber blockHash blockTimestamp txHash txIndex logIndex address sender receiver amount';

/** Each limit of a query, exceeded by as little as possible; the same within it is no error of that kind. */
const tooMuch: readonly [title: string, code: string, says: RegExp, query: (excess: 0 | 1) => string][] = [
  [
    'characters',
    'QUERY_TOO_LONG',
    /20001 characters.*20000/,
    (excess) => '{ chains { id } }'.padEnd(limits.queryCharacters + excess, '#'),
  ],
  [
    'tokens',
    'TOO_MANY_TOKENS',
    /1000 tokens/,
    (excess) => `{ chains { ${times(limits.queryTokens - 5 + excess, () => 'id')} } }`,
  ],
  [
    'levels of fields',
    'QUERY_TOO_DEEP',
    /11 fields deep.*10/,
    // fields that don't exist: depth and existence are checked alike
    (excess) =>
      `{ ${times(limits.queryDepth - 1 + excess, () => 'a {')} b ${times(limits.queryDepth - 1 + excess, () => '}')} }`,
  ],
  [
    'aliases',
    'TOO_MANY_ALIASES',
    /21 aliases.*20/,
    (excess) => `{ ${times(limits.queryAliases + excess, (i) => `a${i}: __typename a${i}: chains { id }`)} }`,
  ],
  [
    'rows times fields',
    'QUERY_TOO_EXPENSIVE',
    /\d+ fields, at most 100000.*first/,
    (excess) =>
      `{ ${times(8 + excess, (i) => `a${i}: socketBridgeEvents(first: ${excess ? 1000 : 10}) { nodes { ${fields} } }`)} }`,
  ],
  [
    'fields spread by fragments',
    'QUERY_TOO_EXPENSIVE',
    /once its fragments are spread/,
    (excess) => {
      const depth = excess ? 6 : 2;
      const fragment = (i: number) =>
        `fragment F${i} on SocketBridgeEvent { ${times(4, () => (i ? `...F${i - 1}` : 'id'))} }`;
      return `{ socketBridgeEvents(first: 1) { nodes { ...F${depth} } } } ${times(depth + 1, fragment)}`;
    },
  ],
];

describe.each(transports)('over %s', (transport) => {
  test.each(tooMuch)('a query of too many %s is refused: %s', async (_title, code, says, query) => {
    const { errors, data } = await firstAnswer(api.url, transport, { query: query(1) });
    expect(errors?.map((error) => error.extensions?.code)).toContain(code);
    expect(errors!.find((error) => error.extensions?.code === code)!.message).toMatch(says);
    expect(data ?? null).toBeNull();
    const within = await firstAnswer(api.url, transport, { query: query(0) });
    expect(within.errors?.map((error) => error.extensions?.code) ?? []).not.toContain(code);
  });

  test.each([
    ['an unreadable query', '{', {}, 'GRAPHQL_PARSE_FAILED', /Syntax Error/],
    ['a field that does not exist', '{ nobody }', {}, 'GRAPHQL_VALIDATION_FAILED', /nobody/],
    [
      'a variable that does not fit',
      'query ($id: SafeInt!) { chain(id: $id) { id } }',
      { id: 'x' },
      'BAD_USER_INPUT',
      /SafeInt/,
    ],
    [
      'a variable that is missing',
      'query ($id: SafeInt!) { chain(id: $id) { id } }',
      {},
      'BAD_USER_INPUT',
      /\$id/,
    ],
    [
      'no operation of that kind',
      'fragment F on Query { chains { id } }',
      {},
      /^[A-Z]+(_[A-Z]+)+$/,
      /operation|never used/i,
    ],
    [
      'a page of too many rows',
      '{ socketBridgeEvents(first: 1001) { nodes { id } } }',
      {},
      'BAD_USER_INPUT',
      /1000.*1001/,
    ],
    [
      'an `in` of too many values',
      'query ($ids: [SafeInt!]) { socketBridgeEvents(where: { chainId: { in: $ids } }) { nodes { id } } }',
      { ids: Array.from({ length: 1001 }, (_, i) => i) },
      'BAD_USER_INPUT',
      /1001 values.*1000/,
    ],
    [
      'a `where` that is nested too deep',
      `{ socketBridgeEvents(where: ${nested(11)}) { nodes { id } } }`,
      {},
      'BAD_USER_INPUT',
      /nested/,
    ],
    [
      'a page cursor that is none',
      '{ socketBridgeEvents(after: "x") { nodes { id } } }',
      {},
      'BAD_USER_INPUT',
      /page cursor/,
    ],
    [
      'a feed cursor that is none',
      'subscription { socketBridgeEvents(since: "x") { cursor } }',
      {},
      'BAD_USER_INPUT',
      /feed cursor/,
    ],
    [
      'a batch that is too large',
      'subscription { socketBridgeEvents(batchSize: 1001) { cursor } }',
      {},
      'BAD_USER_INPUT',
      /1000/,
    ],
  ] as const)('%s is told with a code and text', async (_title, query, variables, code, says) => {
    const subscribes = query.startsWith('subscription');
    const over = subscribes && transport === 'HTTP' ? 'SSE' : transport;
    const { errors } = await firstAnswer(api.url, over, { query, variables });
    expect(errors?.[0]?.extensions?.code).toMatch(code);
    expect(errors![0]!.message).toMatch(says);
    expect(JSON.stringify(errors)).not.toContain('"http"');
  });
});

/** Every field of a type that needs no argument, with every field of theirs. */
async function everyField(type: string): Promise<string> {
  const { data } = await ask(
    api.url,
    '{ __schema { types { name kind fields { name type { name ofType { name ofType { name ofType { name } } } } } } } }',
  );
  type Type = { name: string | null; ofType?: Type; fields?: { name: string; type: Type }[] };
  const types = new Map((data.__schema.types as Type[]).map((one) => [one.name, one]));
  const named = (one: Type): Type => (one.ofType ? named(one.ofType) : types.get(one.name)!);
  const selection = ({ fields }: Type): string =>
    fields ? `{ ${fields.map((field) => `${field.name} ${selection(named(field.type))}`).join(' ')} }` : '';
  return selection(types.get(type)!);
}

test('a page of as many rows as it may have, with every field, is within the limits', async () => {
  const node = await everyField('SocketBridgeEvent');
  const { errors } = await ask(
    api.url,
    `{ socketBridgeEvents(first: ${limits.pageMax}) { totalCount asOf nodes ${node} edges { cursor node ${node} } } }`,
  );
  expect(errors).toBeUndefined();
});

test('as many groups as stats may have, with every field, are within the limits', async () => {
  const stats = await everyField('SocketBridgeStats');
  const { errors } = await ask(
    api.url,
    `{ socketBridgeStats(first: ${limits.pageMax}, groupBy: [chainId, token]) ${stats} }`,
  );
  expect(errors).toBeUndefined();
});

test('introspection that goes in circles is refused', async () => {
  const { errors } = await ask(
    api.url,
    '{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }',
  );
  expect(errors?.[0]).toMatchObject({
    message: expect.stringMatching(/introspection depth/i),
    extensions: { code: 'GRAPHQL_VALIDATION_FAILED' },
  });
});

test('a body that is too large is answered 413, whether its length is told or not', async () => {
  const body = JSON.stringify({ query: '{ chains { id } }', variables: { x: 'x'.repeat(limits.bodyBytes) } });
  const headers = { 'content-type': 'application/json' };
  const chunked = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(body));
      controller.close();
    },
  });
  const told = await fetch(`${api.url}/graphql`, { method: 'POST', headers, body });
  const untold = await fetch(`${api.url}/graphql`, {
    method: 'POST',
    headers,
    body: chunked,
    ...{ duplex: 'half' },
  });
  for (const response of [told, untold]) {
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({
      errors: [{ extensions: { code: 'REQUEST_ENTITY_TOO_LARGE' } }],
    });
  }
});

test('a URL that is too long is answered 414, and one beyond the headers 431', async () => {
  const url = (n: number) => `${api.url}/graphql?query=${'a'.repeat(n)}`;
  const long = await fetch(url(limits.urlCharacters));
  expect(long.status).toBe(414);
  expect(await long.json()).toMatchObject({ errors: [{ extensions: { code: 'URI_TOO_LONG' } }] });
  expect((await fetch(url(20_000))).status).toBe(431);
});

/** What a request is answered whose lines are sent as they are. */
async function answerTo(...lines: string[]): Promise<{ status: number; body: string }> {
  const { hostname, port } = new URL(api.url);
  const socket = connect(Number(port), hostname);
  socket.write(`${[...lines, 'Connection: close'].join('\r\n')}\r\n\r\n`);
  const [head = '', ...body] = (await text(socket)).split('\r\n\r\n');
  return { status: Number(head.split(' ')[1]), body: body.join('\r\n\r\n') };
}

test.each([
  ['GET /graphql?query={__typename}', '['],
  ['GET /graphql?query={__typename}', 'x:99999'],
  ['GET /graphql', 'a b'],
  ['GET //graphql', 'x:99999'],
  ['GET http://x/graphql', 'x:80'],
  ['OPTIONS *', 'a b'],
  ['OPTIONS *', 'x:80'],
  ['POST /graphql', '%'],
  ['GET /elsewhere', '['],
])(
  '%s of the host %s, which makes no URL, is answered 400 and tells nothing of the server',
  async (line, host) => {
    const { status, body } = await answerTo(`${line} HTTP/1.1`, `Host: ${host}`);
    expect(status).toBe(400);
    expect(JSON.parse(body)).toEqual({
      errors: [
        {
          message: expect.stringContaining(JSON.stringify(host)),
          extensions: { code: 'BAD_REQUEST', requestId: expect.any(String) },
        },
      ],
    });
  },
);

test.each(['variables=[', 'extensions=no', 'variables={}&extensions={'])(
  'GET /graphql with %s, which is no JSON, is answered 400',
  async (parameters) => {
    const response = await fetch(`${api.url}/graphql?query={__typename}&${parameters}`);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      errors: [{ message: expect.stringContaining('is no JSON'), extensions: { code: 'BAD_REQUEST' } }],
    });
  },
);

test('REST answers a host that makes no URL 400 in its own form', async () => {
  const { status, body } = await answerTo('GET /api/chains HTTP/1.1', 'Host: [');
  expect(status).toBe(400);
  expect(JSON.parse(body)).toMatchObject({ error: { code: 'BAD_REQUEST' } });
});

test.each(['event_monitor:3000', '[::1]:80', '127.0.0.1', 'EXAMPLE.org.', ''])(
  'a request of the host "%s" is answered',
  async (host) => {
    const { status } = await answerTo('GET /graphql?query={__typename} HTTP/1.1', `Host: ${host}`);
    expect(status).toBe(200);
  },
);

test('several operations in one request are refused', async () => {
  const response = await fetch(`${api.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify([{ query: '{ chains { id } }' }, { query: '{ chains { id } }' }]),
  });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({
    errors: [{ message: expect.stringMatching(/Batching/), extensions: { code: 'BAD_REQUEST' } }],
  });
});

test('a statement that takes too long is ended with QUERY_TIMEOUT, and the next request is answered', async () => {
  const database = Database.open(ledger.url, { statementTimeoutMs: 300 });
  const slow = await startTestApi({ database });
  try {
    // the table is held, as by a query that reads it for long
    const holding = sqlQuery(ledger.url, 'begin; lock table socket_bridge_event; select pg_sleep(2); commit');
    const timeout = await until('the timeout', async () => {
      const { errors } = await ask(slow.url, '{ socketBridgeEvents { totalCount } }');
      return errors?.[0];
    });
    expect(timeout).toMatchObject({
      message: expect.stringMatching(/ask for less/),
      extensions: { code: 'QUERY_TIMEOUT', requestId: expect.any(String) },
    });
    await holding;
    const { data } = await ask(slow.url, '{ socketBridgeEvents { totalCount } }');
    expect(data.socketBridgeEvents.totalCount).toBe(1);
  } finally {
    await slow.close();
    await database.close();
  }
});
