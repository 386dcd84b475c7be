import { Migration } from '@mikro-orm/migrations';

export class Migration20261125191227_read_indexes extends Migration {
  override name = 'Migration20261125191227_read_indexes';

  override up(): void | Promise<void> {
    this.addSql(`drop index "socket_bridge_event_newest";`);
    this.addSql(
      `create index "socket_bridge_event_chain_id" on "socket_bridge_event" ("chain_id", "block_timestamp" DESC);`,
    );
    this.addSql(
      `create index "socket_bridge_event_bridge_name" on "socket_bridge_event" ("bridge_name", "block_timestamp" DESC);`,
    );
    this.addSql(
      `create index "socket_bridge_event_metadata" on "socket_bridge_event" ("metadata", "block_timestamp" DESC);`,
    );
    this.addSql(
      `create index "socket_bridge_event_newest" on "socket_bridge_event" ("block_timestamp" DESC nulls LAST);`,
    );
  }

  override down(): void | Promise<void> {
    this.addSql(`drop index "socket_bridge_event_chain_id";`);
    this.addSql(`drop index "socket_bridge_event_bridge_name";`);
    this.addSql(`drop index "socket_bridge_event_metadata";`);
    this.addSql(`drop index "socket_bridge_event_newest";`);
    this.addSql(
      `create index "socket_bridge_event_newest" on "socket_bridge_event" ("block_timestamp" DESC, "chain_id", "block_number" DESC, "tx_index" DESC, "log_index" DESC);`,
    );
  }
}
