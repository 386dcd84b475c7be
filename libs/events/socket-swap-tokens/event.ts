import { defineEvent } from '../event.js';
import { metadata, readableRoute } from '../socket-gateway/columns.js';

/** SocketGateway (Socket / Bungee): one token becomes another on this chain. */
export const socketSwapTokens = defineEvent({
  name: 'SocketSwapTokens',
  signature:
    'event SocketSwapTokens(address fromToken, address toToken, uint256 buyAmount, uint256 sellAmount, bytes32 routeName, address receiver, bytes32 metadata)',
  description:
    'A token was swapped for another through SocketGateway (Socket / Bungee), on its own or on the way to a bridge.',
  columns: {
    fromToken: {
      kind: 'address',
      description: "Token that was sold; 0xeeee…eeee stands for the chain's native coin.",
      indexed: true,
      refersTo: 'token',
    },
    toToken: {
      kind: 'address',
      description: "Token that was bought; 0xeeee…eeee stands for the chain's native coin.",
      indexed: true,
      refersTo: 'token',
    },
    buyAmount: {
      kind: 'uint256',
      description: 'Amount that was bought, in the smallest unit of `toToken`.',
      amountOf: 'toToken',
    },
    sellAmount: {
      kind: 'uint256',
      description: 'Amount that was sold, in the smallest unit of `fromToken`.',
      amountOf: 'fromToken',
    },
    // without an index of its own: filters by `route` take the id, too
    routeName: {
      kind: 'bytes32',
      description: 'Id of the route: keccak256 of its name, or any other 32 bytes.',
    },
    route: readableRoute('routeName', '`Zerox`, `OneInch`, …'),
    receiver: {
      kind: 'address',
      description:
        'Who got the bought tokens: the gateway itself where a bridge follows in the same transaction.',
      indexed: true,
    },
    metadata,
  },
});
