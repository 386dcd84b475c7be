import { Migration } from '@mikro-orm/migrations';

export class Migration20261124000000_init extends Migration {
  override name = 'Migration20261124000000_init';

  override up(): void | Promise<void> {
    this.addSql(
      `create table "block" ("chain_id" bigint not null, "number" bigint not null, "hash" bytea not null, "parent_hash" bytea not null, "timestamp" timestamptz(0) not null, primary key ("chain_id", "number"));`,
    );
    this.addSql(
      `comment on table "block" is 'The live segment of each chain: parent-linked blocks from the finalized one to the tip.';`,
    );

    this.addSql(
      `create table "chain" ("chain_id" bigint not null, "name" text not null, "last_processed_block" bigint null, "finalized_block" bigint null, "head_block" bigint null, "head_timestamp" timestamptz(0) null, "state" text not null default 'starting', "state_reason" text null, "state_at" timestamptz(3) not null default now(), primary key ("chain_id"));`,
    );
    this.addSql(`comment on table "chain" is 'Chains that were ever led by a fetcher.';`);
    this.addSql(`comment on column "chain"."chain_id" is 'EIP-155 chain id.';`);
    this.addSql(`comment on column "chain"."name" is 'Readable name.';`);
    this.addSql(
      `comment on column "chain"."last_processed_block" is 'Upper end of the part without holes, counted from the start block, over all sources; null: nothing yet.';`,
    );
    this.addSql(
      `comment on column "chain"."finalized_block" is 'Height up to which the stored blocks are final; never goes back.';`,
    );
    this.addSql(`comment on column "chain"."head_block" is 'Head that the leader''s RPC showed last.';`);
    this.addSql(`comment on column "chain"."head_timestamp" is 'Time of that head block.';`);
    this.addSql(
      `comment on column "chain"."state" is 'starting, following, paused, unreachable, stuck or halted.';`,
    );
    this.addSql(`comment on column "chain"."state_reason" is 'Why, in words, when something is wrong.';`);
    this.addSql(`comment on column "chain"."state_at" is 'When the leader last said so.';`);

    this.addSql(
      `create table "chain_lane" ("chain_id" bigint not null, "term" bigint not null, "applied_seq" bigint not null, "holder" text not null, "expires_at" timestamptz(3) not null, primary key ("chain_id"));`,
    );
    this.addSql(`comment on table "chain_lane" is 'Leadership of each chain''s news.';`);
    this.addSql(
      `comment on column "chain_lane"."term" is 'Raised by every takeover; statements of other terms are void.';`,
    );
    this.addSql(
      `comment on column "chain_lane"."applied_seq" is 'Sequence number of the last applied statement of the term.';`,
    );
    this.addSql(`comment on column "chain_lane"."holder" is 'Name of the fetcher that leads.';`);
    this.addSql(
      `comment on column "chain_lane"."expires_at" is 'End of the lease by the database''s clock.';`,
    );

    this.addSql(
      `create table "conflicting_log" ("chain_id" bigint not null, "tx_hash" bytea not null, "log_index" bigint not null, "block_hash" bytea not null, "event" text not null, "block_number" bigint not null, "block_timestamp" timestamptz(0) not null, "tx_index" bigint not null, "address" bytea not null, "topics" bytea[] not null, "data" bytea not null, "reason" text not null, "seen_at" timestamptz(3) not null default now(), primary key ("chain_id", "tx_hash", "log_index", "block_hash", "event"));`,
    );
    this.addSql(
      `comment on table "conflicting_log" is 'Logs that claim the key of a row which stands in another block.';`,
    );
    this.addSql(`comment on column "conflicting_log"."event" is 'Event type that the log claims to be.';`);

    this.addSql(
      `create table "feed_commit" ("position" bigint not null, "kind" text not null, "chain_id" bigint not null, "event" text null, "write_id" bigint null, "from_block" bigint null, "to_block" bigint null, "rows_added" int not null default 0, "rows_removed" int not null default 0, "committed_at" timestamptz(3) not null default clock_timestamp(), primary key ("position"));`,
    );
    this.addSql(
      `comment on table "feed_commit" is 'The commit log: positions are dense and in commit order.';`,
    );
    this.addSql(`comment on column "feed_commit"."kind" is 'write or finality.';`);
    this.addSql(
      `comment on column "feed_commit"."event" is 'write: name of the event whose rows were touched.';`,
    );
    this.addSql(
      `comment on column "feed_commit"."write_id" is 'write: the write_id that the touched rows carry.';`,
    );
    this.addSql(
      `comment on column "feed_commit"."from_block" is 'finality: the height that was final before; null: none.';`,
    );
    this.addSql(`comment on column "feed_commit"."to_block" is 'finality: the height that is final now.';`);
    this.addSql(`create index "feed_commit_write" on "feed_commit" ("write_id");`);
    this.addSql(`create index "feed_commit_finality" on "feed_commit" ("chain_id", "kind", "position");`);

    this.addSql(
      `create table "feed_counter" ("id" int not null, "position" bigint not null, "epoch" uuid not null, primary key ("id"));`,
    );
    this.addSql(`comment on table "feed_counter" is 'One row: the last position of feed_commit.';`);
    this.addSql(
      `comment on column "feed_counter"."epoch" is 'Id of this ledger, in cursors and messages. Give it a new value after restoring a backup.';`,
    );

    this.addSql(
      `create table "socket_bridge_event" ("chain_id" bigint not null, "tx_hash" bytea not null, "log_index" bigint not null, "block_number" bigint not null, "block_hash" bytea not null, "block_timestamp" timestamptz(0) not null, "tx_index" bigint not null, "address" bytea not null, "amount" numeric(78,0) not null, "token" bytea not null, "to_chain_id" numeric(78,0) not null, "bridge_name" bytea not null, "bridge" text not null, "sender" bytea not null, "receiver" bytea not null, "metadata" bytea not null, "topics" bytea[] not null, "data" bytea not null, "removed" boolean not null default false, "revision" bigint not null default '0', "write_id" bigint not null, primary key ("chain_id", "tx_hash", "log_index"));`,
    );
    this.addSql(
      `comment on table "socket_bridge_event" is 'Tokens left this chain through a bridge, sent by SocketGateway (Socket / Bungee).';`,
    );
    this.addSql(
      `comment on column "socket_bridge_event"."chain_id" is 'Id of the chain that emitted the event (EIP-155).';`,
    );
    this.addSql(`comment on column "socket_bridge_event"."tx_hash" is 'Hash of the transaction.';`);
    this.addSql(
      `comment on column "socket_bridge_event"."log_index" is 'Index of the log within its block.';`,
    );
    this.addSql(
      `comment on column "socket_bridge_event"."block_number" is 'Height of the block that holds the event.';`,
    );
    this.addSql(`comment on column "socket_bridge_event"."block_hash" is 'Hash of that block.';`);
    this.addSql(
      `comment on column "socket_bridge_event"."block_timestamp" is 'The block''s own time, in whole seconds.';`,
    );
    this.addSql(
      `comment on column "socket_bridge_event"."tx_index" is 'Index of the transaction within its block.';`,
    );
    this.addSql(`comment on column "socket_bridge_event"."address" is 'Contract that emitted the event.';`);
    this.addSql(
      `comment on column "socket_bridge_event"."amount" is 'Amount in the smallest unit of \`token\` on the source chain, before the bridge''s own fee.';`,
    );
    this.addSql(
      `comment on column "socket_bridge_event"."token" is 'Token on the source chain; 0xeeee…eeee stands for the chain''s native coin.';`,
    );
    this.addSql(
      `comment on column "socket_bridge_event"."to_chain_id" is 'Destination as the contract emitted it: an EVM chain id, for Stargate V1 a LayerZero id, in principle any number.';`,
    );
    this.addSql(
      `comment on column "socket_bridge_event"."bridge_name" is 'Id of the route: keccak256 of its name, or any other 32 bytes.';`,
    );
    this.addSql(
      `comment on column "socket_bridge_event"."bridge" is 'Readable name of the route (\`Hop\`, \`Across\`, …), or \`bridgeName\` itself when it is not known.';`,
    );
    this.addSql(`comment on column "socket_bridge_event"."sender" is 'Caller of the gateway.';`);
    this.addSql(
      `comment on column "socket_bridge_event"."receiver" is 'Recipient on the destination chain.';`,
    );
    this.addSql(
      `comment on column "socket_bridge_event"."metadata" is 'Free data of the caller, usually the integrator''s id as a number.';`,
    );
    this.addSql(
      `comment on column "socket_bridge_event"."topics" is 'Topics of the raw log; the first one is the hash of the event signature.';`,
    );
    this.addSql(`comment on column "socket_bridge_event"."data" is 'Data of the raw log, ABI-encoded.';`);
    this.addSql(
      `comment on column "socket_bridge_event"."removed" is 'True when a reorg took the event out of the chain.';`,
    );
    this.addSql(
      `comment on column "socket_bridge_event"."revision" is '0 when the row was first stored, one more for every later change of it.';`,
    );
    this.addSql(
      `comment on column "socket_bridge_event"."write_id" is 'Write that touched the row last; feed_commit tells its position.';`,
    );
    this.addSql(
      `create index "socket_bridge_event_newest" on "socket_bridge_event" ("block_timestamp" DESC, "chain_id", "block_number" DESC, "tx_index" DESC, "log_index" DESC);`,
    );
    this.addSql(
      `create index "socket_bridge_event_block" on "socket_bridge_event" ("chain_id", "block_number", "tx_index", "log_index");`,
    );
    this.addSql(`create index "socket_bridge_event_write" on "socket_bridge_event" ("write_id");`);
    this.addSql(
      `create index "socket_bridge_event_token" on "socket_bridge_event" ("token", "block_timestamp" DESC);`,
    );
    this.addSql(
      `create index "socket_bridge_event_to_chain_id" on "socket_bridge_event" ("to_chain_id", "block_timestamp" DESC);`,
    );
    this.addSql(
      `create index "socket_bridge_event_bridge" on "socket_bridge_event" ("bridge", "block_timestamp" DESC);`,
    );
    this.addSql(
      `create index "socket_bridge_event_sender" on "socket_bridge_event" ("sender", "block_timestamp" DESC);`,
    );
    this.addSql(
      `create index "socket_bridge_event_receiver" on "socket_bridge_event" ("receiver", "block_timestamp" DESC);`,
    );
    this.addSql(`create index "socket_bridge_event_tx" on "socket_bridge_event" ("tx_hash");`);

    this.addSql(
      `create table "source" ("id" bigserial primary key, "chain_id" bigint not null, "address" bytea not null, "event" text not null, "start_block" bigint not null, "live_from" bigint null, "coverage" int8multirange not null default '{}', "created_at" timestamptz(3) not null default now(), "retired_at" timestamptz(3) null);`,
    );
    this.addSql(
      `comment on table "source" is 'The ledger: which blocks are stored for each (chain, contract, event).';`,
    );
    this.addSql(`comment on column "source"."address" is 'Contract, 20 bytes.';`);
    this.addSql(`comment on column "source"."event" is 'Name in the event registry.';`);
    this.addSql(`comment on column "source"."start_block" is 'First block that is wanted.';`);
    this.addSql(
      `comment on column "source"."live_from" is 'First block that came as news; blocks below it are history.';`,
    );
    this.addSql(
      `comment on column "source"."coverage" is 'Blocks whose rows are stored; changed only in the transaction that stores them.';`,
    );
    this.addSql(
      `comment on column "source"."retired_at" is 'When the chain''s leader no longer wanted it; its rows stay.';`,
    );
    this.addSql(
      `alter table "source" add constraint "source_identity" unique ("chain_id", "address", "event");`,
    );

    this.addSql(
      `create table "undecodable_log" ("chain_id" bigint not null, "tx_hash" bytea not null, "log_index" bigint not null, "block_hash" bytea not null, "event" text not null, "block_number" bigint not null, "block_timestamp" timestamptz(0) not null, "tx_index" bigint not null, "address" bytea not null, "topics" bytea[] not null, "data" bytea not null, "reason" text not null, "seen_at" timestamptz(3) not null default now(), primary key ("chain_id", "tx_hash", "log_index", "block_hash", "event"));`,
    );
    this.addSql(
      `comment on table "undecodable_log" is 'Logs that carry the topic of an event but are not a valid one of it, with the reason.';`,
    );
    this.addSql(`comment on column "undecodable_log"."event" is 'Event type that the log claims to be.';`);

    // not of the entities: the one row that hands out positions, and the ids that touched rows carry
    this.addSql(`insert into "feed_counter" ("id", "position", "epoch") values (1, 0, gen_random_uuid());`);
    this.addSql(`create sequence "event_write_id";`);
  }

  override down(): void | Promise<void> {
    this.addSql(`drop table if exists "block" cascade;`);
    this.addSql(`drop table if exists "chain" cascade;`);
    this.addSql(`drop table if exists "chain_lane" cascade;`);
    this.addSql(`drop table if exists "conflicting_log" cascade;`);
    this.addSql(`drop table if exists "feed_commit" cascade;`);
    this.addSql(`drop table if exists "feed_counter" cascade;`);
    this.addSql(`drop table if exists "socket_bridge_event" cascade;`);
    this.addSql(`drop table if exists "source" cascade;`);
    this.addSql(`drop table if exists "undecodable_log" cascade;`);
    this.addSql(`drop sequence if exists "event_write_id";`);
  }
}
