import { Migration } from '@mikro-orm/migrations';

export class Migration20261125123924_endpoints extends Migration {
  override name = 'Migration20261125123924_endpoints';

  override up(): void | Promise<void> {
    this.addSql(`alter table "chain" add "endpoints" jsonb not null default '[]';`);
    this.addSql(
      `comment on column "chain"."endpoints" is 'How the RPC endpoints fare, as the leader last said: a list of host, healthy, reason.';`,
    );
  }

  override down(): void | Promise<void> {
    this.addSql(`alter table "chain" drop column "endpoints";`);
  }
}
