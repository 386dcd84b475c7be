import type { EventDefinition } from './event.js';
import { CONTRACT_EVENT } from './json-event.js';

/**
 * The events of the registry, if they can be told apart.
 * @throws Error that names both, where two have one name or one table (one can be that of events without a folder), or logs of one topic with the same number of topics (a
 *   log could be of either: names of parameters, and which of them are indexed, aren't in it).
 */
export function registered(definitions: readonly EventDefinition[]): readonly EventDefinition[] {
  const faults = definitions.flatMap((event, i) => [
    ...(event.table === CONTRACT_EVENT
      ? [
          `- ${event.name} would have the table of events without a folder, ${event.table}: give it another name`,
        ]
      : []),
    ...definitions.slice(0, i).flatMap((other) => clash(other, event)),
  ]);
  if (faults.length) throw new Error(`The registry of events can't be used:\n${faults.join('\n')}`);
  return definitions;
}

function clash(one: EventDefinition, other: EventDefinition): string[] {
  if (one.name === other.name)
    return [`- two events are called ${one.name}: ${one.identity} and ${other.identity}`];
  const both = `- ${one.name} and ${other.name} have`;
  if (one.table === other.table) return [`${both} one table, ${one.table}: give one another name`];
  if (one.topic0 !== other.topic0 || one.topicCount !== other.topicCount) return [];
  return [
    `${both} one topic (${one.topic0}) and the same number of topics, so that a log could be of either: ${one.identity} and ${other.identity}`,
  ];
}
