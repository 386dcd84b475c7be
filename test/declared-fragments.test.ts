import { GraphQLSchema } from 'graphql';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { ServedEvents } from '#apps/api/served-events.js';
import type { RunningApi } from '#apps/api/server.js';
import { declareFragments } from '#libs/database/event-fragments.js';
import type { EventDefinition } from '#libs/events/event.js';
import { ask, startTestApi } from './services/api.js';
import { CHAIN_ID, LedgerFixture } from './services/ledger-fixture.js';
import { query } from './services/query.js';
import { get } from './services/rest.js';
import { until } from './services/until.js';

const OTHER = `0x${'72'.repeat(20)}`;
const erc20 = 'event Transfer(address indexed from, address indexed to, uint256 value)';

let ledger: LedgerFixture;
let api: RunningApi;

beforeAll(async () => {
  ledger = await LedgerFixture.create(inject('postgresUrl'));
  await ledger.lead();
  await declareFragments(ledger.database, [{ fragment: erc20, name: null }]);
  api = await startTestApi({ database: ledger.database });
});
afterAll(async () => {
  await api?.close();
  await ledger?.close();
});

test('an event that is declared while the API runs is served without a restart of it', async () => {
  const [name] = await declareFragments(ledger.database, [
    { fragment: 'event Approval(address indexed owner, address indexed spender, uint256 value)', name: null },
  ]);
  expect(name).toBe('Approval');
  await until(
    'the new schema',
    async () => !(await ask(api.url, '{ approvalEvents { nodes { id } } }')).errors,
  );
});

test('a fragment does not take over what a build with a folder for it has stored', async () => {
  await query(
    ledger.url,
    `insert into source (chain_id, address, event, start_block, coverage) values (${CHAIN_ID}, '\\x${OTHER.slice(2)}', 'Gone', 1, '{[1,11)}')`,
  );
  const fragment = 'event Gone(uint256 a)';
  expect(await declareFragments(ledger.database, [{ fragment, name: null }])).toEqual([
    expect.stringMatching(/^Gone_[0-9a-f]{8}$/),
  ]);
  await expect(
    declareFragments(ledger.database, [{ fragment: 'event Gone(int8 a)', name: 'Gone' }]),
  ).rejects.toThrow(
    /Gone is the name of another event, which a build with a folder for it has followed here/,
  );
});

test('an event that can not be served is left out, what is declared beside it is served, and the API stays ready', async () => {
  // no fetcher of this version declares one of this name
  await query(
    ledger.url,
    `insert into event_fragment (name, fragment) values ('Not a name', 'event Odd(uint8 a)')`,
  );
  await declareFragments(ledger.database, [{ fragment: 'event Later(uint256 value)', name: null }]);
  const later = '{ laterEvents { nodes { id } } transferEvents { nodes { id } } }';
  await until('the new schema', async () => !(await ask(api.url, later)).errors);
  expect(await (await fetch(`${api.url}/readyz`)).text()).toBe('ready\n');
  const restarted = await startTestApi({ database: ledger.database });
  expect((await ask(restarted.url, later)).errors).toBeUndefined();
  expect((await get(restarted.url, '/later-events')).status).toBe(200);
  expect(Object.keys((await get(restarted.url, '/openapi.json')).body.paths).join()).not.toMatch(
    /not.a.name/i,
  );
  await restarted.close();
  await query(ledger.url, `delete from event_fragment where name = 'Not a name'`);
});

test('an API that can not serve new events logs it once, and goes on with those it has', async () => {
  const failing = (made: number) => (events: readonly EventDefinition[]) => {
    if (made++) throw new Error(`no room for ${events.length} events`);
    return { schema: new GraphQLSchema({}), rest: () => true };
  };
  const { database, url } = ledger;
  const lines: string[] = [];
  const logger = pino({ level: 'error' }, { write: (line: string) => void lines.push(line) });
  const served = new ServedEvents(database, failing(0), logger);
  const { current } = served;
  expect(served.problem).toBe('events without a folder are not known yet');
  await served.start();
  expect(served.problem).toBeNull();
  await query(
    url,
    `insert into event_fragment (name, fragment) values ('Another', 'event Another(uint8 a)')`,
  );
  await until('the failure', () => lines.length > 0);
  expect(lines.map((line) => JSON.parse(line).msg)).toEqual([
    expect.stringMatching(/^events as of now can't be served: no room for \d+ events$/),
  ]);
  expect(served.problem).toBeNull();
  expect(served.current).toBe(current);
  await served.stop();
});

test.each([
  [
    'a name that a folder has',
    { fragment: 'event Ping(uint256 a)', name: 'SocketBridge' },
    /SocketBridge is the name of another event/,
  ],
  [
    'a name that another has',
    { fragment: 'event Ping(uint256 a)', name: 'transfer' },
    /is the name of another event/,
  ],
  [
    'another name for what is followed',
    { fragment: erc20, name: 'Erc20' },
    /is followed as Transfer already/,
  ],
  [
    'other names of arguments',
    { fragment: erc20.replace('value', 'amount'), name: null },
    /with other names of arguments: write it as "event Transfer\(address indexed from/,
  ],
])('%s is refused with what to do', async (_, wanted, reason) => {
  await expect(declareFragments(ledger.database, [wanted])).rejects.toThrow(reason);
});
