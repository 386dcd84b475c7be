import { Migration } from '@mikro-orm/migrations';

export class Migration20261128000739_contract_event extends Migration {
  override name = 'Migration20261128000739_contract_event';

  override up(): void | Promise<void> {
    this.addSql(
      `create table "contract_event" ("chain_id" bigint not null, "tx_hash" bytea not null, "log_index" bigint not null, "event" text not null, "block_number" bigint not null, "block_hash" bytea not null, "block_timestamp" timestamptz(0) not null, "tx_index" bigint not null, "address" bytea not null, "args" jsonb not null, "topics" bytea[] not null, "data" bytea not null, "removed" boolean not null default false, "revision" bigint not null default '0', "write_id" bigint not null, primary key ("chain_id", "tx_hash", "log_index", "event"));`,
    );
    this.addSql(
      `comment on table "contract_event" is 'Events that are followed without code of their own: see event_fragment.';`,
    );
    this.addSql(
      `comment on column "contract_event"."chain_id" is 'Id of the chain that emitted the event (EIP-155).';`,
    );
    this.addSql(`comment on column "contract_event"."tx_hash" is 'Hash of the transaction.';`);
    this.addSql(`comment on column "contract_event"."log_index" is 'Index of the log within its block.';`);
    this.addSql(`comment on column "contract_event"."event" is 'Name of the event, see event_fragment.';`);
    this.addSql(
      `comment on column "contract_event"."block_number" is 'Height of the block that holds the event.';`,
    );
    this.addSql(`comment on column "contract_event"."block_hash" is 'Hash of that block.';`);
    this.addSql(
      `comment on column "contract_event"."block_timestamp" is 'The block''s own time, in whole seconds.';`,
    );
    this.addSql(
      `comment on column "contract_event"."tx_index" is 'Index of the transaction within its block.';`,
    );
    this.addSql(`comment on column "contract_event"."address" is 'Contract that emitted the event.';`);
    this.addSql(
      `comment on column "contract_event"."args" is 'Its arguments by name: whole numbers as decimal strings, bytes and addresses as hex.';`,
    );
    this.addSql(
      `comment on column "contract_event"."topics" is 'Topics of the raw log; the first one is the hash of the event signature.';`,
    );
    this.addSql(`comment on column "contract_event"."data" is 'Data of the raw log, ABI-encoded.';`);
    this.addSql(
      `comment on column "contract_event"."removed" is 'True when a reorg took the event out of the chain.';`,
    );
    this.addSql(
      `comment on column "contract_event"."revision" is '0 when the row was first stored, one more for every later change of it.';`,
    );
    this.addSql(
      `comment on column "contract_event"."write_id" is 'Write that touched the row last; feed_commit tells its position.';`,
    );
    this.addSql(
      `create index "contract_event_newest" on "contract_event" ("event", "block_timestamp" DESC nulls LAST);`,
    );
    this.addSql(
      `create index "contract_event_block" on "contract_event" ("event", "chain_id", "block_number", "tx_index", "log_index");`,
    );
    this.addSql(`create index "contract_event_write" on "contract_event" ("write_id");`);
    this.addSql(`create index "contract_event_tx" on "contract_event" ("tx_hash");`);
    this.addSql(`create index "contract_event_args" on "contract_event" using gin ("args");`);

    this.addSql(
      `create table "event_fragment" ("name" text not null, "fragment" text not null, "created_at" timestamptz(3) not null default now(), "adopted_at" timestamptz(3) null, primary key ("name"));`,
    );
    this.addSql(
      `comment on table "event_fragment" is 'Events without code: what EVENTS said of them. Their rows are in contract_event.';`,
    );
    this.addSql(`comment on column "event_fragment"."name" is 'Name of the event here.';`);
    this.addSql(`comment on column "event_fragment"."fragment" is 'Human-readable ABI fragment.';`);
    this.addSql(
      `comment on column "event_fragment"."adopted_at" is 'When its rows were moved into a table of its own; then the registry tells what it is.';`,
    );
  }

  override down(): void | Promise<void> {
    this.addSql(`drop table if exists "contract_event" cascade;`);
    this.addSql(`drop table if exists "event_fragment" cascade;`);
  }
}
