import { sql } from 'kysely';
import type { LogFilter } from '#libs/chain/log-filter.js';
import type { EventDefinition } from '#libs/events/event.js';
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

/**
 * The events that a database has rows of: those of the registry, and those without a folder, which the database tells. A process
 * knows the latter as of its last `load`.
 */
export class EventCatalog {
  private withoutFolder: ReadonlyMap<string, EventDefinition> = new Map();
  private every: readonly EventDefinition[] = events;

  /** The event of this name, or undefined when neither a folder declares it nor the database told of it so far. */
  byName(name: string): EventDefinition | undefined {
    return eventByName(name) ?? this.withoutFolder.get(name);
  }

  /** All of them, those of the registry first; the same list until there are others. */
  get all(): readonly EventDefinition[] {
    return this.every;
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
    const { rows } = await sql<{ name: string; fragment: string }>`
      select name, fragment from event_fragment where adopted_at is null order by name`.execute(executor);
    const before = this.withoutFolder;
    // a folder that this build has declares more than a fragment does; its rows are moved by the next migrate
    const told = rows.filter(({ name }) => !eventByName(name));
    const isSame =
      told.length === before.size &&
      told.every(({ name, fragment }) => before.get(name)?.signature === fragment);
    if (isSame) return;
    this.withoutFolder = new Map(
      told.map(({ name, fragment }) => {
        const known = before.get(name);
        return [name, known?.signature === fragment ? known : jsonEvent(fragment, name)];
      }),
    );
    this.every = [...events, ...this.withoutFolder.values()];
  }
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
  const shared = fragments
    .filter(({ name }) => !eventByName(name))
    .map(({ name }) => ({ name, table: CONTRACT_EVENT, sharesTable: true }));
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
