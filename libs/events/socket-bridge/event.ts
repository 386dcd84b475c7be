import { defineEvent } from '../event.js';
import { bridge, bridgeName, metadata, sender, toChainId } from '../socket-gateway/columns.js';

/** SocketGateway (Socket / Bungee): tokens leave this chain through a bridge. */
export const socketBridge = defineEvent({
  name: 'SocketBridge',
  signature:
    'event SocketBridge(uint256 amount, address token, uint256 toChainId, bytes32 bridgeName, address sender, address receiver, bytes32 metadata)',
  description: 'Tokens left this chain through a bridge, sent by SocketGateway (Socket / Bungee).',
  columns: {
    amount: {
      kind: 'uint256',
      description: "Amount in the smallest unit of `token` on the source chain, before the bridge's own fee.",
      amountOf: 'token',
    },
    token: {
      kind: 'address',
      description: "Token on the source chain; 0xeeee…eeee stands for the chain's native coin.",
      indexed: true,
      refersTo: 'token',
    },
    toChainId,
    bridgeName,
    bridge,
    sender,
    receiver: {
      kind: 'address',
      description: 'Recipient on the destination chain.',
      indexed: true,
      onChain: 'toChainId',
    },
    metadata,
  },
});
