import { type RawBuilder, sql } from 'kysely';
import { commonColumns } from '#libs/events/base-columns.js';
import { type Column, columnKinds } from '#libs/events/column.js';
import type { EventDefinition } from '#libs/events/event.js';

/**
 * The rows of an event with all columns that readers see, for what follows `from`: its table, or its part of the table of all events
 * without a folder, whose arguments are columns then (Postgres looks through it, so that the indexes serve).
 */
export function rowsOf(event: EventDefinition): RawBuilder<unknown> {
  if (!event.sharesTable) return sql.table(event.table);
  const columns = [
    ...commonColumns.map((column) => sql`r.${sql.ref(column.name)}`),
    ...event.columns.map((column) => sql`${argumentSql(column)} as ${sql.ref(column.name)}`),
    // see `argumentEquals`
    sql`r.args`,
  ];
  return sql`(select ${sql.join(columns)} from ${sql.table(event.table)} r where r.event = ${event.name})`;
}

function argumentSql({ kind, argument }: Column): RawBuilder<unknown> {
  const { sqlType } = columnKinds[kind];
  if (kind === 'json') return sql`(r.args -> ${sql.lit(argument)})`;
  const text = sql`(r.args ->> ${sql.lit(argument)})`;
  return sqlType === 'bytea' ? sql`decode(substr(${text}, 3), 'hex')` : sql`${text}::${sql.raw(sqlType)}`;
}
