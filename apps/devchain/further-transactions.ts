import { id } from 'ethers';
import type { Draw } from './draw.js';
import { amountOf, drawnTransaction, userOf } from './drawn-values.js';
import {
  BUNGEE_GATEWAY,
  NEW_ROUTE_ADDED,
  NFT,
  REQUEST_EXTRACTED,
  ROUTE_DISABLED,
  SOCKET_FEES_DEDUCTED,
  SOCKET_NON_EVM_DEST_BRIDGE,
  SOCKET_NON_EVM_DEST_BRIDGE_V2,
  SOLANA,
  SOLANA_TOKENS,
} from './further-contracts.js';
import { digestOf } from './identity.js';
import { encodeWords, METADATA, NATIVE, TOKENS, type Token, TRANSFER } from './socket-gateway.js';
import { type EmittedLog, SPENDER, swap, type Transaction, transfer } from './transactions.js';

/** Makes one kind of transaction, with its logs. */
type Maker = (draw: Draw, gateway: string, hash: string) => Transaction;

/** What there is beside bridging through SocketGateway. The weights are transactions for each hundred SocketBridge logs. */
const KINDS: readonly { readonly make: Maker; readonly weight: number }[] = [
  { make: requestTransaction, weight: 14 },
  { make: feesTransaction, weight: 10 },
  { make: nftTransaction, weight: 9 },
  { make: nonEvmTransaction, weight: 5 },
  { make: newRouteTransaction, weight: 0.8 },
  { make: routeDisabledTransaction, weight: 0.2 },
];

/** Further transactions for each SocketBridge log, by {@link KINDS}. */
export const FURTHER_PER_EVENT = 0.39;

const MAYAN = id('MayanBridge');
/** Routes of the gateway; whatever names one of them means the same contract. */
const ROUTES = 450;
const INTEGRATORS = 40;
const TRANSMITTERS = 12;
/** One in this many requests has far more to execute than usual: some kB. */
const LONG_REQUESTS = 0.01;

/** A transaction of one of {@link KINDS}. */
export function furtherTransaction(draw: Draw, gateway: string, hash: string): Transaction {
  return draw.pick(KINDS).make(draw, gateway, hash);
}

/** An integrator's fee, then a swap on this chain (takeFeesAndSwap). */
function feesTransaction(draw: Draw, gateway: string, hash: string): Transaction {
  const user = userOf(draw);
  const logs: EmittedLog[] = [];
  const value = takeFees(draw, gateway, user, draw.pick(TOKENS), logs);
  const metadata = draw.pick(METADATA).value;
  swap(draw, { gateway, user, receiver: user, to: draw.pick(TOKENS), metadata, logs });
  return drawnTransaction(draw, { hash, from: user, to: gateway, value, logs });
}

/** Tokens to Solana by a route of Mayan, which emits this event and no SocketBridge; one in four pays an integrator before. */
function nonEvmTransaction(draw: Draw, gateway: string, hash: string): Transaction {
  const user = userOf(draw);
  const token = draw.pick(TOKENS);
  const logs: EmittedLog[] = [];
  const fees = draw.chance(0.25) ? takeFees(draw, gateway, user, token, logs) : 0n;
  const amount = amountOf(draw, token);
  if (token.address !== NATIVE) logs.push(transfer(token, user, SPENDER, amount));
  logs.push({ address: gateway, ...nonEvmBridge(draw, { user, token, amount }) });
  const value = token.address === NATIVE ? amount + fees : fees;
  return drawnTransaction(draw, { hash, from: user, to: gateway, value, logs });
}

