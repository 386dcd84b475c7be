import { defineEntity, p } from '@mikro-orm/core';

/** One row: the position of the last entry of the commit log, and the id of this database's ledger (DESIGN §3.4). */
export const FeedCounterEntity = defineEntity({
  name: 'FeedCounter',
  tableName: 'feed_counter',
  comment: 'One row: the last position of feed_commit.',
  properties: {
    id: p.integer().primary().autoincrement(false),
    position: p.bigint('number'),
    epoch: p
      .uuid()
      .comment('Id of this ledger, in cursors and messages. Give it a new value after restoring a backup.'),
  },
});

/** The commit log: one entry per transaction, chain and event that touched rows, and per move of finality. */
export const FeedCommitEntity = defineEntity({
  name: 'FeedCommit',
  tableName: 'feed_commit',
  comment: 'The commit log: positions are dense and in commit order.',
  properties: {
    position: p.bigint('number').primary().autoincrement(false),
    kind: p.text().comment('write or finality.'),
    chainId: p.bigint('number'),
    event: p.text().nullable().comment('write: name of the event whose rows were touched.'),
    writeId: p.bigint('number').nullable().comment('write: the write_id that the touched rows carry.'),
    fromBlock: p
      .bigint('number')
      .nullable()
      .comment('finality: the height that was final before; null: none.'),
    toBlock: p
      .bigint('number')
      .nullable()
      .comment('finality: the height that is final now; lower than before, or null (none), after a repair.'),
    rowsAdded: p.integer().default(0),
    rowsRemoved: p.integer().default(0),
    committedAt: p.datetime(3).defaultRaw('clock_timestamp()'),
  },
  indexes: [
    { name: 'feed_commit_write', properties: ['writeId'] },
    // finality as of a position: the chain's last finality entry at or before it
    { name: 'feed_commit_finality', properties: ['chainId', 'kind', 'position'] },
  ],
});
