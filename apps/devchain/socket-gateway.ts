import { id } from 'ethers';

/** SocketGateway's address on every chain but zkSync Era. */
export const SOCKET_GATEWAY = '0x3a23f943181408eac424116af7b7790c94cb97a5';

/** Socket's staging gateway on Polygon: another contract that emits the same event. */
export const STAGING_GATEWAY = '0xbc13c22e754d47f8d78d21b432b66fe5b439d568';

/** topic0 of `SocketBridge`; the event has no indexed parameter. */
export const SOCKET_BRIDGE = id('SocketBridge(uint256,address,uint256,bytes32,address,address,bytes32)');

/** topic0 of `SocketSwapTokens`, which the gateway emits too. */
export const SOCKET_SWAP_TOKENS = id(
  'SocketSwapTokens(address,address,uint256,uint256,bytes32,address,bytes32)',
);

/** topic0 of ERC-20's `Transfer`, and of ERC-721's, which has its third argument indexed, too. */
export const TRANSFER = id('Transfer(address,address,uint256)');

/** A coin or token of the source chain, with what is needed to draw plausible amounts. */
export interface Token {
  readonly symbol: string;
  readonly address: string;
  readonly decimals: number;
  readonly dollars: number;
  readonly weight: number;
}

/** By this address the contracts name the chain's own coin; it emits no Transfer. */
export const NATIVE = '0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee';

/** Addresses of Ethereum mainnet. */
export const TOKENS: readonly Token[] = [
  { symbol: 'ETH', address: NATIVE, decimals: 18, dollars: 3000, weight: 38 },
  {
    symbol: 'USDC',
    address: '0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48',
    decimals: 6,
    dollars: 1,
    weight: 30,
  },
  {
    symbol: 'USDT',
    address: '0xdac17f958d2ee523a2206206994597c13d831ec7',
    decimals: 6,
    dollars: 1,
    weight: 16,
  },
  {
    symbol: 'DAI',
    address: '0x6b175474e89094c44da98b954eedeac495271d0f',
    decimals: 18,
    dollars: 1,
    weight: 5,
  },
  {
    symbol: 'WETH',
    address: '0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2',
    decimals: 18,
    dollars: 3000,
    weight: 6,
  },
  {
    symbol: 'WBTC',
    address: '0x2260fac5e5542a773aa44fbcfedf7c193bc2c599',
    decimals: 8,
    dollars: 90000,
    weight: 3,
  },
  {
    symbol: 'POL',
    address: '0x455e53cbb86018ac2b8092fdcd39d8444affc3f6',
    decimals: 18,
    dollars: 0.3,
    weight: 2,
  },
];

/** A bridge and its id in the event. */
export interface Bridge {
  readonly id: string;
  readonly weight: number;
  /** Writes LayerZero's chain numbers into toChainId on some of its routes. */
  readonly layerZero?: true;
  /** Carries this token only. */
  readonly only?: string;
}

/** Ids are keccak256 of the name; an OP-stack route takes its id from calldata, so ids unknown to everybody occur. */
export const BRIDGES: readonly Bridge[] = [
  { id: id('Across'), weight: 34 },
  { id: id('cctp'), weight: 10, only: 'USDC' },
  { id: id('cctp-v2'), weight: 9, only: 'USDC' },
  { id: id('Stargate'), weight: 14, layerZero: true },
  { id: id('Hop'), weight: 9 },
  { id: id('CBridge'), weight: 5 },
  { id: id('MayanBridge'), weight: 4 },
  { id: id('Synapse'), weight: 3 },
  { id: id('Symbiosis'), weight: 3 },
  { id: id('Connext'), weight: 2 },
  { id: id('Refuel'), weight: 2, only: 'ETH' },
  { id: id('NativeArbitrum'), weight: 1.5 },
  { id: id('NativeOptimism'), weight: 1.5 },
  { id: id('BaseBridge'), weight: 1.5 },
  { id: id('NativePolygon'), weight: 1 },
  { id: id('Hyphen'), weight: 0.5 },
  { id: '0x6f9e6ed2a3f86b1f9a5be1c2d7a40c8873f1d6a27d1f0be5529ad1c4e02b6f33', weight: 0.5 },
  { id: '0xb81d04c95d7f6c1ae2f6630f7a5cbb02c7a1185e9f3dd0466e8c72a9145f0e1d', weight: 0.5 },
];

/** Ids of swap routes. */
export const SWAP_ROUTES = [
  { id: id('Zerox'), weight: 4 },
  { id: id('OneInch'), weight: 3 },
  { id: id('Magpie'), weight: 3 },
];

/** A destination: its chain id and, where LayerZero v1 has one, its LayerZero number. */
export const DESTINATIONS: readonly { chainId: number; layerZeroId?: number; weight: number }[] = [
  { chainId: 8453, layerZeroId: 184, weight: 28 },
  { chainId: 42161, layerZeroId: 110, weight: 22 },
  { chainId: 10, layerZeroId: 111, weight: 13 },
  { chainId: 137, layerZeroId: 109, weight: 11 },
  { chainId: 56, layerZeroId: 102, weight: 10 },
  { chainId: 43114, layerZeroId: 106, weight: 4 },
  { chainId: 100, weight: 3 },
  { chainId: 59144, layerZeroId: 183, weight: 3 },
  { chainId: 534352, weight: 2 },
  { chainId: 324, weight: 2 },
  { chainId: 1313161554, weight: 1 },
  { chainId: 89999, weight: 1 },
];

/** API keys of integrators, right aligned (0xcd is Bungee's own front end); the optimised selectors write 0x01 left aligned. */
export const METADATA = [
  { value: `0x${'cd'.padStart(64, '0')}`, weight: 80 },
  { value: `0x${'c4'.padStart(64, '0')}`, weight: 6 },
  { value: `0x${'8f1'.padStart(64, '0')}`, weight: 4 },
  { value: `0x${'8f2'.padStart(64, '0')}`, weight: 3 },
  { value: `0x${'2710'.padStart(64, '0')}`, weight: 4 },
  { value: `0x${'01'.padEnd(64, '0')}`, weight: 3 },
];

/** ABI-encodes static words: whole numbers as uint256, hex of up to 32 bytes (addresses, bytes32) right aligned. */
export function encodeWords(...words: readonly (bigint | number | string)[]): string {
  const digits = words.map((word) => (typeof word === 'string' ? word.slice(2) : word.toString(16)));
  return `0x${digits.map((word) => word.padStart(64, '0')).join('')}`;
}
