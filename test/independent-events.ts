import { readFileSync } from 'node:fs';
import { encodeBytes32String, id, type Result } from 'ethers';

/*
 * What the independent reader knows of events, written down a second time: signatures, tables, and what each column must hold. Like
 * the reader it imports nothing of the project.
 */

/** A column that comes from the arguments: its value as text, in SQL and from the log. */
interface KnownColumn {
  readonly sql: string;
  readonly of: (args: Result) => string;
}

/** An event and the table of its rows. */
export interface KnownEvent {
  readonly abi: string;
  readonly table: string;
  /** Which rows of the table are its own, in SQL; by default all. */
  readonly own?: string;
  readonly columns: Readonly<Record<string, KnownColumn>>;
}

/** SQL of bytes as lower-case hex. */
export function hex(expression: string): string {
  return `'0x' || encode(${expression}, 'hex')`;
}

const number = (column: string, argument: string): KnownColumn => ({
  sql: `${column}::text`,
  of: (args) => String(args[argument]),
});
const bytes = (column: string, argument: string): KnownColumn => ({
  sql: hex(column),
  of: (args) => args[argument].toLowerCase(),
});
const route = (column: string, argument: string): KnownColumn => ({
  sql: column,
  of: (args) => routeNames.get(args[argument].toLowerCase()) ?? args[argument].toLowerCase(),
});

const routeNames = new Map(
  (
    JSON.parse(readFileSync(new URL('./fixtures/bridge-names.json', import.meta.url), 'utf8')) as {
      names: { preimage: string; encoding: string }[];
    }
  ).names.map(({ preimage, encoding }) => [
    encoding === 'keccak256(utf8)' ? id(preimage) : encodeBytes32String(preimage),
    preimage,
  ]),
);

const bridging = {
  to_chain_id: number('to_chain_id', 'toChainId'),
  bridge_name: bytes('bridge_name', 'bridgeName'),
  bridge: route('bridge', 'bridgeName'),
  sender: bytes('sender', 'sender'),
  receiver: bytes('receiver', 'receiver'),
  metadata: bytes('metadata', 'metadata'),
};

/** The events that have tables of their own, by name. */
export const knownEvents = {
  SocketBridge: {
    abi: 'event SocketBridge(uint256 amount, address token, uint256 toChainId, bytes32 bridgeName, address sender, address receiver, bytes32 metadata)',
    table: 'socket_bridge_event',
    columns: { amount: number('amount', 'amount'), token: bytes('token', 'token'), ...bridging },
  },
  SocketSwapTokens: {
    abi: 'event SocketSwapTokens(address fromToken, address toToken, uint256 buyAmount, uint256 sellAmount, bytes32 routeName, address receiver, bytes32 metadata)',
    table: 'socket_swap_tokens_event',
    columns: {
      from_token: bytes('from_token', 'fromToken'),
      to_token: bytes('to_token', 'toToken'),
      buy_amount: number('buy_amount', 'buyAmount'),
      sell_amount: number('sell_amount', 'sellAmount'),
      route_name: bytes('route_name', 'routeName'),
      route: route('route', 'routeName'),
      receiver: bytes('receiver', 'receiver'),
      metadata: bytes('metadata', 'metadata'),
    },
  },
  SocketNonEvmDestBridge: {
    abi: 'event SocketNonEvmDestBridge(uint256 amount, address token, uint256 toChainId, bytes32 bridgeName, address sender, bytes32 receiver, bytes32 metadata)',
    table: 'socket_non_evm_dest_bridge_event',
    columns: { amount: number('amount', 'amount'), token: bytes('token', 'token'), ...bridging },
  },
  SocketNonEvmDestBridgeV2: {
    abi: 'event SocketNonEvmDestBridge(uint256 amount, address fromToken, bytes32 toToken, uint256 toChainId, bytes32 bridgeName, address sender, bytes32 receiver, bytes32 metadata)',
    table: 'socket_non_evm_dest_bridge_v2_event',
    columns: {
      amount: number('amount', 'amount'),
      from_token: bytes('from_token', 'fromToken'),
      to_token: bytes('to_token', 'toToken'),
      ...bridging,
    },
  },
  SocketFeesDeducted: {
    // as it is emitted, not as the contract's own ABI names the words
    abi: 'event SocketFeesDeducted(uint256 fees, address taker, address token)',
    table: 'socket_fees_deducted_event',
    columns: {
      fees: number('fees', 'fees'),
      fees_token: bytes('fees_token', 'token'),
      fees_taker: bytes('fees_taker', 'taker'),
    },
  },
  NewRouteAdded: {
    abi: 'event NewRouteAdded(uint32 indexed routeId, address indexed route)',
    table: 'new_route_added_event',
    columns: { route_id: number('route_id', 'routeId'), route: bytes('route', 'route') },
  },
  RouteDisabled: {
    abi: 'event RouteDisabled(uint32 indexed routeId)',
    table: 'route_disabled_event',
    columns: { route_id: number('route_id', 'routeId') },
  },
  RequestExtracted: {
    abi: 'event RequestExtracted(bytes32 indexed requestHash, uint8 implId, address transmitter, bytes execution)',
    table: 'request_extracted_event',
    columns: {
      request_hash: bytes('request_hash', 'requestHash'),
      impl_id: number('impl_id', 'implId'),
      transmitter: bytes('transmitter', 'transmitter'),
      execution: bytes('execution', 'execution'),
    },
  },
} as const satisfies Record<string, KnownEvent>;

/** An event without a table of its own, whose arguments are words: numbers as decimal strings, the rest as lower-case hex. */
export function withoutTable(name: string, abi: string): KnownEvent {
  const text = (value: bigint | string) => (typeof value === 'bigint' ? String(value) : value.toLowerCase());
  return {
    abi,
    table: 'contract_event',
    own: `event = '${name}'`,
    columns: {
      event: { sql: 'event', of: () => name },
      args: {
        sql: `(select string_agg(key || '=' || value, ' ' order by key collate "C") from jsonb_each_text(args))`,
        of: (args) =>
          Object.entries(args.toObject() as Record<string, bigint | string>)
            .map(([key, value]) => `${key}=${text(value)}`)
            .sort()
            .join(' '),
      },
    },
  };
}
