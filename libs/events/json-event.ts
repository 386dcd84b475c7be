import { argumentReader, topicCountOf } from './argument-reader.js';
import { withCommonColumns } from './base-columns.js';
import { type Column, columnOf } from './column.js';
import type { EventDefinition } from './event.js';
import { argumentsOf, identityOf, nameOfFragment, parseFragment } from './fragment.js';

/** The table that holds the rows of all events without a folder. */
export const CONTRACT_EVENT = 'contract_event';

/** What a row of `contract_event` holds between its position and its raw log. */
export const contractEventColumns: readonly Column[] = [
  columnOf('event', 'text', 'Name of the event, see event_fragment.'),
  columnOf(
    'args',
    'json',
    'Its arguments by name: whole numbers as decimal strings, bytes and addresses as hex.',
  ),
];

/**
 * An event without a folder, made from a human-readable ABI fragment: its rows lie in `contract_event`, its arguments are read
 * from their JSON, each with the type that it has in the fragment.
 * @param name its name here; left out, the fragment's own.
 * @throws Error with the reason why the fragment can't be followed (see `parseFragment`).
 */
export function jsonEvent(text: string, name?: string): EventDefinition {
  const fragment = parseFragment(text);
  const own = name ?? nameOfFragment(fragment);
  const args = argumentsOf(fragment);
  const columns = args.map(({ name: argument, property, kind, description }) =>
    columnOf(property, kind, description, { argument }),
  );
  const read = argumentReader(fragment, own);
  return {
    name: own,
    signature: fragment.format('full'),
    identity: identityOf(fragment),
    description: `\`${fragment.format('full').replace(/^event /, '')}\`, followed without code of its own.`,
    table: CONTRACT_EVENT,
    sharesTable: true,
    topic0: fragment.topicHash,
    topicCount: topicCountOf(fragment),
    columns,
    storedColumns: contractEventColumns,
    allColumns: withCommonColumns(columns),
    decode(log) {
      const values = read(log);
      return values && { event: own, args: values };
    },
  };
}
