import { id } from 'ethers';
import { Block } from '#apps/devchain/block.js';
import type { PlacedTransaction } from '#apps/devchain/block-contents.js';
import { logsBloom } from '#apps/devchain/bloom.js';
import type { ChainChange, ChainView, ServedChain } from '#apps/devchain/chain-view.js';
import { encodeWords, SOCKET_BRIDGE, SOCKET_GATEWAY } from '#apps/devchain/socket-gateway.js';
import type { EmittedLog } from '#apps/devchain/transactions.js';
import { type BridgeValues, bridgeDefaults } from './gateway.js';

/** An event of a chain that a test builds, SocketBridge by default. */
interface BuiltEvent extends Partial<BridgeValues> {
  /** Name of its transaction; events of a block with the same name share it, and on every branch a name means the same hash. */
  readonly tx: string;
  /** By default its place among the block's events. */
  readonly logIndex?: number;
  /** Any other log in place of a SocketBridge event. */
  readonly log?: EmittedLog;
  /** In place of the hash that the name stands for: zeros, or the block's. */
  readonly txHash?: 'zero' | 'block';
}

/** Events by height. */
type Contents = Readonly<Record<number, readonly BuiltEvent[]>>;

/** What a chain's headers are like. */
interface HeaderOptions {
  /** Unix time of a block in seconds; by default a second per block. */
  readonly timeOf?: (height: number) => number;
  /** Logs bloom of all blocks; by default that of their logs. `other` is that of other logs only, as where system logs are left out. */
  readonly bloom?: 'zero' | 'full' | 'other';
}

/** A chain of blocks from 0 on. It doesn't change: what follows on it is another branch. */
export interface Branch {
  readonly blocks: readonly Block[];
  readonly contents: Contents;
  readonly options: HeaderOptions;
  /** Tells its blocks from those of others with the same content. */
  readonly name: string;
}

const BLOOMS = {
  zero: `0x${'00'.repeat(256)}`,
  full: `0x${'ff'.repeat(256)}`,
  other: logsBloom([
    { address: `0x${'33'.repeat(20)}`, topics: [id('Transfer(address,address,uint256)')], data: '0x' },
  ]),
};

let branches = 0;

/** A chain of blocks 0 to `head`. */
export function buildChain(head: number, contents: Contents = {}, options: HeaderOptions = {}): Branch {
  return extend({ blocks: [], contents: {}, options, name: `chain ${++branches}` }, head + 1, contents);
}

/** The blocks up to a height, to be extended otherwise than the chain that has them. */
export function forkAt(branch: Branch, height: number): Branch {
  if (height < 0 || height >= branch.blocks.length)
    throw new RangeError(`there is no block ${height} to fork at: the head is ${branch.blocks.length - 1}`);
  const contents = Object.fromEntries(Object.entries(branch.contents).filter(([at]) => Number(at) <= height));
  return { ...branch, blocks: branch.blocks.slice(0, height + 1), contents, name: `branch ${++branches}` };
}

/** A branch with more blocks on top. @param contents of the new blocks. */
export function extend(branch: Branch, count: number, contents: Contents = {}): Branch {
  const blocks = [...branch.blocks];
  const [from, to] = [blocks.length, blocks.length + count - 1];
  const stray = Object.keys(contents).find((at) => Number(at) < from || Number(at) > to);
  if (stray !== undefined)
    throw new RangeError(`block ${stray} is not one of the new ones, ${from} to ${to}`);
  for (let height = from; height <= to; height++)
    blocks.push(blockOn(blocks.at(-1), height, contents[height] ?? [], branch));
  return { ...branch, blocks, contents: { ...branch.contents, ...contents } };
}

function blockOn(
  parent: Block | undefined,
  number: number,
  events: readonly BuiltEvent[],
  { name, options: { timeOf = (height) => 1_700_000_000 + height, bloom } }: Branch,
): Block {
  const parentHash = parent?.hash ?? `0x${'00'.repeat(32)}`;
  const hash = id(`block ${number} of ${name} on ${parentHash}`);
  const header = { number, hash, parentHash, timestamp: timeOf(number) };
  return new Block(header, transactionsOf(events, hash), bloom && BLOOMS[bloom]);
}

