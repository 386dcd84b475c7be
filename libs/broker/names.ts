import type { Lane } from './broker.js';

/** Begins the name of everything on the broker, unless told otherwise. */
export const DEFAULT_PREFIX = 'event-monitor';

/** The queue of a lane, e.g. `event-monitor.history`, `event-monitor.live.3`. */
export function queueName(prefix: string, lane: Lane): string {
  return lane.lane === 'history' ? `${prefix}.history` : `${prefix}.live.${lane.index}`;
}
