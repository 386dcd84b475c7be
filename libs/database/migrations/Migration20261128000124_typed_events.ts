import { Migration } from '@mikro-orm/migrations';

export class Migration20261128000124_typed_events extends Migration {
  override name = 'Migration20261128000124_typed_events';

  override up(): void | Promise<void> {
    this.addSql(
      `create table "new_route_added_event" ("chain_id" bigint not null, "tx_hash" bytea not null, "log_index" bigint not null, "block_number" bigint not null, "block_hash" bytea not null, "block_timestamp" timestamptz(0) not null, "tx_index" bigint not null, "address" bytea not null, "route_id" bigint not null, "route" bytea not null, "topics" bytea[] not null, "data" bytea not null, "removed" boolean not null default false, "revision" bigint not null default '0', "write_id" bigint not null, primary key ("chain_id", "tx_hash", "log_index"));`,
    );
    this.addSql(
      `comment on table "new_route_added_event" is 'SocketGateway (Socket / Bungee) got another route.';`,
    );
    this.addSql(
      `comment on column "new_route_added_event"."chain_id" is 'Id of the chain that emitted the event (EIP-155).';`,
    );
    this.addSql(`comment on column "new_route_added_event"."tx_hash" is 'Hash of the transaction.';`);
    this.addSql(
      `comment on column "new_route_added_event"."log_index" is 'Index of the log within its block.';`,
    );
    this.addSql(
      `comment on column "new_route_added_event"."block_number" is 'Height of the block that holds the event.';`,
    );
    this.addSql(`comment on column "new_route_added_event"."block_hash" is 'Hash of that block.';`);
    this.addSql(
      `comment on column "new_route_added_event"."block_timestamp" is 'The block''s own time, in whole seconds.';`,
    );
    this.addSql(
      `comment on column "new_route_added_event"."tx_index" is 'Index of the transaction within its block.';`,
    );
    this.addSql(`comment on column "new_route_added_event"."address" is 'Contract that emitted the event.';`);
    this.addSql(
      `comment on column "new_route_added_event"."route_id" is 'Number of the route, by which calls of the gateway name it.';`,
    );
    this.addSql(
      `comment on column "new_route_added_event"."route" is 'Contract that the gateway delegates to.';`,
    );
    this.addSql(
      `comment on column "new_route_added_event"."topics" is 'Topics of the raw log; the first one is the hash of the event signature.';`,
    );
    this.addSql(`comment on column "new_route_added_event"."data" is 'Data of the raw log, ABI-encoded.';`);
    this.addSql(
      `comment on column "new_route_added_event"."removed" is 'True when a reorg took the event out of the chain.';`,
    );
    this.addSql(
      `comment on column "new_route_added_event"."revision" is '0 when the row was first stored, one more for every later change of it.';`,
    );
    this.addSql(
      `comment on column "new_route_added_event"."write_id" is 'Write that touched the row last; feed_commit tells its position.';`,
    );
    this.addSql(
      `create index "new_route_added_event_newest" on "new_route_added_event" ("block_timestamp" DESC nulls LAST);`,
    );
    this.addSql(
      `create index "new_route_added_event_block" on "new_route_added_event" ("chain_id", "block_number", "tx_index", "log_index");`,
    );
    this.addSql(`create index "new_route_added_event_write" on "new_route_added_event" ("write_id");`);
    this.addSql(
      `create index "new_route_added_event_chain_id" on "new_route_added_event" ("chain_id", "block_timestamp" DESC);`,
    );
    this.addSql(
      `create index "new_route_added_event_route_id" on "new_route_added_event" ("route_id", "block_timestamp" DESC);`,
    );
    this.addSql(
      `create index "new_route_added_event_route" on "new_route_added_event" ("route", "block_timestamp" DESC);`,
    );
    this.addSql(`create index "new_route_added_event_tx" on "new_route_added_event" ("tx_hash");`);

    this.addSql(
      `create table "request_extracted_event" ("chain_id" bigint not null, "tx_hash" bytea not null, "log_index" bigint not null, "block_number" bigint not null, "block_hash" bytea not null, "block_timestamp" timestamptz(0) not null, "tx_index" bigint not null, "address" bytea not null, "request_hash" bytea not null, "impl_id" bigint not null, "transmitter" bytea not null, "execution" bytea not null, "topics" bytea[] not null, "data" bytea not null, "removed" boolean not null default false, "revision" bigint not null default '0', "write_id" bigint not null, primary key ("chain_id", "tx_hash", "log_index"));`,
    );
    this.addSql(
      `comment on table "request_extracted_event" is 'A transmitter took a user''s signed request to BungeeGateway (Bungee Auto), and with it the tokens.';`,
    );
    this.addSql(
      `comment on column "request_extracted_event"."chain_id" is 'Id of the chain that emitted the event (EIP-155).';`,
    );
    this.addSql(`comment on column "request_extracted_event"."tx_hash" is 'Hash of the transaction.';`);
    this.addSql(
      `comment on column "request_extracted_event"."log_index" is 'Index of the log within its block.';`,
    );
    this.addSql(
      `comment on column "request_extracted_event"."block_number" is 'Height of the block that holds the event.';`,
    );
    this.addSql(`comment on column "request_extracted_event"."block_hash" is 'Hash of that block.';`);
    this.addSql(
      `comment on column "request_extracted_event"."block_timestamp" is 'The block''s own time, in whole seconds.';`,
    );
    this.addSql(
      `comment on column "request_extracted_event"."tx_index" is 'Index of the transaction within its block.';`,
    );
    this.addSql(
      `comment on column "request_extracted_event"."address" is 'Contract that emitted the event.';`,
    );
    this.addSql(
      `comment on column "request_extracted_event"."request_hash" is 'Hash of the signed request.';`,
    );
    this.addSql(
      `comment on column "request_extracted_event"."impl_id" is 'Number of the implementation that handled the request.';`,
    );
    this.addSql(`comment on column "request_extracted_event"."transmitter" is 'Who brought the request.';`);
    this.addSql(
      `comment on column "request_extracted_event"."execution" is 'What is to be executed, as the implementation encodes it.';`,
    );
    this.addSql(
      `comment on column "request_extracted_event"."topics" is 'Topics of the raw log; the first one is the hash of the event signature.';`,
    );
    this.addSql(`comment on column "request_extracted_event"."data" is 'Data of the raw log, ABI-encoded.';`);
    this.addSql(
      `comment on column "request_extracted_event"."removed" is 'True when a reorg took the event out of the chain.';`,
    );
    this.addSql(
      `comment on column "request_extracted_event"."revision" is '0 when the row was first stored, one more for every later change of it.';`,
    );
    this.addSql(
      `comment on column "request_extracted_event"."write_id" is 'Write that touched the row last; feed_commit tells its position.';`,
    );
    this.addSql(
      `create index "request_extracted_event_newest" on "request_extracted_event" ("block_timestamp" DESC nulls LAST);`,
    );
    this.addSql(
      `create index "request_extracted_event_block" on "request_extracted_event" ("chain_id", "block_number", "tx_index", "log_index");`,
    );
    this.addSql(`create index "request_extracted_event_write" on "request_extracted_event" ("write_id");`);
    this.addSql(
      `create index "request_extracted_event_chain_id" on "request_extracted_event" ("chain_id", "block_timestamp" DESC);`,
    );
    this.addSql(
      `create index "request_extracted_event_request_hash" on "request_extracted_event" ("request_hash", "block_timestamp" DESC);`,
    );
    this.addSql(
      `create index "request_extracted_event_transmitter" on "request_extracted_event" ("transmitter", "block_timestamp" DESC);`,
    );
    this.addSql(`create index "request_extracted_event_tx" on "request_extracted_event" ("tx_hash");`);

    this.addSql(
      `create table "route_disabled_event" ("chain_id" bigint not null, "tx_hash" bytea not null, "log_index" bigint not null, "block_number" bigint not null, "block_hash" bytea not null, "block_timestamp" timestamptz(0) not null, "tx_index" bigint not null, "address" bytea not null, "route_id" bigint not null, "topics" bytea[] not null, "data" bytea not null, "removed" boolean not null default false, "revision" bigint not null default '0', "write_id" bigint not null, primary key ("chain_id", "tx_hash", "log_index"));`,
    );
    this.addSql(
      `comment on table "route_disabled_event" is 'A route of SocketGateway (Socket / Bungee) was disabled.';`,
    );
    this.addSql(
      `comment on column "route_disabled_event"."chain_id" is 'Id of the chain that emitted the event (EIP-155).';`,
    );
    this.addSql(`comment on column "route_disabled_event"."tx_hash" is 'Hash of the transaction.';`);
    this.addSql(
      `comment on column "route_disabled_event"."log_index" is 'Index of the log within its block.';`,
    );
    this.addSql(
      `comment on column "route_disabled_event"."block_number" is 'Height of the block that holds the event.';`,
    );
    this.addSql(`comment on column "route_disabled_event"."block_hash" is 'Hash of that block.';`);
    this.addSql(
      `comment on column "route_disabled_event"."block_timestamp" is 'The block''s own time, in whole seconds.';`,
    );
    this.addSql(
      `comment on column "route_disabled_event"."tx_index" is 'Index of the transaction within its block.';`,
    );
    this.addSql(`comment on column "route_disabled_event"."address" is 'Contract that emitted the event.';`);
    this.addSql(
      `comment on column "route_disabled_event"."route_id" is 'Number of the route, as \`NewRouteAdded\` told it.';`,
    );
    this.addSql(
      `comment on column "route_disabled_event"."topics" is 'Topics of the raw log; the first one is the hash of the event signature.';`,
    );
    this.addSql(`comment on column "route_disabled_event"."data" is 'Data of the raw log, ABI-encoded.';`);
    this.addSql(
      `comment on column "route_disabled_event"."removed" is 'True when a reorg took the event out of the chain.';`,
    );
    this.addSql(
      `comment on column "route_disabled_event"."revision" is '0 when the row was first stored, one more for every later change of it.';`,
    );
    this.addSql(
      `comment on column "route_disabled_event"."write_id" is 'Write that touched the row last; feed_commit tells its position.';`,
    );
    this.addSql(
      `create index "route_disabled_event_newest" on "route_disabled_event" ("block_timestamp" DESC nulls LAST);`,
    );
    this.addSql(
      `create index "route_disabled_event_block" on "route_disabled_event" ("chain_id", "block_number", "tx_index", "log_index");`,
    );
    this.addSql(`create index "route_disabled_event_write" on "route_disabled_event" ("write_id");`);
    this.addSql(
      `create index "route_disabled_event_chain_id" on "route_disabled_event" ("chain_id", "block_timestamp" DESC);`,
    );
    this.addSql(
      `create index "route_disabled_event_route_id" on "route_disabled_event" ("route_id", "block_timestamp" DESC);`,
    );
    this.addSql(`create index "route_disabled_event_tx" on "route_disabled_event" ("tx_hash");`);

    this.addSql(
      `create table "socket_fees_deducted_event" ("chain_id" bigint not null, "tx_hash" bytea not null, "log_index" bigint not null, "block_number" bigint not null, "block_hash" bytea not null, "block_timestamp" timestamptz(0) not null, "tx_index" bigint not null, "address" bytea not null, "fees" numeric(78,0) not null, "fees_token" bytea not null, "fees_taker" bytea not null, "topics" bytea[] not null, "data" bytea not null, "removed" boolean not null default false, "revision" bigint not null default '0', "write_id" bigint not null, primary key ("chain_id", "tx_hash", "log_index"));`,
    );
    this.addSql(
      `comment on table "socket_fees_deducted_event" is 'An integrator''s fee was taken by SocketGateway (Socket / Bungee). The contract emits the taker where its ABI says token, and the token where it says taker: the columns hold what the words mean.';`,
    );
    this.addSql(
      `comment on column "socket_fees_deducted_event"."chain_id" is 'Id of the chain that emitted the event (EIP-155).';`,
    );
    this.addSql(`comment on column "socket_fees_deducted_event"."tx_hash" is 'Hash of the transaction.';`);
    this.addSql(
      `comment on column "socket_fees_deducted_event"."log_index" is 'Index of the log within its block.';`,
    );
    this.addSql(
      `comment on column "socket_fees_deducted_event"."block_number" is 'Height of the block that holds the event.';`,
    );
    this.addSql(`comment on column "socket_fees_deducted_event"."block_hash" is 'Hash of that block.';`);
    this.addSql(
      `comment on column "socket_fees_deducted_event"."block_timestamp" is 'The block''s own time, in whole seconds.';`,
    );
    this.addSql(
      `comment on column "socket_fees_deducted_event"."tx_index" is 'Index of the transaction within its block.';`,
    );
    this.addSql(
      `comment on column "socket_fees_deducted_event"."address" is 'Contract that emitted the event.';`,
    );
    this.addSql(
      `comment on column "socket_fees_deducted_event"."fees" is 'The fee, in the smallest unit of \`feesToken\`.';`,
    );
    this.addSql(
      `comment on column "socket_fees_deducted_event"."fees_token" is 'Token of the fee (the ABI''s third argument, there called feesTaker); 0xeeee…eeee stands for the chain''s native coin.';`,
    );
    this.addSql(
      `comment on column "socket_fees_deducted_event"."fees_taker" is 'Who got the fee (the ABI''s second argument, there called feesToken).';`,
    );
    this.addSql(
      `comment on column "socket_fees_deducted_event"."topics" is 'Topics of the raw log; the first one is the hash of the event signature.';`,
    );
    this.addSql(
      `comment on column "socket_fees_deducted_event"."data" is 'Data of the raw log, ABI-encoded.';`,
    );
    this.addSql(
      `comment on column "socket_fees_deducted_event"."removed" is 'True when a reorg took the event out of the chain.';`,
    );
    this.addSql(
      `comment on column "socket_fees_deducted_event"."revision" is '0 when the row was first stored, one more for every later change of it.';`,
    );
    this.addSql(
      `comment on column "socket_fees_deducted_event"."write_id" is 'Write that touched the row last; feed_commit tells its position.';`,
    );
    this.addSql(
      `create index "socket_fees_deducted_event_newest" on "socket_fees_deducted_event" ("block_timestamp" DESC nulls LAST);`,
    );
    this.addSql(
      `create index "socket_fees_deducted_event_block" on "socket_fees_deducted_event" ("chain_id", "block_number", "tx_index", "log_index");`,
    );
    this.addSql(
      `create index "socket_fees_deducted_event_write" on "socket_fees_deducted_event" ("write_id");`,
    );
    this.addSql(
      `create index "socket_fees_deducted_event_chain_id" on "socket_fees_deducted_event" ("chain_id", "block_timestamp" DESC);`,
    );
    this.addSql(
      `create index "socket_fees_deducted_event_fees_token" on "socket_fees_deducted_event" ("fees_token", "block_timestamp" DESC);`,
    );
    this.addSql(
      `create index "socket_fees_deducted_event_fees_taker" on "socket_fees_deducted_event" ("fees_taker", "block_timestamp" DESC);`,
    );
    this.addSql(`create index "socket_fees_deducted_event_tx" on "socket_fees_deducted_event" ("tx_hash");`);

    this.addSql(
      `create table "socket_non_evm_dest_bridge_event" ("chain_id" bigint not null, "tx_hash" bytea not null, "log_index" bigint not null, "block_number" bigint not null, "block_hash" bytea not null, "block_timestamp" timestamptz(0) not null, "tx_index" bigint not null, "address" bytea not null, "amount" numeric(78,0) not null, "token" bytea not null, "to_chain_id" numeric(78,0) not null, "bridge_name" bytea not null, "bridge" text not null, "sender" bytea not null, "receiver" bytea not null, "metadata" bytea not null, "topics" bytea[] not null, "data" bytea not null, "removed" boolean not null default false, "revision" bigint not null default '0', "write_id" bigint not null, primary key ("chain_id", "tx_hash", "log_index"));`,
    );
    this.addSql(
      `comment on table "socket_non_evm_dest_bridge_event" is 'Tokens left this chain for one that is no EVM chain, such as Solana, through the first route of Mayan; there is no SocketBridge beside it.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_event"."chain_id" is 'Id of the chain that emitted the event (EIP-155).';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_event"."tx_hash" is 'Hash of the transaction.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_event"."log_index" is 'Index of the log within its block.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_event"."block_number" is 'Height of the block that holds the event.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_event"."block_hash" is 'Hash of that block.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_event"."block_timestamp" is 'The block''s own time, in whole seconds.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_event"."tx_index" is 'Index of the transaction within its block.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_event"."address" is 'Contract that emitted the event.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_event"."amount" is 'Amount in the smallest unit of \`token\` on the source chain, before the bridge''s own fee.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_event"."token" is 'Token on the source chain; 0xeeee…eeee stands for the chain''s native coin.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_event"."to_chain_id" is 'Destination as the contract emitted it: an EVM chain id, for Stargate V1 a LayerZero id, in principle any number.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_event"."bridge_name" is 'Id of the route: keccak256 of its name, or any other 32 bytes.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_event"."bridge" is 'Readable name of the route (\`Hop\`, \`Across\`, …), or \`bridgeName\` itself when it is not known.';`,
    );
    this.addSql(`comment on column "socket_non_evm_dest_bridge_event"."sender" is 'Caller of the gateway.';`);
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_event"."receiver" is 'Recipient on the destination chain, an account of 32 bytes.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_event"."metadata" is 'Free data of the caller, usually the integrator''s id as a number.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_event"."topics" is 'Topics of the raw log; the first one is the hash of the event signature.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_event"."data" is 'Data of the raw log, ABI-encoded.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_event"."removed" is 'True when a reorg took the event out of the chain.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_event"."revision" is '0 when the row was first stored, one more for every later change of it.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_event"."write_id" is 'Write that touched the row last; feed_commit tells its position.';`,
    );
    this.addSql(
      `create index "socket_non_evm_dest_bridge_event_newest" on "socket_non_evm_dest_bridge_event" ("block_timestamp" DESC nulls LAST);`,
    );
    this.addSql(
      `create index "socket_non_evm_dest_bridge_event_block" on "socket_non_evm_dest_bridge_event" ("chain_id", "block_number", "tx_index", "log_index");`,
    );
    this.addSql(
      `create index "socket_non_evm_dest_bridge_event_write" on "socket_non_evm_dest_bridge_event" ("write_id");`,
    );
    this.addSql(
      `create index "socket_non_evm_dest_bridge_event_chain_id" on "socket_non_evm_dest_bridge_event" ("chain_id", "block_timestamp" DESC);`,
    );
    this.addSql(
      `create index "socket_non_evm_dest_bridge_event_token" on "socket_non_evm_dest_bridge_event" ("token", "block_timestamp" DESC);`,
    );
    this.addSql(
      `create index "socket_non_evm_dest_bridge_event_to_chain_id" on "socket_non_evm_dest_bridge_event" ("to_chain_id", "block_timestamp" DESC);`,
    );
    this.addSql(
      `create index "socket_non_evm_dest_bridge_event_bridge_name" on "socket_non_evm_dest_bridge_event" ("bridge_name", "block_timestamp" DESC);`,
    );
    this.addSql(
      `create index "socket_non_evm_dest_bridge_event_bridge" on "socket_non_evm_dest_bridge_event" ("bridge", "block_timestamp" DESC);`,
    );
    this.addSql(
      `create index "socket_non_evm_dest_bridge_event_sender" on "socket_non_evm_dest_bridge_event" ("sender", "block_timestamp" DESC);`,
    );
    this.addSql(
      `create index "socket_non_evm_dest_bridge_event_receiver" on "socket_non_evm_dest_bridge_event" ("receiver", "block_timestamp" DESC);`,
    );
    this.addSql(
      `create index "socket_non_evm_dest_bridge_event_metadata" on "socket_non_evm_dest_bridge_event" ("metadata", "block_timestamp" DESC);`,
    );
    this.addSql(
      `create index "socket_non_evm_dest_bridge_event_tx" on "socket_non_evm_dest_bridge_event" ("tx_hash");`,
    );

