import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { EventFragment, Interface, id, ParamType } from 'ethers';
import { kebabCase, snakeCase, wholeNumbersAsText } from '#libs/events/column.js';
import {
  type ColumnDeclaration,
  defineEvent,
  type EventDefinition,
  LONGEST_NAME,
  tableOf,
} from '#libs/events/event.js';
import { argumentsOf, type FragmentArgument, nameOfFragment, parseFragment } from '#libs/events/fragment.js';
import { registered } from '#libs/events/registered.js';
import { events } from '#libs/events/registry.js';

/** The files of an event's folder. */
export interface EventFolder {
  readonly name: string;
  /** Name of the folder in libs/events: `new-route-added`. */
  readonly folder: string;
  /** Name of the exported definition: `newRouteAdded`. */
  readonly variable: string;
  readonly migration: string;
  readonly declaration: string;
  readonly example: string;
}

/** A column as it is written, and as it is checked. */
interface DraftColumn {
  readonly property: string;
  readonly text: string;
  readonly declaration: ColumnDeclaration;
}

/**
 * Makes the files of an event's folder from its ABI fragment: the columns that the event has without a folder (same names, same kinds), and
 * an example that is made up. Nothing is written.
 * @param ownName its name here; left out, the fragment's.
 * @throws Error with the reason, before anything is written: it doesn't parse, or the registry couldn't have it beside its others.
 */
export function folderOfEvent(text: string, ownName?: string): EventFolder {
  const fragment = parseFragment(text);
  const name = ownName ?? nameOfFragment(fragment);
  const signature = fragment.format('full');
  const table = tableOf(name);
  const columns = argumentsOf(fragment).map((argument, i) =>
    draftColumn(argument, fragment.inputs[i]!, table),
  );
  const description = `\`${signature.replace(/^event /, '')}\`.`;
  const definition = defineEvent({
    name,
    signature,
    description,
    columns: Object.fromEntries(columns.map(({ property, declaration }) => [property, declaration])),
  });
  registered([...events, definition]);
  const variable = variableOf(name);
  return {
    name,
    folder: kebabCase(name),
    variable,
    migration: `add_${table}`,
    declaration: `import { defineEvent } from '../event.js';

/** ${name}. */
export const ${variable} = defineEvent({
  name: '${name}',
  signature: '${signature}',
  description: ${JSON.stringify(description)},
  columns: {
${columns.map(({ text: line }) => `    ${line}\n`).join('')}  },
});
`,
    example: exampleOf(definition),
  };
}

/** Names that the registry or an event's folder has itself, and a word of modules. */
const TAKEN = ['events', 'registered', 'byName', 'eventByName', 'defineEvent', 'await'];

/** Name of the exported definition, which the registry and a statement of TypeScript can take. */
function variableOf(name: string): string {
  const variable = `${name[0]!.toLowerCase()}${name.slice(1)}`;
  try {
    // a word of the language is no name of a parameter, nor are strict mode's; the others are names in the files that hold this one
    new Function(variable, '"use strict"');
    if (!TAKEN.includes(variable)) return variable;
  } catch {}
  return `${variable}Event`;
}

function draftColumn(argument: FragmentArgument, input: ParamType, table: string): DraftColumn {
  const { name, property, kind, description } = argument;
  const index = `${table}_${snakeCase(property)}`;
  const indexed = input.indexed === true && index.length <= LONGEST_NAME;
  const from = name === property ? null : fromText(kind, name);
  const parts = [
    `kind: '${kind}'`,
    `description: ${JSON.stringify(description)}`,
    ...(indexed ? ['indexed: true'] : []),
    ...(from ? [`from: ${from}`] : []),
  ];
  const declaration: ColumnDeclaration = {
    kind,
    description,
    indexed,
    ...(from && { from: (args) => (kind === 'safeInt' ? Number(args[name]) : args[name]!) }),
  };
  return { property, text: `${property}: { ${parts.join(', ')} },`, declaration };
}

