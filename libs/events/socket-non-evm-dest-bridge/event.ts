import { defineEvent } from '../event.js';
import {
  accountOf32Bytes,
  bridge,
  bridgeName,
  metadata,
  sender,
  sentAmount,
  sentToken,
  toChainId,
} from '../socket-gateway/columns.js';

/** SocketGateway's route of Mayan (version 1): tokens leave for a chain whose addresses aren't the EVM's. */
export const socketNonEvmDestBridge = defineEvent({
  name: 'SocketNonEvmDestBridge',
  signature:
    'event SocketNonEvmDestBridge(uint256 amount, address token, uint256 toChainId, bytes32 bridgeName, address sender, bytes32 receiver, bytes32 metadata)',
  description:
    'Tokens left this chain for one that is no EVM chain, such as Solana, through the first route of Mayan; there is no SocketBridge beside it.',
  columns: {
    amount: sentAmount('token'),
    token: sentToken,
    toChainId,
    bridgeName,
    bridge,
    sender,
    receiver: accountOf32Bytes,
    metadata,
  },
});
