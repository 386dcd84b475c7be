import { MikroORM } from '@mikro-orm/postgresql';
import { Client } from 'pg';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { Database } from '#libs/database/database.js';
import { migrate } from '#libs/database/migrate.js';
import { safeChange } from '#libs/database/migration-generator.js';
import { ormConfig } from '#libs/database/orm-config.js';
import { StepwiseMigration } from '#libs/database/stepwise-migration.js';
import { events } from '#libs/events/registry.js';
import { createDatabase } from './services/postgres.js';
import { query } from './services/query.js';
import { until } from './services/until.js';

let url: string;
let drop: () => Promise<void>;

beforeEach(async () => {
  ({ url, drop } = await createDatabase(inject('postgresUrl')));
  await query(url, 'create table thing (id bigint primary key, size bigint)');
  await query(url, 'insert into thing select i, i % 7 from generate_series(1, 1000) i');
});
afterEach(async () => drop());

/** Runs the steps as a migration that MikroORM carries out. */
async function run(steps: (migration: Steps) => Promise<void>): Promise<void> {
  const orm = new MikroORM({
    ...ormConfig(url),
    entities: [],
    migrations: {
      tableName: 'done',
      snapshot: false,
      migrationsList: [
        {
          name: 'steps',
          class: class extends Steps {
            override async up(): Promise<void> {
              await steps(this);
            }
          },
        },
      ],
    },
  });
  try {
    await orm.migrator.up();
  } finally {
    await orm.close(true);
  }
}

abstract class Steps extends StepwiseMigration {
  index(): Promise<void> {
    return this.createIndex('thing_size', 'create index concurrently "thing_size" on "thing" ("size")');
  }
  noIndex(): Promise<void> {
    return this.dropIndex('thing_size');
  }
  notNull(): Promise<void> {
    return this.setNotNull('thing', 'size');
  }
}

const index = () =>
  query<{ valid: boolean }>(
    url,
    "select i.indisvalid as valid from pg_index i join pg_class c on c.oid = i.indexrelid where c.relname = 'thing_size'",
  );
const isNullable = async () =>
  (
    await query<{ no: boolean }>(
      url,
      "select not attnotnull as no from pg_attribute where attname = 'size' and attrelid = 'thing'::regclass",
    )
  )[0]!.no;
const checks = () =>
  query(url, "select conname from pg_constraint where conrelid = 'thing'::regclass and contype = 'c'");

/** A session that does something and doesn't commit. */
async function holding(statement: string): Promise<{ commit(): Promise<void> }> {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query('begin');
  await client.query(statement);
  return { commit: () => client.query('commit').then(() => client.end()) };
}

const waiting = async (what: string) =>
  (
    await query<{ n: string }>(
      url,
      `select count(*) as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query ilike '%${what}%' and pid <> pg_backend_pid()`,
    )
  )[0]!.n !== '0';

test('an index is built while a row is being written, and writes go on meanwhile', async () => {
  const writer = await holding('update thing set size = 8 where id = 1');
  const building = run((migration) => migration.index());
  await until('the build to wait for the writer', () => waiting('create index'));
  await query(url, 'insert into thing values (2000, 3)');
  await writer.commit();
  await building;
  expect(await index()).toEqual([{ valid: true }]);
});

test('an index that was left half built is built anew, and one that is there is left as it is', async () => {
  // a value twice lets a unique build fail, and leaves what a kill in the middle leaves
  await expect(query(url, 'create unique index concurrently thing_size on thing (size)')).rejects.toThrow();
  expect(await index()).toEqual([{ valid: false }]);
  await run((migration) => migration.index());
  expect(await index()).toEqual([{ valid: true }]);
  const file = () => query(url, "select pg_relation_filenode('thing_size') as node");
  const before = await file();
  await run((migration) => migration.index());
  expect(await file()).toEqual(before);
  await query(url, 'delete from done');
  await run((migration) => migration.index());
  expect(await file()).toEqual(before);
  await query(url, 'delete from done');
  await run((migration) => migration.noIndex());
  expect(await index()).toEqual([]);
});

test('a column without nulls becomes not null, and nothing else is left of it', async () => {
  await run((migration) => migration.notNull());
  expect(await isNullable()).toBe(false);
  expect(await checks()).toEqual([]);
});

test('a column with a null stays as it was, and takes nulls; once it is filled the same migration succeeds', async () => {
  await query(url, 'insert into thing values (2000, null)');
  await expect(run((migration) => migration.notNull())).rejects.toThrow('thing_size_filled');
  expect(await checks()).toEqual([]);
  expect(await isNullable()).toBe(true);
  await query(url, 'insert into thing values (2001, null)');
  await query(url, 'update thing set size = 0 where size is null');
  await run((migration) => migration.notNull());
  expect(await isNullable()).toBe(false);
});

