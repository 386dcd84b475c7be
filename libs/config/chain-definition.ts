/** What is known of a chain beforehand; every value can be overridden by env. */
export interface ChainDefinition {
  /** EIP-155 chain id. */
  readonly id: number;
  readonly name: string;
  readonly nativeCoin: { readonly symbol: string; readonly decimals: number };
  /** The contract that is followed by default, 20 bytes of lower-case hex. */
  readonly contract: string;
  /** First block that can hold events of the contract. */
  readonly startBlock: number;
  /** Mean time between blocks in milliseconds. */
  readonly blockTimeMs: number;
  /** Depth at which a block counts as final where the node has no `finalized` tag. */
  readonly confirmations: number;
  /** False where logs may be missing from the header's bloom (Polygon's state-sync transactions): then every block's logs are asked for. */
  readonly bloomProvesAbsence: boolean;
  /** Base URL of the explorer; pages are `/tx/{hash}`, `/address/{address}`, `/block/{number}`. */
  readonly explorer: string;
  readonly rpcUrls: readonly string[];
}
