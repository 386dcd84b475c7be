import { Migration } from '@mikro-orm/migrations';

export class Migration20261125150210_repairs extends Migration {
  override name = 'Migration20261125150210_repairs';

  override up(): void | Promise<void> {
    this.addSql(`alter table "chain" add "retracted_at" bigint null;`);
    this.addSql(
      `comment on column "chain"."retracted_at" is 'Position of the commit log from which on events that were told as final may be taken back, by a repair; null: none ever was.';`,
    );
    this.addSql(
      `comment on column "chain"."finalized_block" is 'Height up to which the stored blocks are final; only a repair takes it back.';`,
    );

    this.addSql(`alter table "chain_lane" add "void_through" bigint not null default '0';`);
    this.addSql(
      `comment on column "chain_lane"."void_through" is 'History said under this term or an earlier one is void: a repair has taken its finality back.';`,
    );

    this.addSql(
      `comment on column "feed_commit"."to_block" is 'finality: the height that is final now; lower than before, or null (none), after a repair.';`,
    );

    this.addSql(`alter table "source" add "verified_block" bigint null;`);
    this.addSql(
      `comment on column "source"."verified_block" is 'Upper end of the part without holes from the start block whose rows a verification found equal to the chain; null: none.';`,
    );
  }

  override down(): void | Promise<void> {
    this.addSql(`alter table "chain" drop column "retracted_at";`);
    this.addSql(
      `comment on column "chain"."finalized_block" is 'Height up to which the stored blocks are final; never goes back.';`,
    );

    this.addSql(`alter table "chain_lane" drop column "void_through";`);

    this.addSql(`comment on column "feed_commit"."to_block" is 'finality: the height that is final now.';`);

    this.addSql(`alter table "source" drop column "verified_block";`);
  }
}
