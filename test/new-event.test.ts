import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { defineEvent, type EventDefinition } from '#libs/events/event.js';
import { jsonEvent } from '#libs/events/json-event.js';
import { folderOfEvent, writeFolder } from '../scripts/event-folder.js';

const events = new URL('../libs/events/', import.meta.url);

function copyOfEvents(): URL {
  const copy = mkdtempSync(join(tmpdir(), 'new-event-'));
  onTestFinished(() => rmSync(copy, { recursive: true, force: true }));
  cpSync(events, copy, { recursive: true });
  return pathToFileURL(`${copy}/`);
}

/** The event that the text of an event.ts declares. */
function declaredBy(text: string): EventDefinition {
  const script = stripTypeScriptTypes(text);
  const call = script.slice(script.indexOf('defineEvent('));
  return new Function('defineEvent', `return ${call}`)(defineEvent);
}

test.each([
  'event Transfer(address indexed from, address indexed to, uint256 value)',
  'event Odd(int24 tick, (address owner, uint256[2] ids)[] orders, string indexed label, bytes, bool removed, uint8 count, string first)',
  'event Paused()',
  'event Orders(uint256[] indexed ids, (uint256 a, address b)[2] indexed sides, (int8 x, string s) indexed last, bytes)',
  'event Named(uint256, uint256 arg0, uint256 tokenId, address tokenID, bool indexed _token_id)',
  'event Staked(address indexed user, uint256 distinctUser)',
  `event Long(uint256 ${'veryLong'.repeat(9)}, bool ${'veryLong'.repeat(10)})`,
])(
  'the folder of %s declares the fields that the event has without it, and an example that it reads',
  (fragment) => {
    const folder = folderOfEvent(fragment);
    const event = declaredBy(folder.declaration);
    const shape = ({ name, identity, columns }: EventDefinition) => [
      name,
      identity,
      columns.map((column) => [column.property, column.kind]),
    ];
    expect(shape(event)).toEqual(shape(jsonEvent(fragment)));
    const { log, values } = JSON.parse(folder.example);
    const asJson = (value: unknown) =>
      JSON.parse(JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? String(one) : one)));
    expect(asJson(event.decode(log))).toEqual(values);
  },
);

test.each([
  ['Delete', 'deleteEvent'],
  ['Registered', 'registeredEvent'],
  ['Events', 'eventsEvent'],
  ['ByName', 'byNameEvent'],
  ['DefineEvent', 'defineEventEvent'],
  ['Ping', 'ping'],
])('%s, whose name could be a word of TypeScript or the registry, is exported as %s', (name, variable) => {
  const folder = folderOfEvent('event Ping(uint256 value)', name);
  expect(folder.declaration).toContain(`export const ${variable} = defineEvent(`);
});

test('the registry gets its import and its place in the list', () => {
  const copy = copyOfEvents();
  writeFolder(folderOfEvent('event Ping(uint256 value)', 'MyPing'), copy);
  const registry = readFileSync(new URL('registry.ts', copy), 'utf8');
  expect(registry).toContain("import { myPing } from './my-ping/event.js';");
  expect(registry).toMatch(/registered\(\[[^\]]*\bmyPing\]\)/);
  expect(readFileSync(new URL('my-ping/event.ts', copy), 'utf8')).toContain("name: 'MyPing'");
});

test.each([
  ['a fragment that does not parse', 'event Ping(adress a)', undefined, /is no event of Solidity/],
  ['a name of the registry', 'event Ping(uint256 a)', 'SocketBridge', /two events are called SocketBridge/],
  [
    'the name of a table that there is',
    'event Ping(uint256 a)',
    'Contract',
    /table of events without a folder/,
  ],
  ['a name that GraphQL could not have', 'event Ping(uint256 a)', 'my-ping', /PascalCase/],
  [
    'an event of the registry',
    'event RouteDisabled(uint32 indexed id)',
    'Other',
    /RouteDisabled and Other have one topic/,
  ],
] as const)('%s is refused', (_, fragment, name, reason) => {
  expect(() => folderOfEvent(fragment, name)).toThrow(reason);
});

test('a folder that is there is left as it is', () => {
  const copy = copyOfEvents();
  const folder = folderOfEvent('event Ping(uint256 value)');
  writeFolder(folder, copy);
  const before = readFileSync(new URL('registry.ts', copy), 'utf8');
  expect(() => writeFolder(folder, copy)).toThrow('libs/events/ping is there already');
  expect(readFileSync(new URL('registry.ts', copy), 'utf8')).toBe(before);
});
