import { type Column, columnOf } from './column.js';

/** Where the log stands in its chain; the first part of every event's row. */
export const positionColumns: readonly Column[] = [
  columnOf('chainId', 'safeInt', 'Id of the chain that emitted the event (EIP-155).', {
    refersTo: 'chain',
    indexed: true,
  }),
  columnOf('blockNumber', 'safeInt', 'Height of the block that holds the event.'),
  columnOf('blockHash', 'bytes32', 'Hash of that block.'),
  columnOf('blockTimestamp', 'timestamp', "The block's own time, in whole seconds."),
  columnOf('txHash', 'bytes32', 'Hash of the transaction.'),
  columnOf('txIndex', 'safeInt', 'Index of the transaction within its block.'),
  columnOf('logIndex', 'safeInt', 'Index of the log within its block.'),
  columnOf('address', 'address', 'Contract that emitted the event.'),
];

/** The log as the chain gave it; every other column of an event can be filled from it again. */
export const rawColumns: readonly Column[] = [
  columnOf(
    'topics',
    'bytes32List',
    'Topics of the raw log; the first one is the hash of the event signature.',
  ),
  columnOf('data', 'bytes', 'Data of the raw log, ABI-encoded.'),
];

/** How the row came to be as it is; the last part of every event's row. */
export const bookkeepingColumns: readonly Column[] = [
  columnOf('removed', 'boolean', 'True when a reorg took the event out of the chain.'),
  columnOf('revision', 'safeInt', '0 when the row was first stored, one more for every later change of it.'),
  columnOf('writeId', 'safeInt', 'Write that touched the row last; feed_commit tells its position.'),
];

/** The columns that every event has. */
export const commonColumns: readonly Column[] = withCommonColumns([]);

/** Columns between the place of a log and the raw log, with all that every event has, in the order of tables. */
export function withCommonColumns(own: readonly Column[]): readonly Column[] {
  return [...positionColumns, ...own, ...rawColumns, ...bookkeepingColumns];
}
