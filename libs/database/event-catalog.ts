import { type RawBuilder, sql } from 'kysely';
import type { LogFilter } from '#libs/chain/log-filter.js';
import type { EventDefinition } from '#libs/events/event.js';
import { identityOf, parseFragment } from '#libs/events/fragment.js';
import { CONTRACT_EVENT, jsonEvent } from '#libs/events/json-event.js';
import type { ChainLog } from '#libs/events/log.js';
import { eventByName, events } from '#libs/events/registry.js';
import type { SqlExecutor } from './database.js';

/** Where rows of an event lie. */
export type EventPlace = Pick<EventDefinition, 'name' | 'table' | 'sharesTable'>;

/** An event of a contract. */
interface Source {
  readonly address: string;
  readonly event: string;
}

/** An event without a folder as the database tells it. */
interface ToldFragment {
  readonly name: string;
  readonly fragment: string;
  /** Its name in a registry, once its rows have a table of their own; else null. */
  readonly adopted_as: string | null;
}

/**
 * The events that a database has rows of: those of the registry, and those without a folder, which the database tells. A process
 * knows the latter as of its last `load`.
 */
export class EventCatalog {
  private told = '';
  private withoutFolder: ReadonlyMap<string, EventDefinition> = new Map();
  private every: readonly EventDefinition[] = events;
  /** Names that events had before they got a folder. */
  private formerNames: ReadonlyMap<string, EventDefinition> = new Map();
  /** All names of those that had others, by the one that they have now. */
  private names: ReadonlyMap<string, readonly string[]> = new Map();
  /** Of the registry: whose rows aren't all in their tables yet; null: the database wasn't asked so far. */
  private unmoved: ReadonlySet<string> | null = null;

  /** The event of this name, or undefined when neither a folder declares it nor the database told of it so far. */
  byName(name: string): EventDefinition | undefined {
    return eventByName(name) ?? this.withoutFolder.get(name) ?? this.formerNames.get(name);
  }

  /** All of them, those of the registry first; the same list until there are others. */
  get all(): readonly EventDefinition[] {
    return this.every;
  }

  /** The name of an event, and those that it had before: what was read or said earlier may have one of them. */
  namesOf(event: EventDefinition): readonly string[] {
    return this.names.get(event.name) ?? [event.name];
  }

  /** What to ask a node for: every contract with every event; logs of pairs that nobody wants are to be left (`isOf`). */
  filterOf(sources: readonly Source[]): LogFilter {
    return {
      addresses: [...new Set(sources.map((source) => source.address))],
      topics: [...new Set(sources.map((source) => this.known(source).topic0))],
    };
  }

  /** Whether a log may be of one of the sources: by its contract, its first topic and the number of topics. */
  isOf(sources: readonly Source[]): (log: Pick<ChainLog, 'address' | 'topics'>) => boolean {
    const keys = new Set(
      sources.map((source) => {
        const { topic0, topicCount } = this.known(source);
        return `${source.address} ${topic0} ${topicCount}`;
      }),
    );
    return ({ address, topics }) => keys.has(`${address} ${topics[0]} ${topics.length}`);
  }

  private known({ event }: Source): EventDefinition {
    const definition = this.byName(event);
    if (!definition) throw new UnknownEvents([event]);
    return definition;
  }

  /** Reads what the database tells. */
  async load(executor: SqlExecutor): Promise<void> {
    const { rows } = await sql<ToldFragment>`
      select name, fragment, adopted_as from event_fragment order by name`.execute(executor);
    const told = JSON.stringify(rows);
    if (told === this.told) return;
    const before = this.withoutFolder;
    const withoutFolder = new Map<string, EventDefinition>();
    const formerNames = new Map<string, EventDefinition>();
    const unmoved = new Set<string>();
    for (const { name, fragment, adopted_as } of rows) {
      const folder = folderOf(fragment);
      const known = before.get(name);
      // one that has moved to a table of which this build knows nothing is told, too: to say so is better than not to know it
      if (!folder) withoutFolder.set(name, known?.signature === fragment ? known : jsonEvent(fragment, name));
      else if (adopted_as === null) unmoved.add(folder.name);
      else formerNames.set(name, folder);
    }
    this.withoutFolder = withoutFolder;
    this.formerNames = formerNames;
    this.names = new Map(
      [...new Set(formerNames.values())].map((event) => {
        const former = [...formerNames.keys()].filter((name) => formerNames.get(name) === event);
        return [event.name, [...new Set([event.name, ...former])]];
      }),
    );
    this.unmoved = unmoved;
    const isSame =
      before.size === withoutFolder.size && [...withoutFolder].every(([name, e]) => before.get(name) === e);
    if (!isSame) this.every = [...events, ...withoutFolder.values()];
    // last: what could not be read is read again, and told again
    this.told = told;
  }

