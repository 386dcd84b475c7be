import type { EnvReader, Variable } from './variables.js';

/** An event that is to be followed. */
export interface ConfiguredEvent {
  /** Its name in the registry, else the one that EVENTS gives it, else its fragment's own. */
  readonly name: string;
  /** Human-readable ABI fragment of an event that no folder declares; null: the registry has it. */
  readonly fragment: string | null;
  /** Whether EVENTS gives it this name, so that it can't have another one. */
  readonly isNamed: boolean;
  /** What tells it from every other event: types, and which are indexed. */
  readonly identity: string;
  /** What a contract's logs of it are known by: their first topic and how many topics they have. */
  readonly knownBy: string;
}

/** A contract's event that is to be followed; the address is lower-case hex. */
export interface ConfiguredSource {
  readonly address: string;
  readonly event: ConfiguredEvent;
}

/** How events are written; the events themselves stand to the right of the configuration. */
export interface EventSyntax {
  /** Names of the registry. */
  readonly known: readonly string[];
  /** Reads `Name`, `event Ping(uint256 value)` or `Name = event Ping(uint256 value)`. @throws Error with the reason why it can't. */
  read(text: string): ConfiguredEvent;
}

/** A contract, and the only event that is followed of it; null: all that have no contract of their own. */
export interface Contract {
  readonly address: string;
  readonly event: string | null;
}

/** What is followed where the environment doesn't say. */
export interface SourceDefaults {
  /** Of these, those that an event is followed of. Undefined: it must say. */
  readonly contracts: readonly Contract[] | undefined;
  /** As in EVENTS. */
  readonly events: readonly string[];
}

/** Reads which events of which contracts are followed: every event of every contract, but for those with contracts of their own. */
export function readSources(
  env: EnvReader,
  syntax: EventSyntax,
  { contracts: fallback, events: names }: SourceDefaults,
): readonly ConfiguredSource[] {
  const said = env.required(contractAddresses, fallback);
  const variable = eventsVariable(syntax, names);
  const events = env.withDefault(variable, names.map(syntax.read));
  // of what is bad or missing nothing more can be said
  if (!said || env.isBad(contractAddresses) || env.isBad(variable)) return [];
  const contracts = said === fallback ? withEvents(said, events) : said;
  const places = { contracts: env.placeOf(contractAddresses), events: env.placeOf(variable) };
  const problems = problemsOf(contracts, events, places);
  for (const { name, problem } of problems) env.reject(name, problem);
  return problems.length ? [] : sourcesOf(contracts, events);
}

/** Those of the contracts that one of the events is of. */
function withEvents(contracts: readonly Contract[], events: readonly ConfiguredEvent[]): readonly Contract[] {
  const bound = new Set(contracts.map(({ event }) => event));
  const names = events.map(({ name }) => name);
  return contracts.filter(({ event }) =>
    event === null ? names.some((name) => !bound.has(name)) : names.includes(event),
  );
}

function sourcesOf(contracts: readonly Contract[], events: readonly ConfiguredEvent[]): ConfiguredSource[] {
  return events.flatMap((event) => {
    const own = contracts.filter((contract) => contract.event === event.name);
    const addresses = (own.length ? own : contracts.filter((contract) => contract.event === null)).map(
      ({ address }) => address,
    );
    return [...new Set(addresses)].map((address) => ({ address, event }));
  });
}

/** What makes contracts and events that can be read for themselves not fit together; `places` are the variables they stand in. */
function problemsOf(
  contracts: readonly Contract[],
  events: readonly ConfiguredEvent[],
  places: { contracts: string; events: string },
): { name: string; problem: string }[] {
  const names = events.map(({ name }) => name);
  const bound = new Set(contracts.map(({ event }) => event));
  const unknown = contracts.filter(({ event }) => event !== null && !names.includes(event));
  const ambiguous = [...bound].filter(
    (name) => name !== null && names.indexOf(name) !== names.lastIndexOf(name),
  );
  const homeless = bound.has(null) ? [] : names.filter((name) => !bound.has(name));
  const idle = names.some((name) => !bound.has(name)) ? [] : contracts.filter(({ event }) => event === null);
  return [
    ...unknown.map(({ event, address }) => [
      places.contracts,
      `${event}@${address} names no event of ${places.events}, which has ${names.join(', ')}`,
    ]),
    ...ambiguous.map((name) => [
      places.contracts,
      `${name}@… could be each of several events of ${places.events}: give one a name of its own (${name}2 = event …)`,
    ]),
    ...(unknown.length ? [] : homeless).map((name) => [
      places.events,
      `${name} has no contract: ${places.contracts} has no ${name}@0x…, and no address for all events`,
    ]),
    ...idle.map(({ address }) => [
      places.contracts,
      `${address} has no event: each of ${places.events} has contracts of its own`,
    ]),
    ...alike(contracts, events).map((problem) => [places.events, problem]),
  ].map(([name, problem]) => ({ name: name!, problem: problem! }));
}

