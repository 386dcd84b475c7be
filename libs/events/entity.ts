import { defineEntity, type EntitySchema, p } from '@mikro-orm/core';
import { bookkeepingColumns } from './base-columns.js';
import { type Column, columnKinds } from './column.js';
import type { EventDefinition } from './event.js';
import { events } from './registry.js';

/** Primary key of every event's table; it starts with the chain so that a table can be partitioned by it. */
const eventKey = ['chainId', 'txHash', 'logIndex'] as const;

/**
 * MikroORM's entity of an event type: its table, columns and indexes, all from the definition.
 * Rows are written and read by libs/database with plain SQL; the entity is what migrations and `checkSchema` go by.
 */
function entityOf(event: EventDefinition): EntitySchema {
  const index = (suffix: string, columns: readonly { name: string; sort?: 'DESC'; nulls?: 'LAST' }[]) => ({
    name: `${event.table}_${suffix}`,
    properties: columns.map((c) => c.name),
    // given for a plain index too, they would never equal what Postgres tells of it
    ...(columns.some((c) => c.sort) && { columns: columns.map((c) => ({ ...c })) }),
  });
  return defineEntity({
    name: `${event.name}Event`,
    tableName: event.table,
    comment: event.description,
    properties: Object.fromEntries(event.allColumns.map((column) => [column.property, propertyOf(column)])),
    indexes: [
      // the default order of pages begins with the time; the few rows of one moment are sorted (the index is a third the size so)
      // there are no nulls; `nulls last` keeps it apart from the indexes below (see `readPage`)
      index('newest', [{ name: 'blockTimestamp', sort: 'DESC', nulls: 'LAST' }]),
      // the order within a chain; reorgs and moves of finality look rows up by height
      index(
        'block',
        ['chainId', 'blockNumber', 'txIndex', 'logIndex'].map((name) => ({ name })),
      ),
      // the rows of one position of the commit log
      index('write', [{ name: 'writeId' }]),
      // a column's value, newest first: the default order of pages and a range of time, within one value
      ...event.allColumns
        .filter((column) => column.indexed)
        .map((column) =>
          index(column.name, [{ name: column.property }, { name: 'blockTimestamp', sort: 'DESC' }]),
        ),
      index('tx', [{ name: 'txHash' }]),
    ],
  } as never) as unknown as EntitySchema;
}

/** MikroORM's property of a column. */
export function propertyOf(column: Column): unknown {
  const { orm } = columnKinds[column.kind];
  const builder = baseProperty(orm).name(column.name).comment(column.description);
  if ((eventKey as readonly string[]).includes(column.property))
    return builder.primary().autoincrement(false);
  if (column.nullable) return builder.nullable();
  if (!bookkeepingColumns.includes(column)) return builder;
  if (column.property === 'removed') return builder.default(false);
  return column.property === 'revision' ? builder.default(0) : builder;
}

// biome-ignore lint/suspicious/noExplicitAny: MikroORM's builders have a type of their own per kind, and the kind is data here
function baseProperty(orm: (typeof columnKinds)[keyof typeof columnKinds]['orm']): any {
  if (orm === 'bigint') return p.bigint('number');
  if (orm === 'timestamp') return p.datetime(0);
  if (orm === 'text') return p.text();
  if (orm === 'boolean') return p.boolean();
  if (orm === 'json') return p.json();
  return p.type(orm());
}

/** The entities of all event types, for libs/database. */
export const eventEntities: readonly EntitySchema[] = events.map(entityOf);
