import { z } from 'zod';
import { SimulatedChain } from './chain.js';
import type { ChainView } from './chain-view.js';
import { type LogLimits, searchLogs } from './log-search.js';
import { invalidParams, RpcError } from './rpc-error.js';
import { blockObject, logObject, quantity, receiptObjects, transactionObject } from './rpc-objects.js';
import { hashParameter, heightOf, objectParameter } from './rpc-params.js';
import { branchSchema } from './state-schema.js';

/** How a provider behaves. */
export interface ProviderOptions extends LogLimits {
  /** Whether logs say their block's time; true by default. */
  readonly logTimestamps?: boolean;
  /** Requests in one batch; any number by default. */
  readonly maxBatch?: number;
}

/** What a connection that can be written to offers, for `eth_subscribe`. */
export interface Subscriber {
  /** Begins to send new heads. @returns the subscription's id. */
  subscribeToHeads(): string;
  /** @returns whether there was such a subscription. */
  unsubscribe(id: string): boolean;
}

interface MethodCall {
  readonly params: readonly unknown[];
  /** Absent over HTTP. */
  readonly subscriber?: Subscriber;
}

export type Method = (call: MethodCall) => unknown;

/** The longest stretch that `devchain_mine` adds at once. */
const MINE_AT_MOST = 100_000_000;

/**
 * The methods that a node answers which sees this of a chain; each throws RpcError (RangeError: wrong numbers) or returns its
 * result. Of a simulated chain as it is, the ones that steer it as well.
 */
export function rpcMethods(chain: ChainView, provider: ProviderOptions): ReadonlyMap<string, Method> {
  return new Map(
    Object.entries({
      ...chainMethods(chain),
      ...logMethods(chain, provider),
      ...subscriptionMethods,
      ...(chain instanceof SimulatedChain && controlMethods(chain)),
    }),
  );
}

function chainMethods(chain: ChainView): Record<string, Method> {
  return {
    eth_chainId: () => quantity(chain.chainId),
    net_version: () => String(chain.chainId),
    web3_clientVersion: () => `devchain/${process.versions.node}`,
    eth_blockNumber: () => quantity(chain.head),
    eth_getBlockByNumber: ({ params: [parameter, full] }) => {
      const block = chain.block(heightOf(chain, parameter));
      return block ? blockObject(block, full === true, chain.chainId) : null;
    },
    eth_getBlockByHash: ({ params: [hash, full] }) => {
      const block = chain.blockByHash(hashParameter(hash));
      return block ? blockObject(block, full === true, chain.chainId) : null;
    },
    eth_getTransactionByHash: ({ params: [hash] }) => {
      const found = chain.transaction(hashParameter(hash));
      return found ? transactionObject(found.block, found.placed, chain.chainId) : null;
    },
  };
}

function logMethods(chain: ChainView, provider: ProviderOptions): Record<string, Method> {
  const withTimestamp = provider.logTimestamps ?? true;
  return {
    eth_getLogs: ({ params: [filter] }) =>
      searchLogs(chain, filter, provider).map((found) => logObject(found, withTimestamp)),
    eth_getTransactionReceipt: ({ params: [parameter] }) => {
      const hash = hashParameter(parameter);
      const found = chain.transaction(hash);
      if (!found) return null;
      return receiptObjects(found.block, withTimestamp).find((receipt) => receipt.transactionHash === hash);
    },
    eth_getBlockReceipts: ({ params: [parameter] }) => {
      const byHash = typeof parameter === 'string' && parameter.length === 66;
      const block = byHash
        ? chain.blockByHash(hashParameter(parameter))
        : chain.block(heightOf(chain, parameter));
      return block ? receiptObjects(block, withTimestamp) : null;
    },
  };
}

const subscriptionMethods: Record<string, Method> = {
  eth_subscribe: ({ params: [kind], subscriber }) => {
    if (!subscriber) throw new RpcError(-32601, 'notifications not supported');
    if (kind !== 'newHeads')
      throw invalidParams(`only newHeads can be subscribed to, not ${JSON.stringify(kind)}`);
    return subscriber.subscribeToHeads();
  },
  eth_unsubscribe: ({ params: [id], subscriber }) => {
    if (!subscriber) throw new RpcError(-32601, 'notifications not supported');
    return subscriber.unsubscribe(String(id));
  },
};

/** Steer the chain from another process. */
function controlMethods(chain: SimulatedChain): Record<string, Method> {
  return {
    devchain_mine: ({ params: [count = 1] }) => {
      if (typeof count !== 'number' || count > MINE_AT_MOST)
        throw invalidParams(`the number of blocks to mine is a number up to ${MINE_AT_MOST}`);
      return chain.mine(count);
    },
    devchain_reorg: ({ params: [parameter] }) => {
      const { depth, newHead, force } = objectParameter(parameter);
      if (typeof depth !== 'number') throw invalidParams('depth is a number');
      if (newHead !== undefined && typeof newHead !== 'number') throw invalidParams('newHead is a number');
      return chain.reorg({ depth, newHead, force: force === true });
    },
    devchain_returnTo: ({ params: [parameter] }) => {
      const branch = branchSchema.safeParse(parameter);
      if (!branch.success)
        throw invalidParams(
          `a branch has a head and segments, as devchain_state shows them: ${z.prettifyError(branch.error)}`,
        );
      const { force } = objectParameter(parameter);
      return chain.returnTo(branch.data, { force: force === true });
    },
    devchain_state: () => chain.state(),
  };
}