test('who waits for a table gives way to those behind, and gets it in the end', async () => {
  const reader = await holding('select * from thing');
  const migrating = run((migration) => migration.notNull());
  await until('the migration to wait for the reader', () => waiting('alter table'));
  // would wait as long as the reader reads if the migration did
  await query(url, 'insert into thing values (2000, 1)');
  await reader.commit();
  await migrating;
  expect(await isNullable()).toBe(false);
});

test('the migrations of the product get a table that is in use when it is free, and what was done before stays done', async () => {
  const database = Database.open(url);
  try {
    await migrate(database);
    await query(
      url,
      `delete from schema_migration where name like '%_repairs'; alter table source drop column verified_block;
      alter table chain drop column retracted_at; alter table chain_lane drop column void_through`,
    );
    const reader = await holding('select * from chain');
    const migrating = migrate(database);
    await until('the migration to wait for the reader', () => waiting('alter table'));
    await query(url, "insert into chain (chain_id, name) values (5, 'Five')");
    await reader.commit();
    expect((await migrating).migrations).toEqual([expect.stringMatching(/_repairs$/)]);
  } finally {
    await database.close();
  }
});

test('several processes that migrate at once do it once', async () => {
  const databases = [1, 2, 3].map(() => Database.open(url));
  try {
    const done = await Promise.all(databases.map((database) => migrate(database)));
    expect(done.filter(({ migrations }) => migrations.length > 0)).toHaveLength(1);
  } finally {
    await Promise.all(databases.map((database) => database.close()));
  }
});

const change = (...up: string[]) => safeChange({ up, down: ['drop index "thing_size";'] });

test('an index on a table that exists is built concurrently by a migration of its own, one on a new table at once', () => {
  const added = 'alter table "thing" add "size" bigint null;';
  const { quick, steps } = change(added, 'create index "thing_size" on "thing" ("size", "at" DESC);');
  expect(quick).toEqual({ up: ["set local lock_timeout = '1s';", added], down: [] });
  expect(steps).toEqual([
    {
      up: 'this.createIndex(\'thing_size\', `create index concurrently "thing_size" on "thing" ("size", "at" DESC)`)',
      down: "this.dropIndex('thing_size')",
    },
  ]);
  const whole = [
    'create table "thing" ("size" bigint not null);',
    'create index "thing_size" on "thing" ("size");',
  ];
  expect(change(...whole)).toMatchObject({ quick: { up: whole }, steps: [] });
});

test.each([
  ['alone', 'alter table "thing" add "size" bigint not null;', ['size']],
  [
    'among others',
    'alter table "thing" add "a" text null, add "size" numeric(78,0) not null, add "b" text not null;',
    ['size', 'b'],
  ],
])('a new column of stored rows that would have no value is refused, %s', (_title, statement, columns) => {
  for (const column of columns)
    expect(() => change(statement)).toThrow(
      `column ${column} of thing must be nullable: rows that are stored have no value for it. Write "nullable: true"`,
    );
});

test('a new column with a value for stored rows, or of a new table, passes', () => {
  for (const statement of [
    'alter table "thing" add "size" bigint not null default 0;',
    'alter table "thing" add "size" bigint null;',
  ])
    expect(change(statement).quick.up).toContain(statement);
  const fresh = [
    'create table "thing" ("id" bigint not null);',
    'alter table "thing" add "size" bigint not null;',
  ];
  expect(change(...fresh).quick.up).toEqual(fresh);
});

test('the table of an event is made with room in its pages, also those that are there', async () => {
  const table = (name: string) => `create table "${name}" ("id" bigint not null, primary key ("id"));`;
  const { up } = change(table('route_disabled_event'), table('thing')).quick;
  expect(up).toEqual([
    'create table "route_disabled_event" ("id" bigint not null, primary key ("id")) with (fillfactor = 90);',
    table('thing'),
  ]);
  const database = Database.open(url);
  await migrate(database);
  await database.close();
  const options = await query(url, 'select relname, reloptions from pg_class where relname = any($1)', [
    events.map((event) => event.table),
  ]);
  expect(options).toEqual(events.map(() => expect.objectContaining({ reloptions: ['fillfactor=90'] })));
});

test('that a column becomes not null is a step of its own', () => {
  expect(change('alter table "thing" alter column "size" set not null;').steps).toEqual([
    { up: "this.setNotNull('thing', 'size')", down: null },
  ]);
});
