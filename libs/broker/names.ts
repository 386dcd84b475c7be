import { allQueues, type Lane, type Queue, shortName } from './broker.js';

/** Begins the name of everything on the broker, unless told otherwise. */
export const DEFAULT_PREFIX = 'event-monitor';

/** A queue's name, e.g. `event-monitor.history`, `event-monitor.live.3`. */
export function queueName(prefix: string, queue: Queue): string {
  return `${prefix}.${shortName(queue)}`;
}

/** The lane whose queue has this name, or undefined when none has. */
export function laneOfQueue(prefix: string, name: string): Lane | undefined {
  return allQueues.filter(isLane).find((lane) => queueName(prefix, lane) === name);
}

function isLane(queue: Queue): queue is Lane {
  return queue.lane === 'history' || queue.lane === 'live';
}
