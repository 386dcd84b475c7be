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

/** SocketGateway's route of Mayan (version 2): the same name as version 1's event, but another topic and other arguments. */
export const socketNonEvmDestBridgeV2 = defineEvent({
  name: 'SocketNonEvmDestBridgeV2',
  signature:
    'event SocketNonEvmDestBridge(uint256 amount, address fromToken, bytes32 toToken, uint256 toChainId, bytes32 bridgeName, address sender, bytes32 receiver, bytes32 metadata)',
  description:
    'Tokens left this chain for one that is no EVM chain, such as Solana, through the second route of Mayan; there is no SocketBridge beside it.',
  columns: {
    amount: sentAmount('fromToken'),
    fromToken: sentToken,
    toToken: { kind: 'bytes32', description: 'Token on the destination chain, an account of 32 bytes.' },
    toChainId,
    bridgeName,
    bridge,
    sender,
    receiver: accountOf32Bytes,
    metadata,
  },
});
