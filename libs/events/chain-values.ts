import type { ColumnKind } from './column.js';

/** Where a node tells a value: in the transaction itself, or in the receipt of its execution. */
export type ChainAnswer = 'transaction' | 'receipt';

/**
 * What a column may take from the transaction of its log, which the log itself doesn't say. It costs calls to a node, so `derive` fills it,
 * and not the worker: until then it is null.
 */
export const chainValues = {
  /** Account that sent the transaction (`tx.origin`). */
  transactionSender: { kind: 'address', in: 'receipt' },
  /** Contract or account that it was sent to; null where it made a contract. */
  transactionRecipient: { kind: 'address', in: 'receipt' },
  /** Coins that were sent along, in wei. */
  transactionValue: { kind: 'uint256', in: 'transaction' },
  /** Gas that its execution took. */
  gasUsed: { kind: 'safeInt', in: 'receipt' },
  /** Wei paid per gas. */
  effectiveGasPrice: { kind: 'uint256', in: 'receipt' },
} as const satisfies Record<string, { kind: ColumnKind; in: ChainAnswer }>;

export type ChainValue = keyof typeof chainValues;
