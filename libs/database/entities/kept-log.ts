import { defineEntity, p } from '@mikro-orm/core';
import { HexListType, HexType } from '#libs/events/column-types.js';

const rawLog = () => ({
  chainId: p.bigint('number').primary().autoincrement(false),
  txHash: p.type(new HexType()).$type<string>().primary(),
  logIndex: p.bigint('number').primary().autoincrement(false),
  blockHash: p.type(new HexType()).$type<string>().primary(),
  event: p.text().primary().comment('Event type that the log claims to be.'),
  blockNumber: p.bigint('number'),
  blockTimestamp: p.datetime(0),
  txIndex: p.bigint('number'),
  address: p.type(new HexType()).$type<string>(),
  topics: p.type(new HexListType()).$type<string[]>(),
  data: p.type(new HexType()).$type<string>(),
  reason: p.text(),
  seenAt: p.datetime(3).defaultRaw('now()'),
});

/** Logs that carry an event's topic but can't be decoded as it. */
export const UndecodableLogEntity = defineEntity({
  name: 'UndecodableLog',
  tableName: 'undecodable_log',
  comment: 'Logs that carry the topic of an event but are not a valid one of it, with the reason.',
  properties: rawLog(),
});

/** Logs that news stated for a key which a row in another block holds (DESIGN §3.1): seen, and not stored. */
export const ConflictingLogEntity = defineEntity({
  name: 'ConflictingLog',
  tableName: 'conflicting_log',
  comment: 'Logs that claim the key of a row which stands in another block.',
  properties: rawLog(),
});