function nonEvmBridge(
  draw: Draw,
  { user, token, amount }: { user: string; token: Token; amount: bigint },
): Pick<EmittedLog, 'topics' | 'data'> {
  const receiver = `0x${draw.hex(32)}`;
  const metadata = draw.pick(METADATA).value;
  if (draw.chance(0.25)) {
    const data = encodeWords(amount, token.address, SOLANA, MAYAN, user, receiver, metadata);
    return { topics: [SOCKET_NON_EVM_DEST_BRIDGE], data };
  }
  const { account } = draw.pick(SOLANA_TOKENS);
  const data = encodeWords(amount, token.address, account, SOLANA, MAYAN, user, receiver, metadata);
  return { topics: [SOCKET_NON_EVM_DEST_BRIDGE_V2], data };
}

/** Adds the logs of an integrator's fee. @returns what it took of the chain's own coin. */
function takeFees(draw: Draw, gateway: string, user: string, token: Token, logs: EmittedLog[]): bigint {
  const taker = digestOf(`integrator:${draw.below(INTEGRATORS)}`, 20);
  const fees = amountOf(draw, token) / 200n + 1n;
  if (token.address !== NATIVE) logs.push(transfer(token, user, taker, fees));
  logs.push({
    address: gateway,
    topics: [SOCKET_FEES_DEDUCTED],
    data: encodeWords(fees, taker, token.address),
  });
  return token.address === NATIVE ? fees : 0n;
}

function newRouteTransaction(draw: Draw, gateway: string, hash: string): Transaction {
  const route = 1 + draw.below(ROUTES);
  const topics = [NEW_ROUTE_ADDED, encodeWords(route), encodeWords(digestOf(`route:${route}`, 20))];
  return ownersTransaction(draw, hash, { address: gateway, topics, data: '0x' });
}

function routeDisabledTransaction(draw: Draw, gateway: string, hash: string): Transaction {
  const topics = [ROUTE_DISABLED, encodeWords(1 + draw.below(ROUTES))];
  return ownersTransaction(draw, hash, { address: gateway, topics, data: '0x' });
}

const OWNER = '0xb0bbff6311b7f245761a7846d3ce7b1b100c1836';

function ownersTransaction(draw: Draw, hash: string, log: EmittedLog): Transaction {
  return drawnTransaction(draw, { hash, from: OWNER, to: log.address, value: 0n, logs: [log] });
}

/** A transmitter takes a user's signed request to BungeeGateway, and with it the tokens. */
function requestTransaction(draw: Draw, _gateway: string, hash: string): Transaction {
  const user = userOf(draw);
  const transmitter = digestOf(`transmitter:${draw.below(TRANSMITTERS)}`, 20);
  const token = draw.pick(TOKENS);
  const logs: EmittedLog[] = [];
  if (token.address !== NATIVE) logs.push(transfer(token, user, BUNGEE_GATEWAY, amountOf(draw, token)));
  const requestHash = `0x${draw.hex(32)}`;
  const bytes = draw.chance(LONG_REQUESTS) ? 2_000 + draw.below(6_000) : draw.below(300);
  const data = `${encodeWords(1 + draw.below(2), transmitter, 96, bytes)}${padded(draw.hex(bytes))}`;
  logs.push({ address: BUNGEE_GATEWAY, topics: [REQUEST_EXTRACTED, requestHash], data });
  return drawnTransaction(draw, { hash, from: transmitter, to: BUNGEE_GATEWAY, value: 0n, logs });
}

/** A name changes hands: ERC-721's Transfer has the topic of ERC-20's and three indexed arguments. */
function nftTransaction(draw: Draw, _gateway: string, hash: string): Transaction {
  const [from, to] = [userOf(draw), userOf(draw)];
  const topics = [TRANSFER, encodeWords(from), encodeWords(to), `0x${draw.hex(32)}`];
  const logs = [{ address: NFT, topics, data: '0x' }];
  return drawnTransaction(draw, { hash, from, to: NFT, value: 0n, logs });
}

/** Hex digits filled up to whole words, as the ABI has bytes of any length. */
function padded(digits: string): string {
  return digits.padEnd(Math.ceil(digits.length / 64) * 64, '0');
}
