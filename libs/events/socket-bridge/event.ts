import { defineEvent } from '../event.js';
import { bridgeNameOf, bridgeOfText } from './bridge-names.js';
import { destinationChain } from './destination-chain.js';

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
    toChainId: {
      kind: 'uint256',
      description:
        'Destination as the contract emitted it: an EVM chain id, for Stargate V1 a LayerZero id, in principle any number.',
      indexed: true,
      refersTo: 'chain',
      chainIdOf: destinationChain,
    },
    bridgeName: {
      kind: 'bytes32',
      description: 'Id of the route: keccak256 of its name, or any other 32 bytes.',
      indexed: true,
    },
    bridge: {
      kind: 'text',
      description:
        'Readable name of the route (`Hop`, `Across`, …), or `bridgeName` itself when it is not known.',
      indexed: true,
      filter: {
        read: bridgeOfText,
        takes:
          'Filters take the name in any letter case, or the id; a name that is not known stands for its keccak256.',
      },
      from: (args) => bridgeNameOf(args.bridgeName as string),
    },
    sender: { kind: 'address', description: 'Caller of the gateway.', indexed: true },
    receiver: {
      kind: 'address',
      description: 'Recipient on the destination chain.',
      indexed: true,
      onChain: 'toChainId',
    },
    metadata: {
      kind: 'bytes32',
      description: "Free data of the caller, usually the integrator's id as a number.",
      indexed: true,
    },
  },
});
