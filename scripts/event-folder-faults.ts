import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { kebabCase, wholeNumbersAsText } from '#libs/events/column.js';
import type { EventDefinition } from '#libs/events/event.js';

/** What `example.json` of an event's folder holds. */
interface Example {
  /** Where it is from: a real event in words, or that it was made. */
  readonly note: string;
  readonly log: { readonly topics: readonly string[]; readonly data: string };
  /** The columns that come from the arguments, uint256 as decimal text. */
  readonly values: Readonly<Record<string, unknown>>;
}

/**
 * Compares the folders of libs/events with the registry: each event has one that is named like it and holds a sealed example, and
 * none is forgotten. A folder without `event.ts` is no event's; it holds what several share.
 * @returns what is wrong, each with the name of the event or folder; empty when all is well.
 */
export function eventFolderFaults(folder: URL, events: readonly EventDefinition[]): string[] {
  const names = new Map(events.map((event) => [kebabCase(event.name), event]));
  const declared = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(new URL(`${entry.name}/event.ts`, folder)))
    .map((entry) => entry.name);
  const forgotten = declared
    .filter((name) => !names.has(name))
    .map((name) => `${name}: the folder declares an event that the registry doesn't have: add its line`);
  const faults = [...names].flatMap(([name, event]) => {
    if (!declared.includes(name)) return [`${event.name}: its event.ts must stand in libs/events/${name}`];
    const fault = exampleFault(new URL(`${name}/example.json`, folder), event);
    return fault ? [`${event.name}: libs/events/${name}/example.json ${fault}`] : [];
  });
  return [...forgotten, ...faults];
}

function exampleFault(file: URL, event: EventDefinition): string | null {
  if (!existsSync(file))
    return 'is missing: put a real log of the event there, and the values that it must become';
  let example: Example;
  try {
    example = JSON.parse(readFileSync(file, 'utf8')) as Example;
  } catch (error) {
    return `is no JSON: ${(error as Error).message}`;
  }
  if (!example.note || !example.log || !example.values)
    return 'must have a "note" that says where it is from, a "log" and its "values"';
  return decodingFault(example, event);
}

function decodingFault({ log, values }: Example, event: EventDefinition): string | null {
  try {
    const decoded = event.decode(log);
    if (!decoded)
      return `has a log of another event: its topics are not those of ${event.identity} (${event.topic0} first, ${event.topicCount} in all)`;
    const shown = Object.fromEntries(
      Object.entries(decoded).map(([name, value]) => [name, shownValue(value)]),
    );
    const differing = [...new Set([...Object.keys(shown), ...Object.keys(values)])].filter(
      (name) => !isDeepStrictEqual(shown[name], values[name]),
    );
    const read = differing.map((name) => `${name} (read: ${JSON.stringify(shown[name])?.slice(0, 200)})`);
    return read.length ? `says other values than its log: ${read.join(', ')}` : null;
  } catch (error) {
    return `has a log that can't be decoded: ${(error as Error).message}`;
  }
}

/** As JSON says it, whole numbers of Solidity as text. */
function shownValue(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, wholeNumbersAsText));
}
