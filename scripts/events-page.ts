import { stemOf } from '#apps/api/graphql/event-resolver.js';
import { type Column, kebabCase, referenceField } from '#libs/events/column.js';
import type { EventDefinition } from '#libs/events/event.js';

type Table = (head: readonly string[], rows: readonly (readonly string[])[]) => string;

/** docs/events.md: what each event of the registry is, where its rows are found, and what its columns hold. */
export function eventsPage(note: string, table: Table, events: readonly EventDefinition[]): string {
  return `${[
    note,
    '# Events',
    'Each is a folder of `libs/events`; `EVENTS` says which are followed ([configuration.md](configuration.md)). Another one is [a folder more](add-an-event.md), or an ABI fragment in `EVENTS`.',
    'Every row has beside the columns below: `chainId`, `blockNumber`, `blockHash`, `blockTimestamp`, `txHash`, `txIndex`, `logIndex` and `address` (where the log stands, and the contract that emitted it), `topics` and `data` (the raw log), `removed`, and in answers `id`, `finality` and `explorerLinks`. Filters and orders of GraphQL and REST take the columns and where the log stands; `finality` is a filter, too.',
    ...events.flatMap((event) => sectionOf(event, table)),
  ].join('\n\n')}\n`;
}

function sectionOf(event: EventDefinition, table: Table): string[] {
  const stem = stemOf(event);
  const path = kebabCase(event.name);
  return [
    `## ${event.name}`,
    event.description,
    `\`${event.signature.replace(/^event /, '')}\``,
    `GraphQL \`${stem}Events\`, \`${stem}Event\`, \`${stem}Stats\`; REST \`/api/${path}-events\`, \`/api/${path}-stats\`; table \`${event.table}\`.`,
    table(
      ['column', 'kind', 'meaning', 'beside it', 'index'],
      event.columns.map((column) => [
        `\`${column.property}\``,
        column.kind,
        column.description,
        besideOf(column),
        column.indexed ? 'yes' : '',
      ]),
    ),
  ];
}

/** The field that says what a column refers to. */
function besideOf(column: Column): string {
  const field = referenceField(column);
  return field === null ? '' : `\`${field}\``;
}