function transactionsOf(events: readonly BuiltEvent[], blockHash: string): PlacedTransaction[] {
  const indexed = events.map((event, index) => ({ ...event, logIndex: event.logIndex ?? index }));
  return [...Map.groupBy(indexed, ({ tx }) => tx)].map(([tx, own], txIndex) => {
    const logs = own.map(({ log, ...event }) => ({
      address: SOCKET_GATEWAY,
      topics: [SOCKET_BRIDGE],
      data: dataOf({ ...bridgeDefaults, ...event }),
      ...log,
      logIndex: event.logIndex,
    }));
    const hashes = { zero: `0x${'00'.repeat(32)}`, block: blockHash };
    const hash = own[0]!.txHash ? hashes[own[0]!.txHash] : id(`transaction ${tx}`);
    const transaction = { ...ENVELOPE, hash, to: SOCKET_GATEWAY, logs };
    return { transaction, txIndex, logs };
  });
}

const ENVELOPE = {
  from: bridgeDefaults.sender,
  nonce: 0,
  value: 0n,
  gasPrice: 2_000_000_000,
  gasUsed: 100_000,
  input: '0x',
};

function dataOf(values: BridgeValues): string {
  const { amount, token, toChainId, bridgeName, sender, receiver, metadata } = values;
  return encodeWords(amount, token, toChainId, bridgeName, sender, receiver, metadata);
}

/** Serves a branch, and another one whenever the test says so. */
export class BuiltChain implements ServedChain {
  readonly address = SOCKET_GATEWAY;
  /** How often a block was asked for. */
  reads = 0;
  #final = 0;
  readonly #listeners = new Set<(change: ChainChange) => void>();

  /** @param finalityDepth how far below the head blocks are final; finality never moves back. */
  constructor(
    private branch: Branch,
    readonly chainId: number,
    private readonly finalityDepth: number,
  ) {
    this.#final = Math.max(0, this.head - finalityDepth);
  }

  get head(): number {
    return this.branch.blocks.length - 1;
  }

  get finalized(): number {
    return this.#final;
  }

  get safe(): number {
    return this.#final;
  }

  /** From now on this is the chain. @throws RangeError when that would replace final blocks. */
  become(branch: Branch): void {
    const fork = this.forkWith(branch);
    if (fork < this.#final)
      throw new RangeError(`block ${this.#final} is final: the chain can't fork at ${fork}`);
    this.show(branch);
    this.#final = Math.max(this.#final, this.head - this.finalityDepth);
  }

  /** From now on a node shows this, be it below what was final. */
  show(branch: Branch): void {
    const { head: before } = this;
    const fork = this.forkWith(branch);
    this.branch = branch;
    this.#final = Math.min(this.#final, fork);
    for (const tell of this.#listeners) tell({ fork, head: this.head, replaced: before - fork });
  }

  /** Highest block in common. */
  private forkWith(branch: Branch): number {
    const old = this.branch.blocks;
    const differs = branch.blocks.findIndex(({ hash }, at) => hash !== old[at]?.hash);
    return differs < 0 ? branch.blocks.length - 1 : differs - 1;
  }

  block(height: number): Block | undefined {
    this.reads++;
    return this.branch.blocks[height];
  }

  blockByHash(hash: string): Block | undefined {
    return this.branch.blocks.find((block) => block.hash === hash);
  }

  transaction(hash: string): { block: Block; placed: PlacedTransaction } | undefined {
    for (const block of this.branch.blocks) {
      const placed = block.transactions.find(({ transaction }) => transaction.hash === hash);
      if (placed) return { block, placed };
    }
    return undefined;
  }

  blocksWithTransactions(from: number, to: number): Block[] {
    return this.branch.blocks.slice(Math.max(0, from), to + 1).filter((block) => block.transactions.length);
  }

  onChange(listener: (change: ChainChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  snapshot(): () => ChainView {
    const { branch, chainId, finalityDepth, finalized } = this;
    return () => {
      const copy = new BuiltChain(branch, chainId, finalityDepth);
      copy.#final = finalized;
      return copy;
    };
  }

  sibling(depth: number): ChainView {
    const { branch, head } = this;
    const replaced = Object.entries(branch.contents).filter(([height]) => Number(height) > head - depth);
    const sibling = extend(forkAt(branch, head - depth), depth, Object.fromEntries(replaced));
    const copy = new BuiltChain(sibling, this.chainId, this.finalityDepth);
    copy.#final = this.#final;
    return copy;
  }
}