  /**
   * Checks that all rows of an event are where this build reads them. Within one snapshot call it anywhere; else for an event with a
   * table of its own before its rows are read, and for one without a folder behind that.
   * @throws EventMoved
   */
  async assertHere(executor: SqlExecutor, event: EventDefinition): Promise<void> {
    if (event.sharesTable) {
      const { rows } = await sql`
        select 1 from event_fragment where name = ${event.name} and adopted_at is null`.execute(executor);
      if (!rows.length)
        throw new EventMoved(
          `${event.name} has a table of its own by now, of which this server's version knows nothing: ask again once it is updated`,
        );
      return;
    }
    // once they are moved they stay
    if (this.unmoved === null || this.unmoved.has(event.name)) await this.load(executor);
    if (this.unmoved?.has(event.name))
      throw new EventMoved(`${event.name} is about to get a table of its own: ask again once that is done`);
  }
}

/** The event of the registry that has the types of a fragment, and the same of them indexed. */
export function folderOf(fragment: string): EventDefinition | undefined {
  const identity = identityOf(parseFragment(fragment));
  return events.find((event) => event.identity === identity);
}

/** Rows of an event are not, or not all, where this build would look for them. */
export class EventMoved extends Error {
  override readonly name = 'EventMoved';
}

/** Events that this build doesn't know, or that have moved to a table that it doesn't know: a newer one does. */
export class UnknownEvents extends Error {
  override readonly name = 'UnknownEvents';
  constructor(readonly events: readonly string[]) {
    super(`${events.join(', ')}: not known here, a newer build is needed`);
  }
}

/**
 * Where rows of events lie, also of those without a folder that this process wasn't told of, in the order of names. Until the
 * transaction's end they stay there.
 */
export async function knownPlaces(tx: SqlExecutor): Promise<EventPlace[]> {
  const { rows: fragments } = await sql<{ name: string }>`
    select name from event_fragment where adopted_at is null order by name`.execute(tx);
  const shared = fragments.map(({ name }) => ({ name, table: CONTRACT_EVENT, sharesTable: true }));
  await holdFragments(
    tx,
    shared.map(({ name }) => name),
  );
  return [...events, ...shared].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * Where all rows of a chain above a height lie.
 * @throws UnknownEvents when some are stored in a table that this build doesn't know.
 */
export async function placesAbove(tx: SqlExecutor, chainId: number, height: number): Promise<EventPlace[]> {
  const places = await knownPlaces(tx);
  const known = new Set(places.map(({ name }) => name));
  const { rows } = await sql<{ event: string }>`
    select distinct event from source
    where chain_id = ${chainId} and coverage && int8range(${height}::bigint + 1, null)`.execute(tx);
  const unknown = rows.filter(({ event }) => !known.has(event));
  if (unknown.length) throw new UnknownEvents(unknown.map(({ event }) => event));
  return places;
}

/**
 * The name that an event has now, for SQL: messages, and entries of the commit log, may have the one that it had before it got a folder.
 * @param name a column with a name.
 */
export const currentName = (name: RawBuilder<unknown>) =>
  sql`coalesce((select adopted_as from event_fragment renamed where renamed.name = ${name}), ${name})`;

/** Key of an event's advisory lock: who writes rows of it to the shared table has it together, who moves them from there alone. */
export const fragmentLock = (name: unknown) => sql`hashtextextended('event-monitor fragment ' || ${name}, 0)`;

/**
 * Keeps rows of events without a folder where they are until the transaction's end.
 * @throws UnknownEvents when they have a table of their own by now.
 */
export async function holdFragments(tx: SqlExecutor, names: readonly string[]): Promise<void> {
  if (!names.length) return;
  const sorted = [...new Set(names)].sort();
  await sql`select pg_advisory_xact_lock_shared(${fragmentLock(sql`name`)})
    from unnest(${sorted}::text[]) with ordinality as f(name, n) order by n`.execute(tx);
  const { rows } = await sql<{ name: string }>`
    select name from event_fragment where name = any(${sorted}::text[]) and adopted_at is null`.execute(tx);
  const here = new Set(rows.map(({ name }) => name));
  const moved = sorted.filter((name) => !here.has(name));
  if (moved.length) throw new UnknownEvents(moved);
}
