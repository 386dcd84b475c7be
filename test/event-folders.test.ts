import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { events } from '#libs/events/registry.js';
import { eventFolderFaults } from '../scripts/event-folder-faults.js';

const real = new URL('../libs/events/', import.meta.url);
let copy: string;

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'event-folders-'));
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

/** What is said about the real folders when one file is changed, or taken away. */
function faultsWith(file: string, change: (text: string) => string | null): string[] {
  cpSync(real, copy, { recursive: true });
  const path = join(copy, file);
  const text = change(readFileSync(path, 'utf8'));
  if (text === null) rmSync(path);
  else writeFileSync(path, text);
  return eventFolderFaults(pathToFileURL(`${copy}/`), events);
}

const EXAMPLE = 'socket-fees-deducted/example.json';
const inExample =
  (change: (example: Record<string, unknown> & { log: Record<string, unknown> }) => object) =>
  (text: string) =>
    JSON.stringify(change(JSON.parse(text)));

test('every event decodes its sealed example to the values that it must, and every folder is in the registry', () => {
  expect(eventFolderFaults(real, events)).toEqual([]);
});

test('a folder without an example is refused with its name and what to put there', () => {
  expect(faultsWith(EXAMPLE, () => null)).toEqual([
    'SocketFeesDeducted: libs/events/socket-fees-deducted/example.json is missing: put a real log of the event there, and the values that it must become',
  ]);
});

test.each([
  ['is no JSON', () => '{', /is no JSON/],
  ['does not say where it is from', inExample((example) => ({ ...example, note: '' })), /"note"/],
  [
    'is another event',
    inExample((example) => ({ ...example, log: { ...example.log, topics: [`0x${'ab'.repeat(32)}`] } })),
    /another event: .*SocketFeesDeducted\(uint256,address,address\)/,
  ],
  [
    'is broken',
    inExample((example) => ({ ...example, log: { ...example.log, data: '0x00' } })),
    /can't be decoded: .*96 bytes/,
  ],
  [
    'says values that its log does not',
    inExample((example) => ({ ...example, values: { ...(example.values as object), fees: '1', more: 2 } })),
    /other values than its log: fees \(read: .*\), more \(read: .*\)$/,
  ],
] as const)('an example that %s is refused with the name of its event', (_title, change, says) => {
  const [fault, ...more] = faultsWith(EXAMPLE, change);
  expect(more).toEqual([]);
  expect(fault).toMatch(/^SocketFeesDeducted: libs\/events\/socket-fees-deducted\/example\.json /);
  expect(fault).toMatch(says);
});

test('a folder that the registry forgot, and an event whose folder has another name, are told', () => {
  const others = events.filter((event) => event.name !== 'RouteDisabled');
  expect(eventFolderFaults(real, others)).toEqual([
    "route-disabled: the folder declares an event that the registry doesn't have: add its line",
  ]);
  const renamed = { ...events.find((event) => event.name === 'RouteDisabled')!, name: 'RouteGone' };
  expect(eventFolderFaults(real, [...others, renamed])).toContain(
    'RouteGone: its event.ts must stand in libs/events/route-gone',
  );
});