    this.addSql(
      `create table "socket_non_evm_dest_bridge_v2_event" ("chain_id" bigint not null, "tx_hash" bytea not null, "log_index" bigint not null, "block_number" bigint not null, "block_hash" bytea not null, "block_timestamp" timestamptz(0) not null, "tx_index" bigint not null, "address" bytea not null, "amount" numeric(78,0) not null, "from_token" bytea not null, "to_token" bytea not null, "to_chain_id" numeric(78,0) not null, "bridge_name" bytea not null, "bridge" text not null, "sender" bytea not null, "receiver" bytea not null, "metadata" bytea not null, "topics" bytea[] not null, "data" bytea not null, "removed" boolean not null default false, "revision" bigint not null default '0', "write_id" bigint not null, primary key ("chain_id", "tx_hash", "log_index"));`,
    );
    this.addSql(
      `comment on table "socket_non_evm_dest_bridge_v2_event" is 'Tokens left this chain for one that is no EVM chain, such as Solana, through the second route of Mayan; there is no SocketBridge beside it.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_v2_event"."chain_id" is 'Id of the chain that emitted the event (EIP-155).';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_v2_event"."tx_hash" is 'Hash of the transaction.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_v2_event"."log_index" is 'Index of the log within its block.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_v2_event"."block_number" is 'Height of the block that holds the event.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_v2_event"."block_hash" is 'Hash of that block.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_v2_event"."block_timestamp" is 'The block''s own time, in whole seconds.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_v2_event"."tx_index" is 'Index of the transaction within its block.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_v2_event"."address" is 'Contract that emitted the event.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_v2_event"."amount" is 'Amount in the smallest unit of \`fromToken\` on the source chain, before the bridge''s own fee.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_v2_event"."from_token" is 'Token on the source chain; 0xeeee…eeee stands for the chain''s native coin.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_v2_event"."to_token" is 'Token on the destination chain, an account of 32 bytes.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_v2_event"."to_chain_id" is 'Destination as the contract emitted it: an EVM chain id, for Stargate V1 a LayerZero id, in principle any number.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_v2_event"."bridge_name" is 'Id of the route: keccak256 of its name, or any other 32 bytes.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_v2_event"."bridge" is 'Readable name of the route (\`Hop\`, \`Across\`, …), or \`bridgeName\` itself when it is not known.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_v2_event"."sender" is 'Caller of the gateway.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_v2_event"."receiver" is 'Recipient on the destination chain, an account of 32 bytes.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_v2_event"."metadata" is 'Free data of the caller, usually the integrator''s id as a number.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_v2_event"."topics" is 'Topics of the raw log; the first one is the hash of the event signature.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_v2_event"."data" is 'Data of the raw log, ABI-encoded.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_v2_event"."removed" is 'True when a reorg took the event out of the chain.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_v2_event"."revision" is '0 when the row was first stored, one more for every later change of it.';`,
    );
    this.addSql(
      `comment on column "socket_non_evm_dest_bridge_v2_event"."write_id" is 'Write that touched the row last; feed_commit tells its position.';`,
    );
    this.addSql(
      `create index "socket_non_evm_dest_bridge_v2_event_newest" on "socket_non_evm_dest_bridge_v2_event" ("block_timestamp" DESC nulls LAST);`,
    );
    this.addSql(
      `create index "socket_non_evm_dest_bridge_v2_event_block" on "socket_non_evm_dest_bridge_v2_event" ("chain_id", "block_number", "tx_index", "log_index");`,
    );
    this.addSql(
      `create index "socket_non_evm_dest_bridge_v2_event_write" on "socket_non_evm_dest_bridge_v2_event" ("write_id");`,
    );
    this.addSql(
      `create index "socket_non_evm_dest_bridge_v2_event_chain_id" on "socket_non_evm_dest_bridge_v2_event" ("chain_id", "block_timestamp" DESC);`,
    );
    this.addSql(
      `create index "socket_non_evm_dest_bridge_v2_event_from_token" on "socket_non_evm_dest_bridge_v2_event" ("from_token", "block_timestamp" DESC);`,
    );
    this.addSql(
      `create index "socket_non_evm_dest_bridge_v2_event_to_chain_id" on "socket_non_evm_dest_bridge_v2_event" ("to_chain_id", "block_timestamp" DESC);`,
    );
    this.addSql(
      `create index "socket_non_evm_dest_bridge_v2_event_bridge_name" on "socket_non_evm_dest_bridge_v2_event" ("bridge_name", "block_timestamp" DESC);`,
    );
    this.addSql(
      `create index "socket_non_evm_dest_bridge_v2_event_bridge" on "socket_non_evm_dest_bridge_v2_event" ("bridge", "block_timestamp" DESC);`,
    );
    this.addSql(
      `create index "socket_non_evm_dest_bridge_v2_event_sender" on "socket_non_evm_dest_bridge_v2_event" ("sender", "block_timestamp" DESC);`,
    );
    this.addSql(
      `create index "socket_non_evm_dest_bridge_v2_event_receiver" on "socket_non_evm_dest_bridge_v2_event" ("receiver", "block_timestamp" DESC);`,
    );
    this.addSql(
      `create index "socket_non_evm_dest_bridge_v2_event_metadata" on "socket_non_evm_dest_bridge_v2_event" ("metadata", "block_timestamp" DESC);`,
    );
    this.addSql(
      `create index "socket_non_evm_dest_bridge_v2_event_tx" on "socket_non_evm_dest_bridge_v2_event" ("tx_hash");`,
    );

