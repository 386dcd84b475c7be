import { Migration } from '@mikro-orm/migrations';

export class Migration20261128002412_share_chains extends Migration {
  override name = 'Migration20261128002412_share_chains';

  override up(): void | Promise<void> {
    this.addSql(
      `create table "chain_candidate" ("chain_id" bigint not null, "process" text not null, "expires_at" timestamptz(3) not null, "invited_by" text not null default '', "invited_until" timestamptz(3) not null default '-infinity', primary key ("chain_id", "process"));`,
    );
    this.addSql(`comment on table "chain_candidate" is 'Fetchers that stand ready to lead a chain.';`);
    this.addSql(
      `comment on column "chain_candidate"."process" is 'Name of the fetcher, as in chain_lane.holder.';`,
    );
    this.addSql(
      `comment on column "chain_candidate"."expires_at" is 'Until when it stands ready by the database''s clock, if it says no more.';`,
    );
    this.addSql(
      `comment on column "chain_candidate"."invited_by" is 'The leader that invited it to take over: it leads more chains than this one.';`,
    );
    this.addSql(`comment on column "chain_candidate"."invited_until" is 'End of the invitation.';`);
  }

  override down(): void | Promise<void> {
    this.addSql(`drop table if exists "chain_candidate" cascade;`);
  }
}
