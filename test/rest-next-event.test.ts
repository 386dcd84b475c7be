import { AbiCoder, id, zeroPadValue } from 'ethers';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import type { RunningApi } from '#apps/api/server.js';
import { decodeLogs } from '#libs/database/decode-logs.js';
import { storeHistory } from '#libs/database/store-history.js';
import { eventByName } from '#libs/events/registry.js';
import { startTestApi } from './services/api.js';
import { LedgerFixture } from './services/ledger-fixture.js';
import { get } from './services/rest.js';

// a registry with one line more: nothing else is written for the second event
vi.mock('#libs/events/registry.js', async (original) => {
  const actual = await original<typeof import('#libs/events/registry.js')>();
  const { defineEvent } = await import('#libs/events/event.js');
  const tokenSeen = defineEvent({
    name: 'TokenSeen',
    signature: 'event TokenSeen(address indexed first, string note, bool spent)',
    description: 'A test: a column with the name of an argument, text, a boolean, and no amount.',
    columns: {
      first: { kind: 'address', description: 'Who saw it first.' },
      note: { kind: 'text', description: 'What was written.' },
      spent: { kind: 'boolean', description: 'Whether it is gone.' },
    },
  });
  const events = [...actual.events, tokenSeen];
  return { events, eventByName: (name: string) => events.find((event) => event.name === name) };
});

const CONTRACT = `0x${'cc'.repeat(20)}`;
const [ALICE, BOB] = [`0x${'0a'.repeat(20)}`, `0x${'0b'.repeat(20)}`];

let ledger: LedgerFixture;
let api: RunningApi;

beforeAll(async () => {
  ledger = await LedgerFixture.create(inject('postgresUrl'));
  await ledger.database.mikroOrm.schema.update();
  const event = eventByName('TokenSeen')!;
  const sources = [{ address: CONTRACT, event: event.name }];
  const logs = [ALICE, BOB, ALICE].map((first, i) => ({
    address: CONTRACT,
    topics: [event.topic0, zeroPadValue(first, 32)],
    data: AbiCoder.defaultAbiCoder().encode(['string', 'bool'], [`note, ${i}`, i === 2]),
    blockNumber: 5 + i,
    blockHash: id(`block ${i}`),
    blockTimestamp: 1_700_000_000 + i,
    txHash: id(`tx ${i}`),
    txIndex: 0,
    logIndex: i,
  }));
  const statement = { chainId: 1, sources, from: 1, to: 10 };
  await storeHistory(ledger.database, [
    { statement, ...decodeLogs(ledger.database.events, 1, sources, logs) },
  ]);
  api = await startTestApi({ database: ledger.database });
});
afterAll(async () => {
  await api?.close();
  await ledger?.close();
});

const notes = async (parameters: Record<string, string>) => {
  const { status, body } = await get(api.url, '/token-seen-events', parameters);
  expect([status, body]).toEqual([200, expect.anything()]);
  return body.nodes.map((node: { note: string }) => node.note);
};

test('another event type has pages with filters of its own columns', async () => {
  expect(await notes({})).toEqual(['note, 2', 'note, 1', 'note, 0']);
  expect(await notes({ spent: 'true' })).toEqual(['note, 2']);
  expect(await notes({ note: 'note, 1' })).toEqual(['note, 1']);
  expect(await notes({ where: '{"note": {"in": ["note, 0", "note, 1"]}}' })).toHaveLength(2);
  expect(await notes({ orderBy: 'first,note', first: '2' })).toEqual(['note, 0', 'note, 2']);
});

test('a column with the name of an argument is filtered with its operator', async () => {
  expect(await notes({ 'first.eq': BOB })).toEqual(['note, 1']);
  expect(await notes({ 'first.in': BOB, first: '5' })).toEqual(['note, 1']);
});

test('another event type has rows by id, aggregates, an export, a stream and a description', async () => {
  const [node] = (await get(api.url, '/token-seen-events', { first: '1' })).body.nodes;
  expect((await get(api.url, `/token-seen-events/${node.id}`)).body).toEqual(node);
  const stats = await get(api.url, '/token-seen-stats', { groupBy: 'spent', figures: 'distinctFirst' });
  expect(
    stats.body.groups.map(({ key, distinct }: { key: object; distinct: object }) => [key, distinct]),
  ).toEqual([
    [{ spent: false }, { first: 2 }],
    [{ spent: true }, { first: 1 }],
  ]);
  const lines = (await get(api.url, '/token-seen-events/export.ndjson')).body.trimEnd().split('\n');
  expect(lines.map((line: string) => JSON.parse(line).note)).toEqual(['note, 2', 'note, 1', 'note, 0']);
  const stream = await fetch(`${api.url}/api/token-seen-events/stream?since=0&spent=true`);
  for await (const text of stream.body!.pipeThrough(new TextDecoderStream()))
    if (text.includes('note, 2')) break;
  const { paths } = (await get(api.url, '/openapi.json')).body;
  const own = (stem: string) => Object.keys(paths).filter((path) => path.startsWith(`/api/${stem}-`));
  expect(own('token-seen')).toEqual(
    own('socket-bridge').map((p) => p.replace('socket-bridge', 'token-seen')),
  );
});
