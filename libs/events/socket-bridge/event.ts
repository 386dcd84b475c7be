import { defineEvent } from '../event.js';
import {
  bridge,
  bridgeName,
  metadata,
  sender,
  sentAmount,
  sentToken,
  toChainId,
} from '../socket-gateway/columns.js';

/** SocketGateway (Socket / Bungee): tokens leave this chain through a bridge. */
export const socketBridge = defineEvent({
  name: 'SocketBridge',
  signature:
    'event SocketBridge(uint256 amount, address token, uint256 toChainId, bytes32 bridgeName, address sender, address receiver, bytes32 metadata)',
  description: 'Tokens left this chain through a bridge, sent by SocketGateway (Socket / Bungee).',
  columns: {
    amount: sentAmount('token'),
    token: sentToken,
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
