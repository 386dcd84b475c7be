import { type DeadQueue, type Lane, shortName } from './broker.js';

/** Begins the name of everything on the broker, unless told otherwise. */
export const DEFAULT_PREFIX = 'event-monitor';

/** A queue's name, e.g. `event-monitor.history`, `event-monitor.live.3`. */
export function queueName(prefix: string, queue: Lane | DeadQueue): string {
  return `${prefix}.${shortName(queue)}`;
}
