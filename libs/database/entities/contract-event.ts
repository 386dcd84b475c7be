import { defineEntity, p } from '@mikro-orm/core';
import { withCommonColumns } from '#libs/events/base-columns.js';
import { propertyOf } from '#libs/events/entity.js';
import { CONTRACT_EVENT, contractEventColumns } from '#libs/events/json-event.js';

/** Rows of all events without a folder; written and read by plain SQL like those of the others. */
export const ContractEventEntity = defineEntity({
  name: 'ContractEvent',
  tableName: CONTRACT_EVENT,
  comment: 'Events that are followed without code of their own: see event_fragment.',
  properties: {
    ...Object.fromEntries(
      withCommonColumns(contractEventColumns).map((column) => [column.property, propertyOf(column)]),
    ),
    // two events may claim one log, each on its own: as if they had tables of their own
    event: p.text().primary().comment(contractEventColumns[0]!.description),
  },
  indexes: [
    // as the tables of other events have them (see libs/events/entity.ts), within each event
    {
      name: 'contract_event_newest',
      properties: ['event', 'blockTimestamp'],
      columns: [{ name: 'event' }, { name: 'blockTimestamp', sort: 'DESC', nulls: 'LAST' }],
    },
    { name: 'contract_event_block', properties: ['event', 'chainId', 'blockNumber', 'txIndex', 'logIndex'] },
    { name: 'contract_event_write', properties: ['writeId'] },
    { name: 'contract_event_tx', properties: ['txHash'] },
    // filters by the value of an argument
    { name: 'contract_event_args', properties: ['args'], type: 'gin' },
  ],
} as never);

/** Events without a folder that a fetcher was told to follow. */
export const EventFragmentEntity = defineEntity({
  name: 'EventFragment',
  tableName: 'event_fragment',
  comment: 'Events without code: what EVENTS said of them. Their rows are in contract_event.',
  properties: {
    name: p.text().primary().comment('Name of the event here.'),
    fragment: p.text().comment('Human-readable ABI fragment.'),
    createdAt: p.datetime(3).defaultRaw('now()'),
    adoptedAt: p
      .datetime(3)
      .nullable()
      .comment('When its rows were moved into a table of its own; then the registry tells what it is.'),
    adoptedAs: p
      .text()
      .nullable()
      .comment('Name of the event in the registry since then: who still says the old one means this.'),
  },
});
