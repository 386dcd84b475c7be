import type { Draw } from './draw.js';
import { amountOf, converted, drawnTransaction, userOf } from './drawn-values.js';
import {
  BRIDGES,
  type Bridge,
  DESTINATIONS,
  encodeWords,
  METADATA,
  NATIVE,
  SOCKET_BRIDGE,
  SOCKET_SWAP_TOKENS,
  STAGING_GATEWAY,
  SWAP_ROUTES,
  TOKENS,
  type Token,
  TRANSFER,
} from './socket-gateway.js';

/** A log as a contract emits it. */
export interface EmittedLog {
  readonly address: string;
  readonly topics: readonly string[];
  readonly data: string;
}

/** A transaction apart from the block that it is in; it is the same in whatever block a reorg puts it. */
export interface Transaction {
  readonly hash: string;
  readonly from: string;
  readonly to: string;
  readonly nonce: number;
  /** Wei. */
  readonly value: bigint;
  /** Wei per gas. */
  readonly gasPrice: number;
  readonly gasUsed: number;
  readonly input: string;
  readonly logs: readonly EmittedLog[];
}

/** Share of the bridging transactions with 1, 2 and 3 SocketBridge logs (swapAndMultiBridge, executeRoutes). */
const LEGS = [
  { legs: 1, weight: 93 },
  { legs: 2, weight: 5 },
  { legs: 3, weight: 2 },
];

/** Mean number of SocketBridge logs in a bridging transaction, by {@link LEGS}. */
export const MEAN_LEGS = 1.09;

/** The tokens that are contracts, and emit Transfer. */
const ERC20 = TOKENS.filter((one) => one.address !== NATIVE);
const OTHERS = new Map(TOKENS.map((token) => [token, TOKENS.filter((one) => one !== token)]));
const CARRIED = new Map(
  BRIDGES.map((bridge) => [
    bridge,
    TOKENS.filter((one) => bridge.only === undefined || one.symbol === bridge.only),
  ]),
);

/** Contract that tokens go to on their way out: a router, or a bridge. */
export const SPENDER = '0x5c7bcd6e7de5423a257d81b442095a1a6ced35c5';

/** A transaction through the gateway with one or more SocketBridge logs; one in four swaps first. */
export function bridgingTransaction(draw: Draw, gateway: string, hash: string): Transaction {
  const user = userOf(draw);
  const bridge = draw.pick(BRIDGES);
  const token = draw.pick(CARRIED.get(bridge)!);
  const metadata = draw.pick(METADATA).value;
  const logs: EmittedLog[] = [];
  const swaps = draw.chance(0.25);
  const bought = swaps
    ? swap(draw, { gateway, user, receiver: gateway, to: token, metadata, logs })
    : undefined;
  const { legs } = draw.pick(LEGS);
  const total = bought ?? amountOf(draw, token);
  for (let leg = 0; leg < legs; leg++) {
    const amount = leg === legs - 1 ? total - (total / BigInt(legs)) * BigInt(leg) : total / BigInt(legs);
    if (token.address !== NATIVE) logs.push(transfer(token, swaps ? gateway : user, SPENDER, amount));
    logs.push(socketBridge(draw, { gateway, user, token, bridge, amount, metadata }));
  }
  const value = token.address === NATIVE && !swaps ? total : 0n;
  return drawnTransaction(draw, { hash, from: user, to: gateway, value, logs });
}

/** A transaction without a SocketBridge of the gateway: transfers, swaps on one chain, and the same event by another contract. */
export function unrelatedTransaction(draw: Draw, gateway: string, hash: string): Transaction {
  const user = userOf(draw);
  const logs: EmittedLog[] = [];
  if (draw.chance(0.04)) {
    const [token, bridge] = [TOKENS[0]!, draw.pick(BRIDGES)];
    const leg = { gateway: STAGING_GATEWAY, user, token, bridge, amount: amountOf(draw, token) };
    logs.push(socketBridge(draw, { ...leg, metadata: draw.pick(METADATA).value }));
    return drawnTransaction(draw, { hash, from: user, to: STAGING_GATEWAY, value: leg.amount, logs });
  }
  const token = draw.pick(ERC20);
  if (draw.chance(0.3)) {
    swap(draw, { gateway, user, receiver: user, to: token, metadata: draw.pick(METADATA).value, logs });
    return drawnTransaction(draw, { hash, from: user, to: gateway, value: 0n, logs });
  }
  logs.push(transfer(token, user, userOf(draw), amountOf(draw, token)));
  return drawnTransaction(draw, { hash, from: user, to: token.address, value: 0n, logs });
}

/** A swap through the gateway. */
export interface Swap {
  readonly gateway: string;
  readonly user: string;
  /** The gateway itself when a bridge follows. */
  readonly receiver: string;
  readonly to: Token;
  readonly metadata: string;
  readonly logs: EmittedLog[];
}

/** Adds the logs of a swap. @returns the amount bought. */
export function swap(draw: Draw, { gateway, user, receiver, to, metadata, logs }: Swap): bigint {
  const from = draw.pick(OTHERS.get(to)!);
  const sold = amountOf(draw, from);
  const bought = converted(sold, from, to);
  if (from.address !== NATIVE) logs.push(transfer(from, user, gateway, sold));
  if (to.address !== NATIVE) logs.push(transfer(to, SPENDER, receiver, bought));
  const route = draw.pick(SWAP_ROUTES).id;
  logs.push({
    address: gateway,
    topics: [SOCKET_SWAP_TOKENS],
    data: encodeWords(from.address, to.address, bought, sold, route, receiver, metadata),
  });
  return bought;
}

interface Leg {
  readonly gateway: string;
  readonly user: string;
  readonly token: Token;
  readonly bridge: Bridge;
  readonly amount: bigint;
  readonly metadata: string;
}

function socketBridge(draw: Draw, { gateway, user, token, bridge, amount, metadata }: Leg): EmittedLog {
  const destination = draw.pick(DESTINATIONS);
  const byLayerZero = bridge.layerZero === true && draw.chance(0.5);
  const toChainId = (byLayerZero ? destination.layerZeroId : undefined) ?? destination.chainId;
  const receiver = draw.chance(0.12) ? userOf(draw) : user;
  return {
    address: gateway,
    topics: [SOCKET_BRIDGE],
    data: encodeWords(amount, token.address, toChainId, bridge.id, user, receiver, metadata),
  };
}

/** ERC-20's Transfer. */
export function transfer(token: Token, from: string, to: string, amount: bigint): EmittedLog {
  return {
    address: token.address,
    topics: [TRANSFER, encodeWords(from), encodeWords(to)],
    data: encodeWords(amount),
  };
}