/** Pairs of events whose logs can't be told apart on a contract. */
function alike(contracts: readonly Contract[], events: readonly ConfiguredEvent[]): string[] {
  const byLog = Map.groupBy(
    sourcesOf(contracts, events),
    ({ address, event }) => `${address} ${event.knownBy}`,
  );
  const problems = [...byLog.values()].flatMap(([one, other]) =>
    one && other
      ? `${one.event.identity} and ${other.event.identity} have one topic and the same number of topics, so that a log of ${one.address} could be of either: leave one out, or give each contracts of its own`
      : [],
  );
  return [...new Set(problems)];
}

const contractAddresses: Variable<readonly Contract[]> = {
  name: 'CONTRACT_ADDRESSES',
  alias: 'CONTRACT_ADDRESS',
  description:
    'Contracts to follow (`CONTRACT_ADDRESS` is accepted, too). `Name@0x…` is a contract of that event only, and the event is followed of no other ([changing-what-is-followed.md](changing-what-is-followed.md)).',
  rule: 'addresses of 20 bytes (0x and 40 hex digits), each with Name@ before it where it has one event only, separated by commas',
  unset: 'from the chain list, else required',
  parse(text) {
    const parts = partsOf(text, /,/);
    const contracts = parts.map(contractOf);
    const bad = parts.filter((_, i) => !contracts[i]);
    if (bad.length) {
      const shown = bad.map((part) => JSON.stringify(part.slice(0, 80))).join(', ');
      throw new Error(`must be ${this.rule}; ${shown} ${bad.length === 1 ? 'is' : 'are'} not`);
    }
    return contracts.length ? (contracts as Contract[]) : undefined;
  },
};

function contractOf(text: string): Contract | undefined {
  const [, event, address] = /^(?:(\w+)\s*@\s*)?(0x[0-9a-f]{40})$/i.exec(text) ?? [];
  return address === undefined ? undefined : { address: address.toLowerCase(), event: event ?? null };
}

function eventsVariable(syntax: EventSyntax, names: readonly string[]): Variable<readonly ConfiguredEvent[]> {
  return {
    name: 'EVENTS',
    description:
      'Events to follow: names of the registry, and human-readable ABI fragments of others, as `event Ping(uint256 value, address indexed by)`, a name of your own before it if you like (`MyPing = event …`).',
    rule: `names (known: ${syntax.known.join(', ')}) and fragments, separated by commas or semicolons, or a JSON array of them`,
    unset: names.map((name) => `\`${name}\``).join(', '),
    parse: (text) => {
      const texts = textsOf(text);
      const read = texts.map((one) => {
        try {
          return syntax.read(one);
        } catch (error) {
          return error as Error;
        }
      });
      const errors = read.filter((one) => one instanceof Error);
      if (errors.length) throw new AggregateError(errors);
      const events = unique(read as ConfiguredEvent[]);
      return events.length ? events : undefined;
    },
  };
}

/** @throws Error when text that begins like a JSON array is none, or has something else than texts in it. */
function textsOf(text: string): string[] {
  if (!text.startsWith('[')) return partsOf(text, /[,;]/);
  const wrong = new Error('must be a JSON array of texts, as ["SocketBridge", "event Ping(uint256 value)"]');
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    wrong.message += `; it can't be parsed: ${(error as Error).message}`;
    throw wrong;
  }
  if (!Array.isArray(parsed) || parsed.some((one) => typeof one !== 'string')) throw wrong;
  return parsed.map((one) => one.trim()).filter(Boolean);
}

/** The parts between separators that stand outside of parentheses. */
function partsOf(text: string, separator: RegExp): string[] {
  const parts = [''];
  let depth = 0;
  for (const character of text) {
    if (character === '(') depth++;
    if (character === ')') depth--;
    if (depth <= 0 && separator.test(character)) parts.push('');
    else parts[parts.length - 1] += character;
  }
  return parts.map((part) => part.trim()).filter(Boolean);
}

/** Each event once. @throws Error when one event, or an argument of it, has two names, or two events have one that EVENTS gives. */
function unique(events: readonly ConfiguredEvent[]): ConfiguredEvent[] {
  const kept: ConfiguredEvent[] = [];
  for (const event of events) {
    const same = kept.find((one) => one.identity === event.identity);
    if (same && same.name !== event.name)
      throw new Error(`${same.name} and ${event.name} are one event, ${event.identity}: leave one out`);
    if (same && same.fragment !== event.fragment)
      throw new Error(
        `"${same.fragment}" and "${event.fragment}" are one event with two names of an argument: leave one out`,
      );
    const namesake = kept.find((one) => one.name === event.name && (one.isNamed || event.isNamed));
    if (namesake && !same)
      throw new Error(
        `${event.name} is the name of two events, ${namesake.identity} and ${event.identity}: give one another name`,
      );
    if (!same) kept.push(event);
  }
  return kept;
}
