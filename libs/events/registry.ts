import type { EventDefinition } from './event.js';
import { registered } from './registered.js';
import { socketBridge } from './socket-bridge/event.js';

/** Every event type that the system knows. A new one is a folder beside `socket-bridge` and a line here. */
export const events: readonly EventDefinition[] = registered([socketBridge]);

const byName = new Map(events.map((event) => [event.name, event]));

/** The event type of this name, or undefined when no folder declares it. */
export function eventByName(name: string): EventDefinition | undefined {
  return byName.get(name);
}
