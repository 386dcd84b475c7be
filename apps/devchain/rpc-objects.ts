import type { Block } from './block.js';
import type { PlacedTransaction } from './block-contents.js';
import { logsBloom } from './bloom.js';
import { digestOf } from './identity.js';
import type { FoundLog } from './log-search.js';

/** keccak256 of RLP's empty list: a block without uncles. */
const NO_UNCLES = '0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347';
/** Root of the empty trie: a block without transactions. */
const EMPTY_TRIE = '0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421';
const MINER = '0x95222290dd7278aa3ddd389cc1e1d165cc4bafe5';
const GAS_LIMIT = 30_000_000;
const BASE_FEE = 900_000_000;
/** Size in bytes of a header, and about of a transaction. */
const HEADER_SIZE = 608;
const TRANSACTION_SIZE = 350;

/** A whole number in JSON-RPC's form. */
export function quantity(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}

/** A block's header as `eth_subscribe("newHeads")` sends it. Roots are digests of the hash: there is no state behind them. */
export function headerObject(block: Block) {
  const empty = block.transactions.length === 0;
  // dense test chains may exceed a real block's limit
  const gasLimit = Math.max(GAS_LIMIT, block.gasUsed);
  return {
    number: quantity(block.number),
    hash: block.hash,
    parentHash: block.parentHash,
    timestamp: quantity(block.timestamp),
    logsBloom: block.logsBloom,
    miner: MINER,
    gasLimit: quantity(gasLimit),
    gasUsed: quantity(block.gasUsed),
    baseFeePerGas: quantity(BASE_FEE),
    difficulty: '0x0',
    nonce: '0x0000000000000000',
    extraData: '0x',
    mixHash: digestOf(`mix:${block.hash}`, 32),
    stateRoot: digestOf(`state:${block.hash}`, 32),
    transactionsRoot: empty ? EMPTY_TRIE : digestOf(`transactions:${block.hash}`, 32),
    receiptsRoot: empty ? EMPTY_TRIE : digestOf(`receipts:${block.hash}`, 32),
    sha3Uncles: NO_UNCLES,
  };
}

/** A block as `eth_getBlockBy…` returns it, with transaction hashes or, if `full`, the transactions. */
export function blockObject(block: Block, full: boolean, chainId: number) {
  return {
    ...headerObject(block),
    size: quantity(HEADER_SIZE + TRANSACTION_SIZE * block.transactions.length),
    totalDifficulty: '0x0',
    uncles: [],
    transactions: block.transactions.map((placed) =>
      full ? transactionObject(block, placed, chainId) : placed.transaction.hash,
    ),
  };
}

/** A transaction of type 2 with a signature of the right form. */
export function transactionObject(
  block: Block,
  { transaction, txIndex }: PlacedTransaction,
  chainId: number,
) {
  return {
    hash: transaction.hash,
    blockHash: block.hash,
    blockNumber: quantity(block.number),
    transactionIndex: quantity(txIndex),
    from: transaction.from,
    to: transaction.to,
    nonce: quantity(transaction.nonce),
    value: quantity(transaction.value),
    gas: quantity(transaction.gasUsed * 2),
    gasPrice: quantity(transaction.gasPrice),
    maxFeePerGas: quantity(transaction.gasPrice * 2),
    maxPriorityFeePerGas: quantity(transaction.gasPrice - BASE_FEE),
    input: transaction.input,
    type: '0x2',
    chainId: quantity(chainId),
    accessList: [],
    yParity: '0x0',
    v: '0x0',
    // begin with 1: no leading zero, and s lies in the lower half of the curve's order
    r: `0x1${digestOf(`r:${transaction.hash}`, 32).slice(3)}`,
    s: `0x1${digestOf(`s:${transaction.hash}`, 32).slice(3)}`,
  };
}

/** A log; `blockTimestamp` only if asked for, since not every node sends it. */
export function logObject({ block, placed, log }: FoundLog, withTimestamp: boolean) {
  return {
    address: log.address,
    topics: log.topics,
    data: log.data,
    blockNumber: quantity(block.number),
    blockHash: block.hash,
    ...(withTimestamp && { blockTimestamp: quantity(block.timestamp) }),
    transactionHash: placed.transaction.hash,
    transactionIndex: quantity(placed.txIndex),
    logIndex: quantity(log.logIndex),
    removed: false,
  };
}

/** The receipts of a block in order. */
export function receiptObjects(block: Block, withTimestamp: boolean) {
  let cumulativeGasUsed = 0;
  return block.transactions.map((placed) => {
    const { transaction, txIndex, logs } = placed;
    cumulativeGasUsed += transaction.gasUsed;
    return {
      transactionHash: transaction.hash,
      transactionIndex: quantity(txIndex),
      blockHash: block.hash,
      blockNumber: quantity(block.number),
      from: transaction.from,
      to: transaction.to,
      contractAddress: null,
      gasUsed: quantity(transaction.gasUsed),
      cumulativeGasUsed: quantity(cumulativeGasUsed),
      effectiveGasPrice: quantity(transaction.gasPrice),
      status: '0x1',
      type: '0x2',
      logs: logs.map((log) => logObject({ block, placed, log }, withTimestamp)),
      logsBloom: logsBloom(logs),
    };
  });
}
