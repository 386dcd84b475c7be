import { id } from 'ethers';

/** BungeeGateway (Bungee Auto) on Ethereum: another contract than SocketGateway, with events of its own. */
export const BUNGEE_GATEWAY = '0xe772551f88e2c14aecc880df6b7cbd574561bf82';

/** An ERC-721 token: the names of ENS on Ethereum. */
export const NFT = '0x57f1887a8bf19b14fc0df6fd9b2acc9af147ea85';

/** topic0 of `SocketFeesDeducted`; its second word is the taker and its third the token, other than its ABI names them. */
export const SOCKET_FEES_DEDUCTED = id('SocketFeesDeducted(uint256,address,address)');

/** topic0 of `SocketNonEvmDestBridge` as the first route of Mayan emits it. */
export const SOCKET_NON_EVM_DEST_BRIDGE = id(
  'SocketNonEvmDestBridge(uint256,address,uint256,bytes32,address,bytes32,bytes32)',
);

/** topic0 of the event of the same name with other arguments, of the second route. */
export const SOCKET_NON_EVM_DEST_BRIDGE_V2 = id(
  'SocketNonEvmDestBridge(uint256,address,bytes32,uint256,bytes32,address,bytes32,bytes32)',
);

/** topic0 of `NewRouteAdded`; both arguments are indexed. */
export const NEW_ROUTE_ADDED = id('NewRouteAdded(uint32,address)');

/** topic0 of `RouteDisabled`; its argument is indexed. */
export const ROUTE_DISABLED = id('RouteDisabled(uint32)');

/** topic0 of `RequestExtracted`; its first argument is indexed, its last one has any length. */
export const REQUEST_EXTRACTED = id('RequestExtracted(bytes32,uint8,address,bytes)');

/** Solana, as Bungee numbers it. */
export const SOLANA = 89999;

/** Tokens of Solana by their accounts: USDC, and wrapped SOL. */
export const SOLANA_TOKENS = [
  { account: '0xc6fa7af3bedbad3a3d65f36aabc97431b1bbe4c2d2f6e0e47ca60203452f5d61', weight: 3 },
  { account: '0x069b8857feab8184fb687f634618c035dac439dc1aeb3b5598a0f00000000001', weight: 2 },
];
