import { Migration } from '@mikro-orm/migrations';

export class Migration20261128005632_derivation extends Migration {
  override name = 'Migration20261128005632_derivation';

  override up(): void | Promise<void> {
    this.addSql(
      `create table "derivation_range" ("event" text not null, "columns" text not null, "chain_id" bigint not null, "from_block" bigint not null, "to_block" bigint null, "rows" bigint not null, "filled" bigint not null default '0', "unreadable" bigint not null default '0', "unanswered" bigint not null default '0', "claimed_until" timestamptz(3) null, "done_at" timestamptz(3) null, primary key ("event", "columns", "chain_id", "from_block"));`,
    );
    this.addSql(
      `comment on table "derivation_range" is 'Progress of filling columns of stored rows: ranges of blocks, each done or not.';`,
    );
    this.addSql(
      `comment on column "derivation_range"."columns" is 'Names of the columns that are filled, sorted, joined by commas.';`,
    );
    this.addSql(`comment on column "derivation_range"."from_block" is 'First block.';`);
    this.addSql(`comment on column "derivation_range"."to_block" is 'First block behind it; null: no end.';`);
    this.addSql(`comment on column "derivation_range"."rows" is 'Rows when the work was divided.';`);
    this.addSql(
      `comment on column "derivation_range"."filled" is 'Rows that got other values than they had.';`,
    );
    this.addSql(`comment on column "derivation_range"."unreadable" is 'Rows in underived_row.';`);
    this.addSql(
      `comment on column "derivation_range"."unanswered" is 'Rows for which the chain was asked in vain.';`,
    );
    this.addSql(
      `comment on column "derivation_range"."claimed_until" is 'A process works on it, unless this has passed.';`,
    );

    this.addSql(
      `create table "underived_row" ("event" text not null, "columns" text not null, "chain_id" bigint not null, "tx_hash" bytea not null, "log_index" bigint not null, "block_number" bigint not null, "reason" text not null, "seen_at" timestamptz(3) not null default now(), primary key ("event", "columns", "chain_id", "tx_hash", "log_index"));`,
    );
    this.addSql(
      `comment on table "underived_row" is 'Rows whose columns could not be filled from their raw log, with the reason.';`,
    );
    this.addSql(
      `comment on column "underived_row"."columns" is 'Names of the columns that are filled, sorted, joined by commas.';`,
    );
  }

  override down(): void | Promise<void> {
    this.addSql(`drop table if exists "derivation_range" cascade;`);
    this.addSql(`drop table if exists "underived_row" cascade;`);
  }
}
