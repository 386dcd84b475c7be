import { Migration } from '@mikro-orm/migrations';

export class Migration20261128002324_counted_from extends Migration {
  override name = 'Migration20261128002324_counted_from';

  override up(): void | Promise<void> {
    this.addSql(
      `comment on column "chain"."last_processed_block" is 'Upper end of the part without holes, over all sources that count (source.counted_from); null: nothing yet.';`,
    );

    this.addSql(`alter table "source" add "counted_from" bigint null;`);
    // what the chain's value speaks of already
    this.addSql(`update "source" set "counted_from" = "start_block" where "retired_at" is null;`);
    this.addSql(
      `comment on column "source"."counted_from" is 'First block that chain.last_processed_block speaks of: the start block, once that doesn''t take the chain''s value back; null: it doesn''t count yet.';`,
    );
  }

  override down(): void | Promise<void> {
    this.addSql(
      `comment on column "chain"."last_processed_block" is 'Upper end of the part without holes, counted from the start block, over all sources; null: nothing yet.';`,
    );

    this.addSql(`alter table "source" drop column "counted_from";`);
  }
}