function fromText(kind: string, argument: string): string {
  const read = /^[A-Za-z_$][\w$]*$/.test(argument) ? `args.${argument}` : `args[${JSON.stringify(argument)}]`;
  return kind === 'safeInt' ? `(args) => Number(${read})` : `(args) => ${read}!`;
}

/** An example that the ABI makes of made-up arguments, until a real log is at hand. */
function exampleOf(event: EventDefinition): string {
  const fragment = parseFragment(event.signature);
  const values = fragment.inputs.map((input, i) => madeUp(input, i + 1));
  const { topics, data } = encodedLog(fragment, values);
  const decoded = event.decode({ topics, data })!;
  const example = {
    note: 'Made up: what the ABI makes of some arguments; its place is invented. Put a real log here.',
    chainId: 1,
    log: {
      address: `0x${'11'.repeat(20)}`,
      topics,
      data,
      blockNumber: 1,
      blockHash: id('a block'),
      txHash: id('a transaction'),
      txIndex: 0,
      logIndex: 0,
    },
    values: decoded,
  };
  return `${JSON.stringify(example, wholeNumbersAsText, 2)}\n`;
}

/** The log of an event; of indexed lists and tuples, which ethers doesn't hash, the topic is made up. */
function encodedLog(fragment: EventFragment, values: readonly unknown[]) {
  const isHashed = (input: ParamType) => input.indexed && (input.isArray() || input.isTuple());
  const inputs = fragment.inputs.map((input) =>
    isHashed(input) ? ParamType.from('bytes32 indexed', true) : input,
  );
  const encoded = EventFragment.from({ name: fragment.name, inputs });
  const { topics, data } = new Interface([encoded]).encodeEventLog(
    encoded,
    values.map((value, i) => (isHashed(fragment.inputs[i]!) ? id(`argument ${i}`) : value)),
  );
  return { topics: [fragment.topicHash, ...topics.slice(1)], data };
}

function madeUp(type: ParamType, seed: number): unknown {
  if (type.isArray()) {
    const length = type.arrayLength < 0 ? 2 : type.arrayLength;
    return Array.from({ length }, (_, i) => madeUp(type.arrayChildren, seed + i));
  }
  if (type.isTuple()) return type.components.map((part, i) => madeUp(part, seed + i));
  const byte = seed.toString(16).padStart(2, '0').slice(-2);
  if (type.baseType === 'address') return `0x${byte.repeat(20)}`;
  if (type.baseType === 'bool') return seed % 2 === 1;
  if (type.baseType === 'string') return `text ${seed}`;
  const bytes = /^bytes(\d*)$/.exec(type.baseType);
  if (bytes) return `0x${byte.repeat(Number(bytes[1] || 3))}`;
  return type.baseType.startsWith('int') ? -seed : seed;
}

/**
 * Writes the folder and the registry's line.
 * @param events folder of all events. @returns the files that were written.
 * @throws Error when the folder is there already.
 */
export function writeFolder(event: EventFolder, events: URL): string[] {
  const folder = new URL(`${event.folder}/`, events);
  if (existsSync(folder)) throw new Error(`libs/events/${event.folder} is there already`);
  const registry = new URL('registry.ts', events);
  const changed = withLine(readFileSync(registry, 'utf8'), event);
  mkdirSync(folder);
  writeFileSync(new URL('event.ts', folder), event.declaration);
  writeFileSync(new URL('example.json', folder), event.example);
  writeFileSync(registry, changed);
  return [
    `libs/events/${event.folder}/event.ts`,
    `libs/events/${event.folder}/example.json`,
    'libs/events/registry.ts',
  ];
}

function withLine(registry: string, { folder, variable }: EventFolder): string {
  const list = /(registered\(\[[^\]]*?),?\s*\]\)/;
  if (!list.test(registry))
    throw new Error('libs/events/registry.ts has no list "registered([…])" to add a line to');
  return `import { ${variable} } from './${folder}/event.js';\n${registry.replace(list, `$1, ${variable}])`)}`;
}