    this.addSql(
      `create table "socket_swap_tokens_event" ("chain_id" bigint not null, "tx_hash" bytea not null, "log_index" bigint not null, "block_number" bigint not null, "block_hash" bytea not null, "block_timestamp" timestamptz(0) not null, "tx_index" bigint not null, "address" bytea not null, "from_token" bytea not null, "to_token" bytea not null, "buy_amount" numeric(78,0) not null, "sell_amount" numeric(78,0) not null, "route_name" bytea not null, "route" text not null, "receiver" bytea not null, "metadata" bytea not null, "topics" bytea[] not null, "data" bytea not null, "removed" boolean not null default false, "revision" bigint not null default '0', "write_id" bigint not null, primary key ("chain_id", "tx_hash", "log_index"));`,
    );
    this.addSql(
      `comment on table "socket_swap_tokens_event" is 'A token was swapped for another through SocketGateway (Socket / Bungee), on its own or on the way to a bridge.';`,
    );
    this.addSql(
      `comment on column "socket_swap_tokens_event"."chain_id" is 'Id of the chain that emitted the event (EIP-155).';`,
    );
    this.addSql(`comment on column "socket_swap_tokens_event"."tx_hash" is 'Hash of the transaction.';`);
    this.addSql(
      `comment on column "socket_swap_tokens_event"."log_index" is 'Index of the log within its block.';`,
    );
    this.addSql(
      `comment on column "socket_swap_tokens_event"."block_number" is 'Height of the block that holds the event.';`,
    );
    this.addSql(`comment on column "socket_swap_tokens_event"."block_hash" is 'Hash of that block.';`);
    this.addSql(
      `comment on column "socket_swap_tokens_event"."block_timestamp" is 'The block''s own time, in whole seconds.';`,
    );
    this.addSql(
      `comment on column "socket_swap_tokens_event"."tx_index" is 'Index of the transaction within its block.';`,
    );
    this.addSql(
      `comment on column "socket_swap_tokens_event"."address" is 'Contract that emitted the event.';`,
    );
    this.addSql(
      `comment on column "socket_swap_tokens_event"."from_token" is 'Token that was sold; 0xeeee…eeee stands for the chain''s native coin.';`,
    );
    this.addSql(
      `comment on column "socket_swap_tokens_event"."to_token" is 'Token that was bought; 0xeeee…eeee stands for the chain''s native coin.';`,
    );
    this.addSql(
      `comment on column "socket_swap_tokens_event"."buy_amount" is 'Amount that was bought, in the smallest unit of \`toToken\`.';`,
    );
    this.addSql(
      `comment on column "socket_swap_tokens_event"."sell_amount" is 'Amount that was sold, in the smallest unit of \`fromToken\`.';`,
    );
    this.addSql(
      `comment on column "socket_swap_tokens_event"."route_name" is 'Id of the route: keccak256 of its name, or any other 32 bytes.';`,
    );
    this.addSql(
      `comment on column "socket_swap_tokens_event"."route" is 'Readable name of the route (\`Zerox\`, \`OneInch\`, …), or \`routeName\` itself when it is not known.';`,
    );
    this.addSql(
      `comment on column "socket_swap_tokens_event"."receiver" is 'Who got the bought tokens: the gateway itself where a bridge follows in the same transaction.';`,
    );
    this.addSql(
      `comment on column "socket_swap_tokens_event"."metadata" is 'Free data of the caller, usually the integrator''s id as a number.';`,
    );
    this.addSql(
      `comment on column "socket_swap_tokens_event"."topics" is 'Topics of the raw log; the first one is the hash of the event signature.';`,
    );
    this.addSql(
      `comment on column "socket_swap_tokens_event"."data" is 'Data of the raw log, ABI-encoded.';`,
    );
    this.addSql(
      `comment on column "socket_swap_tokens_event"."removed" is 'True when a reorg took the event out of the chain.';`,
    );
    this.addSql(
      `comment on column "socket_swap_tokens_event"."revision" is '0 when the row was first stored, one more for every later change of it.';`,
    );
    this.addSql(
      `comment on column "socket_swap_tokens_event"."write_id" is 'Write that touched the row last; feed_commit tells its position.';`,
    );
    this.addSql(
      `create index "socket_swap_tokens_event_newest" on "socket_swap_tokens_event" ("block_timestamp" DESC nulls LAST);`,
    );
    this.addSql(
      `create index "socket_swap_tokens_event_block" on "socket_swap_tokens_event" ("chain_id", "block_number", "tx_index", "log_index");`,
    );
    this.addSql(`create index "socket_swap_tokens_event_write" on "socket_swap_tokens_event" ("write_id");`);
    this.addSql(
      `create index "socket_swap_tokens_event_chain_id" on "socket_swap_tokens_event" ("chain_id", "block_timestamp" DESC);`,
    );
    this.addSql(
      `create index "socket_swap_tokens_event_from_token" on "socket_swap_tokens_event" ("from_token", "block_timestamp" DESC);`,
    );
    this.addSql(
      `create index "socket_swap_tokens_event_to_token" on "socket_swap_tokens_event" ("to_token", "block_timestamp" DESC);`,
    );
    this.addSql(
      `create index "socket_swap_tokens_event_route" on "socket_swap_tokens_event" ("route", "block_timestamp" DESC);`,
    );
    this.addSql(
      `create index "socket_swap_tokens_event_receiver" on "socket_swap_tokens_event" ("receiver", "block_timestamp" DESC);`,
    );
    this.addSql(
      `create index "socket_swap_tokens_event_metadata" on "socket_swap_tokens_event" ("metadata", "block_timestamp" DESC);`,
    );
    this.addSql(`create index "socket_swap_tokens_event_tx" on "socket_swap_tokens_event" ("tx_hash");`);
  }

  override down(): void | Promise<void> {
    this.addSql(`drop table if exists "new_route_added_event" cascade;`);
    this.addSql(`drop table if exists "request_extracted_event" cascade;`);
    this.addSql(`drop table if exists "route_disabled_event" cascade;`);
    this.addSql(`drop table if exists "socket_fees_deducted_event" cascade;`);
    this.addSql(`drop table if exists "socket_non_evm_dest_bridge_event" cascade;`);
    this.addSql(`drop table if exists "socket_non_evm_dest_bridge_v2_event" cascade;`);
    this.addSql(`drop table if exists "socket_swap_tokens_event" cascade;`);
  }
}
