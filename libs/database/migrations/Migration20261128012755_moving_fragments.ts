import { Migration } from '@mikro-orm/migrations';

export class Migration20261128012755_moving_fragments extends Migration {
  override name = 'Migration20261128012755_moving_fragments';

  override up(): void | Promise<void> {
    this.addSql(`alter table "event_fragment" add "adopted_as" text null;`);
    this.addSql(
      `comment on column "event_fragment"."adopted_as" is 'Name of the event in the registry since then: who still says the old one means this.';`,
    );
  }

  override down(): void | Promise<void> {
    this.addSql(`alter table "event_fragment" drop column "adopted_as";`);
  }
}
