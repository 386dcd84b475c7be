import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { isDeepStrictEqual, promisify } from 'node:util';
import { buildSchema, type OperationDefinitionNode, OperationTypeNode, parse, validate } from 'graphql';
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import WebSocket from 'ws';
import { defaultQuery } from '#apps/api/graphql/graphiql.js';
import type { RunningApi } from '#apps/api/server.js';
import { ask, startTestApi } from './services/api.js';
import { codeBlocks, layDocumentedFiles } from './services/documented-files.js';
import { block, hashOf, LedgerFixture } from './services/ledger-fixture.js';
import { query } from './services/query.js';
import { until } from './services/until.js';
import { Wire } from './services/wire.js';

const blocks = codeBlocks('graphql.md');
const shown = blocks.filter(({ language, file }) => language === 'graphql' && file === null);
const root = fileURLToPath(new URL('..', import.meta.url));

let ledger: LedgerFixture;
let api: RunningApi;
let term: number;

beforeAll(async () => {
  ledger = await LedgerFixture.create(inject('postgresUrl'));
  term = (await ledger.lead()).term;
  // more than two pages of history, and the first news
  const logs = Array.from({ length: 250 }, (_, index) => ({ tx: `old ${index}`, amount: BigInt(index) }));
  await ledger.history(
    1,
    9,
    [1, 5, 9].map((n, i) => block(n, 'a', logs.slice(i * 90, i * 90 + 90))),
    term,
  );
  const blocks = [block(10, 'a', [{ tx: 'first' }])];
  await ledger.apply(term, 1, { above: 9, blocks }, { final: 10, hash: hashOf(10, 'a') });
  api = await startTestApi({ database: ledger.database });
});
afterAll(async () => {
  await api?.close();
  await ledger?.close();
});

describe('each example of the page is answered without an error:', () => {
  const named = shown.map(({ text }) => {
    const [operation] = parse(text).definitions as OperationDefinitionNode[];
    return [operation!.name!.value, operation!.operation, text] as const;
  });

  test.each(named)('%s, a %s', async (_name, operation, text) => {
    if (operation === OperationTypeNode.QUERY) {
      expect((await ask(api.url, text)).errors).toBeUndefined();
      return;
    }
    const url = `${api.url.replace('http', 'ws')}/graphql`;
    const client = createClient({ url, webSocketImpl: WebSocket, retryAttempts: 0 });
    const messages = client.iterate({ query: text, variables: { since: '0' } });
    const { value } = await messages.next();
    await client.dispose();
    expect(value).toMatchObject({ data: { socketBridgeEvents: { cursor: expect.any(String) } } });
    expect(value.errors).toBeUndefined();
  });
});

test('what GraphiQL shows at first fits the schema, and subscribes', () => {
  const schema = buildSchema(readFileSync(`${root}schema.graphql`, 'utf8'));
  const document = parse(defaultQuery);
  expect(validate(schema, document)).toEqual([]);
  const operations = document.definitions.map((one) => (one as OperationDefinitionNode).operation);
  expect(operations).toEqual(['query', 'query', 'subscription', 'query']);
});

/** The table as the client's rows are told: content by id. */
async function table(): Promise<object> {
  const rows = await query<{ id: string; content: string }>(
    ledger.url,
    `select chain_id || ':0x' || encode(tx_hash, 'hex') || ':' || log_index as id,
       concat_ws(' ', block_number, '0x' || encode(block_hash, 'hex'), amount, bridge) as content
     from socket_bridge_event where not removed`,
  );
  return Object.fromEntries(rows.map((row) => [row.id, row.content]));
}

type Row = { id: string; blockNumber: number; blockHash: string; amount: string; bridge: string };
type Follow = (url: string, rows: Map<string, Row>, stop: AbortSignal) => Promise<void>;

/** The documented client, checked by the compiler and made runnable. */
async function documentedClient(): Promise<Follow> {
  const folder = `${root}dist/documented-client`;
  await layDocumentedFiles(blocks, folder);
  const options =
    '--strict --target es2024 --lib es2024,dom --module nodenext --noEmitOnError --skipLibCheck';
  const args = [...options.split(' '), '--ignoreConfig', `${folder}/client.ts`];
  await promisify(execFile)(`${root}node_modules/.bin/tsc`, args, { cwd: root }).catch((error) => {
    throw new Error(`the documented client doesn't compile:\n${error.stdout}`);
  });
  const { follow } = await import(/* @vite-ignore */ pathToFileURL(`${folder}/client.js`).href);
  return follow as Follow;
}

test('the typed client holds the rows of the table: after the history, live, a cut connection, and reorgs with it there and away', async () => {
  const follow = await documentedClient();
  const wire = await Wire.to(api.url);
  const rows = new Map<string, Row>();
  const stop = new AbortController();
  const following = follow(`${wire.through(api.url)}graphql`, rows, stop.signal);
  const known = () =>
    Object.fromEntries(
      [...rows.values()].map((r) => [r.id, `${r.blockNumber} ${r.blockHash} ${r.amount} ${r.bridge}`]),
    );
  const equal = async (moment: string) => {
    const wanted = await table();
    await until(moment, () => isDeepStrictEqual(known(), wanted));
  };
  await equal('the history');
  expect(rows.size).toBe(251);

  const two = (n: number, branch: string, parent = branch) =>
    block(n, branch, [{ tx: `${branch} ${n}`, amount: 7n }, { tx: `moves ${n}` }], parent);
  await ledger.apply(term, 3, { above: 10, blocks: [two(11, 'a'), two(12, 'a'), two(13, 'a')] });
  await equal('new events');
  await ledger.apply(term, 4, { above: 12, blocks: [two(13, 'b', 'a')] });
  await equal('a reorg');

  await wire.cut();
  await ledger.apply(term, 5, { above: 11, blocks: [two(12, 'c', 'a'), block(13, 'c'), two(14, 'c')] });
  expect(known()).not.toEqual(await table());
  await wire.mend();
  await equal('what happened while the connection was cut');

  stop.abort();
  await following;
  await wire.cut();
});
