import { defineEntity, p } from '@mikro-orm/core';
import { HexType } from '#libs/events/column-types.js';

/** Columns that are filled together name the work, with the event and the chain. */
const work = () => ({
  event: p.text().primary(),
  columns: p.text().primary().comment('Names of the columns that are filled, sorted, joined by commas.'),
  chainId: p.bigint('number').primary().autoincrement(false),
});

/** How far `npm run derive` is: the blocks of a chain in ranges of some thousand rows. */
export const DerivationRangeEntity = defineEntity({
  name: 'DerivationRange',
  tableName: 'derivation_range',
  comment: 'Progress of filling columns of stored rows: ranges of blocks, each done or not.',
  properties: {
    ...work(),
    fromBlock: p.bigint('number').primary().autoincrement(false).comment('First block.'),
    toBlock: p.bigint('number').nullable().comment('First block behind it; null: no end.'),
    rows: p.bigint('number').comment('Rows when the work was divided.'),
    filled: p.bigint('number').default(0).comment('Rows that got other values than they had.'),
    unreadable: p.bigint('number').default(0).comment('Rows in underived_row.'),
    unanswered: p.bigint('number').default(0).comment('Rows for which the chain was asked in vain.'),
    claimedUntil: p.datetime(3).nullable().comment('A process works on it, unless this has passed.'),
    doneAt: p.datetime(3).nullable(),
  },
});

/** Rows whose raw log the code of a column can't read; they stay as they were. */
export const UnderivedRowEntity = defineEntity({
  name: 'UnderivedRow',
  tableName: 'underived_row',
  comment: 'Rows whose columns could not be filled from their raw log, with the reason.',
  properties: {
    ...work(),
    txHash: p.type(new HexType()).$type<string>().primary(),
    logIndex: p.bigint('number').primary().autoincrement(false),
    blockNumber: p.bigint('number'),
    reason: p.text(),
    seenAt: p.datetime(3).defaultRaw('now()'),
  },
});
