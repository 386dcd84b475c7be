import type { StatedSource } from '#libs/broker/messages.js';
import type { ConfiguredEvent, ConfiguredSource } from '#libs/config/chain-sources.js';
import type { Database } from '#libs/database/database.js';
import { declareFragments } from '#libs/database/event-fragments.js';

/**
 * Declares the events without a folder in the database.
 * @returns the sources by the names that their events have there. @throws FragmentRefused
 */
export async function declaredSources(
  database: Database,
  sources: readonly ConfiguredSource[],
): Promise<StatedSource[]> {
  const fragments = new Map<string, { event: ConfiguredEvent; fragment: string }>();
  for (const { event } of sources)
    if (event.fragment !== null) fragments.set(event.identity, { event, fragment: event.fragment });
  const wanted = [...fragments.values()].map(({ event: { isNamed, name }, fragment }) => {
    return { fragment, name: isNamed ? name : null };
  });
  const declared = await declareFragments(database, wanted);
  const names = new Map([...fragments.keys()].map((identity, i) => [identity, declared[i]!]));
  return sources.map(({ address, event }) => ({ address, event: names.get(event.identity) ?? event.name }));
}
