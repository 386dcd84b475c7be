import { defineEvent } from '../event.js';
import { bridge, bridgeName, metadata, sender, toChainId } from '../socket-gateway/columns.js';

/** SocketGateway's route of Mayan (version 1): tokens leave for a chain whose addresses aren't the EVM's. */
export const socketNonEvmDestBridge = defineEvent({
  name: 'SocketNonEvmDestBridge',
  signature:
    'event SocketNonEvmDestBridge(uint256 amount, address token, uint256 toChainId, bytes32 bridgeName, address sender, bytes32 receiver, bytes32 metadata)',
  description:
    'Tokens left this chain for one that is no EVM chain, such as Solana, through the first route of Mayan; there is no SocketBridge beside it.',
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
      kind: 'bytes32',
      description: 'Recipient on the destination chain, an account of 32 bytes.',
      indexed: true,
    },
    metadata,
  },
});
