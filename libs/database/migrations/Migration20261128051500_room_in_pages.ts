import { Migration } from '@mikro-orm/migrations';

const tables = [
  'socket_bridge_event',
  'socket_swap_tokens_event',
  'socket_non_evm_dest_bridge_event',
  'socket_non_evm_dest_bridge_v2_event',
  'socket_fees_deducted_event',
  'new_route_added_event',
  'route_disabled_event',
  'request_extracted_event',
];

/** New pages of the events' tables leave room for new versions of their rows; what is stored stays as it is. */
export class Migration20261128051500_room_in_pages extends Migration {
  override name = 'Migration20261128051500_room_in_pages';

  override up(): void | Promise<void> {
    this.addSql("set local lock_timeout = '1s';");
    for (const table of tables) this.addSql(`alter table "${table}" set (fillfactor = 90);`);
  }

  override down(): void | Promise<void> {
    for (const table of tables) this.addSql(`alter table "${table}" reset (fillfactor);`);
  }
}
