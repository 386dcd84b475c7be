import type { ColumnDeclaration } from '../event.js';
import { bridgeNameOf, bridgeOfText } from './bridge-names.js';
import { destinationChain } from './destination-chain.js';

/** The columns that several events of SocketGateway have, each described once. */
export const toChainId: ColumnDeclaration = {
  kind: 'uint256',
  description:
    'Destination as the contract emitted it: an EVM chain id, for Stargate V1 a LayerZero id, in principle any number.',
  indexed: true,
  refersTo: 'chain',
  chainIdOf: destinationChain,
};

/** The token that leaves. */
export const sentToken: ColumnDeclaration = {
  kind: 'address',
  description: "Token on the source chain; 0xeeee…eeee stands for the chain's native coin.",
  indexed: true,
  refersTo: 'token',
};

/** How much of it leaves. @param token the column with the token. */
export function sentAmount(token: string): ColumnDeclaration {
  return {
    kind: 'uint256',
    description: `Amount in the smallest unit of \`${token}\` on the source chain, before the bridge's own fee.`,
    amountOf: token,
  };
}

/** Who gets it where addresses aren't the EVM's. */
export const accountOf32Bytes: ColumnDeclaration = {
  kind: 'bytes32',
  description: 'Recipient on the destination chain, an account of 32 bytes.',
  indexed: true,
};

export const bridgeName: ColumnDeclaration = {
  kind: 'bytes32',
  description: 'Id of the route: keccak256 of its name, or any other 32 bytes.',
  indexed: true,
};

export const bridge: ColumnDeclaration = readableRoute('bridgeName', '`Hop`, `Across`, …');

export const sender: ColumnDeclaration = {
  kind: 'address',
  description: 'Caller of the gateway.',
  indexed: true,
};

export const metadata: ColumnDeclaration = {
  kind: 'bytes32',
  description: "Free data of the caller, usually the integrator's id as a number.",
  indexed: true,
};

/** The readable name beside an id of a route. @param argument the id's. @param examples of names, for the description. */
export function readableRoute(argument: string, examples: string): ColumnDeclaration {
  return {
    kind: 'text',
    description: `Readable name of the route (${examples}), or \`${argument}\` itself when it is not known.`,
    indexed: true,
    filter: {
      read: bridgeOfText,
      takes:
        'Filters take the name in any letter case, or the id; a name that is not known stands for its keccak256.',
    },
    from: (args) => bridgeNameOf(args[argument] as string),
  };
}
