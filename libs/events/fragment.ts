import { EventFragment, Fragment, keccak256, type ParamType, toUtf8Bytes } from 'ethers';
import { kindsOf } from './argument-kinds.js';
import { argumentNames } from './argument-reader.js';
import { commonColumns } from './base-columns.js';
import { type ColumnKind, snakeCase } from './column.js';
import { LONGEST_NAME } from './event.js';
import { namedAsFigure } from './figures.js';

/** An argument of an event as its own name says it, and what it becomes where no folder says anything else. */
export interface FragmentArgument {
  /** Name in the fragment, see `argumentNames`. */
  readonly name: string;
  /**
   * Column and GraphQL field: `_tokenId` → `tokenId`; a name that every event has, or another argument, or a figure of the event's
   * aggregates, gets `Arg` behind it; one that is too long for Postgres is cut.
   */
  readonly property: string;
  readonly kind: ColumnKind;
  readonly description: string;
}

/** Names of fields that every event has beside its columns, of what stands beside them in filters, and what no enum of GraphQL has. */
const RESERVED = [
  'id',
  'finality',
  'explorerLinks',
  'chain',
  'and',
  'or',
  'not',
  'args',
  'bucket',
  'count',
  'true',
  'false',
  'null',
];

/**
 * Reads a human-readable ABI fragment: `event Transfer(address indexed from, address indexed to, uint256 value)`.
 * @throws Error with the reason: it doesn't parse, declares no event, is anonymous (such logs have no topic to ask by), or its
 *   arguments can't be told apart.
 */
export function parseFragment(text: string): EventFragment {
  const written = /^\s*event\s/.test(text) ? text.trim() : `event ${text.trim()}`;
  const shown = JSON.stringify(text.trim().slice(0, 120));
  // ethers' reader of texts doesn't know the word
  if (/\)\s*anonymous$/.test(written))
    throw new Error(
      `${shown} is anonymous: its logs carry no topic of the event, so a node can't be asked for them`,
    );
  let fragment: Fragment;
  try {
    // EventFragment.from would keep the reason for itself
    fragment = Fragment.from(written);
  } catch (error) {
    const { shortMessage, message } = error as { shortMessage?: string; message: string };
    throw new Error(`${shown} is no event of Solidity: ${(shortMessage ?? message).slice(0, 200)}`);
  }
  if (!EventFragment.isFragment(fragment)) throw new Error(`${shown} is no event of Solidity`);
  const indexed = fragment.inputs.filter((input) => input.indexed).length;
  if (indexed > 3) throw new Error(`${shown} has ${indexed} indexed arguments, a log has room for 3`);
  const names = fragment.inputs.map((input) => input.name).filter(Boolean);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice) throw new Error(`${shown} has two arguments of the name ${twice}`);
  return fragment;
}

/**
 * What tells events apart: name, types, and which of them are indexed, e.g. `Transfer(address indexed,address indexed,uint256)`.
 * ERC-20's and ERC-721's Transfer have one topic and two identities.
 */
export function identityOf(fragment: EventFragment): string {
  return fragment.format('minimal').replace(/^event /, '');
}

/** Name of an event without a folder: the fragment's, as the names of the registry and GraphQL are written. */
export function nameOfFragment(fragment: EventFragment): string {
  const words = fragment.name.split(/[\W_]+/).filter(Boolean);
  const name = words
    .map((word) => word[0]!.toUpperCase() + word.slice(1))
    .join('')
    .replace(/^\d+/, '');
  if (!name)
    throw new Error(`the event's name ${fragment.name} can't be a name in GraphQL: give it another one`);
  return name;
}

/** The name for an event whose own name stands for another one already: `Transfer_8c5be1e5`, the same everywhere. */
export function otherNameOf(name: string, fragment: EventFragment): string {
  return `${name}_${keccak256(toUtf8Bytes(identityOf(fragment))).slice(2, 10)}`;
}

/** The arguments of an event with the columns that they become by default. */
export function argumentsOf(fragment: EventFragment): FragmentArgument[] {
  // by their names in Postgres, which has one for tokenId and tokenID
  const used = new Set([...commonColumns.map((column) => column.property), ...RESERVED].map(snakeCase));
  const free = (wanted: string) => {
    let property = fitting(wanted, '');
    for (let tail = 'Arg'; used.has(snakeCase(property)); tail += 'Arg') property = fitting(wanted, tail);
    used.add(snakeCase(property));
    return property;
  };
  const names = argumentNames(fragment.inputs);
  const args = fragment.inputs.map((input, i) => {
    const name = names[i]!;
    return { name, property: free(propertyOf(name, i)), ...meaningOf(input), amountOf: null };
  });
  // last, so that all other names stay what they are in databases that hold the event; it ends, since only a name with one
  // `distinct` less can make one change
  for (let one = namedAsFigure(args); one; one = namedAsFigure(args)) one.property = free(one.property);
  return args.map(({ amountOf: _, ...argument }) => argument);
}

/** A name of two parts, the first of which is cut where Postgres would cut the whole: it would take two long names for one. */
function fitting(stem: string, tail: string): string {
  let cut = stem;
  while (cut && snakeCase(cut + tail).length > LONGEST_NAME) cut = cut.slice(0, -1);
  return cut + tail;
}

/** `_token_id` → `tokenId`. */
function propertyOf(name: string, place: number): string {
  const words = name.replace(/\W/g, '_').split('_').filter(Boolean);
  const joined = words.map((word, i) => (i ? word[0]!.toUpperCase() + word.slice(1) : word)).join('');
  if (!/^[A-Za-z]/.test(joined)) return `arg${place}${joined}`;
  return `${joined[0]!.toLowerCase()}${joined.slice(1)}`;
}

function meaningOf(input: ParamType): { kind: ColumnKind; description: string } {
  const type = input.format('sighash');
  const [kind] = kindsOf(input);
  const isHashed = input.indexed && kind === 'bytes32' && type !== 'bytes32';
  if (isHashed) return { kind, description: `keccak256 of the ${plainType(type)} that was indexed.` };
  return { kind, description: `\`${type}${input.indexed ? ' indexed' : ''}\`.` };
}

function plainType(type: string): string {
  return type.startsWith('(') ? 'tuple' : type;
}
