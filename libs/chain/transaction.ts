import type { ChainAnswer, ChainValue } from '#libs/events/chain-values.js';
import { bigQuantity, bytes, MalformedValue, quantity } from './hex.js';
import type { RpcCall } from './json-rpc.js';

/** What a node said of a transaction: the block that it stands in, and values as far as they were asked for and told; null: it has none. */
export interface TransactionAnswers
  extends Partial<Readonly<Record<ChainValue, string | bigint | number | null>>> {
  readonly blockHash: string;
}

const methods: Record<ChainAnswer, string> = {
  transaction: 'eth_getTransactionByHash',
  receipt: 'eth_getTransactionReceipt',
};

/** The call for a transaction or its receipt. */
export function transactionCall(kind: ChainAnswer, hash: string): RpcCall {
  return { method: methods[kind], params: [hash] };
}

/** Reads a transaction or a receipt; null where the node doesn't have it, or not in a block yet. @throws MalformedValue */
export function parseAnswer(kind: ChainAnswer, hash: string, value: unknown): TransactionAnswers | null {
  if (value === null || value === undefined) return null;
  if (typeof value !== 'object') throw new MalformedValue(`a ${kind} is ${typeof value}`);
  const answer = value as Record<string, unknown>;
  if (answer.blockHash === null) return null;
  const answered = bytes(kind === 'receipt' ? answer.transactionHash : answer.hash, `${kind}.hash`, 32);
  if (answered !== hash) throw new MalformedValue(`answered the ${kind} of ${answered} for ${hash}`);
  const blockHash = bytes(answer.blockHash, `${kind}.blockHash`, 32);
  if (kind === 'transaction')
    return { blockHash, transactionValue: bigQuantity(answer.value, 'transaction.value') };
  return {
    blockHash,
    transactionSender: bytes(answer.from, 'receipt.from', 20),
    transactionRecipient: answer.to == null ? null : bytes(answer.to, 'receipt.to', 20),
    gasUsed: quantity(answer.gasUsed, 'receipt.gasUsed'),
    // nodes from before EIP-1559 don't tell it
    ...(answer.effectiveGasPrice != null && {
      effectiveGasPrice: bigQuantity(answer.effectiveGasPrice, 'receipt.effectiveGasPrice'),
    }),
  };
}
