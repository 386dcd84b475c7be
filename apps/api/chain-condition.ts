import type { ChainStatus } from '#libs/database/chain-status.js';
import { chainStates } from '#libs/database/ledger.js';

/** Every state that a chain is shown in: what its leader says, or `unled` when there is none. */
export const shownStates = [...chainStates, 'unled'] as const;

/** The state that a chain is shown in, and why, in words, when something is wrong. */
export function conditionOf({ leader, state, stateReason }: ChainStatus): {
  state: string;
  reason: string | null;
} {
  // a fetcher that has not reached an RPC yet leads nothing, and says so all the same
  if (leader !== null || state === 'unreachable') return { state, reason: stateReason };
  return { state: 'unled', reason: stateReason ?? 'no fetcher leads this chain: is one running?' };
}

/** How far the newest stored block is behind the head, and how old it is; null while nothing is known. */
export function lagOf({ headBlock, newestBlock, newestTimestamp }: ChainStatus): {
  lagBlocks: number | null;
  lagSeconds: number | null;
} {
  return {
    lagBlocks: headBlock === null || newestBlock === null ? null : Math.max(0, headBlock - newestBlock),
    lagSeconds: newestTimestamp && Math.max(0, (Date.now() - newestTimestamp.getTime()) / 1_000),
  };
}
