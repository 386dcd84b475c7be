import type { ConfiguredEvent, EventSyntax } from '#libs/config/chain-sources.js';
import type { EventDefinition } from './event.js';
import { identityOf, parseFragment } from './fragment.js';
import { jsonEvent } from './json-event.js';
import { eventByName, events } from './registry.js';

/** How EVENTS names events: by their names in the registry, or by fragments, which may be of the registry, too. */
export const eventSyntax: EventSyntax = {
  known: events.map((event) => event.name),
  read(text) {
    const registered = eventByName(text);
    if (registered) return configured(registered);
    if (/^\w+$/.test(text))
      throw new Error(
        `must be an event of the registry (known: ${this.known.join(', ')}) or an ABI fragment; ${text} is neither`,
      );
    const [, name, fragment = text] = /^(\w+)\s*=\s*(.*)$/s.exec(text) ?? [];
    const identity = identityOf(parseFragment(fragment));
    const same = events.find((event) => event.identity === identity);
    if (same) return ofRegistry(same, name);
    if (name !== undefined) assertFree(name, fragment);
    return configured(jsonEvent(fragment, name), { isNamed: name !== undefined, isFragment: true });
  },
};

function configured(
  { name, signature, identity, topic0, topicCount }: EventDefinition,
  { isNamed = false, isFragment = false } = {},
): ConfiguredEvent {
  const fragment = isFragment ? signature : null;
  return { name, fragment, isNamed, identity, knownBy: `${topic0} ${topicCount}` };
}

function ofRegistry(event: EventDefinition, name = event.name): ConfiguredEvent {
  if (name === event.name) return configured(event);
  throw new Error(`${name} can't be a name of ${event.identity}: the registry has it as ${event.name}`);
}

function assertFree(name: string, fragment: string): void {
  if (!/^[A-Z][A-Za-z0-9]*$/.test(name))
    throw new Error(
      `${name} can't be the name of an event: it must be like MyPing, since GraphQL's names are made of it`,
    );
  const holder = events.find((event) => event.name.toLowerCase() === name.toLowerCase());
  if (holder)
    throw new Error(
      `${name} is the name of another event, ${holder.identity}: give "${fragment}" another one`,
    );
}
