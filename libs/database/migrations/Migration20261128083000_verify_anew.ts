import { Migration } from '@mikro-orm/migrations';

/** Until here a reorg or a repair made a source verified that never was: nobody knows which claims are true, `npm run verify` does. */
export class Migration20261128083000_verify_anew extends Migration {
  override name = 'Migration20261128083000_verify_anew';

  override up(): void | Promise<void> {
    this.addSql("set local lock_timeout = '1s';");
    this.addSql('update source set verified_block = null where verified_block is not null;');
  }

  override down(): void | Promise<void> {}
}
