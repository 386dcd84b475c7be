import type { ChainStatus } from '#libs/database/chain-status.js';
import { chainStates } from '#libs/database/ledger.js';

/** Every state that a chain is shown in: what its leader says, or `unled` when there is none. */
export const shownStates = [...chainStates, 'unled'] as const;

/** A fetcher that waits for its RPC says so at least this often, also when each try takes its whole time. */
const WAITING_SECONDS = 60;

const NOBODY = 'no fetcher leads this chain: is one running?';

/** The state that a chain is shown in, and why, in words, when something is wrong. */
export function conditionOf(
  status: Pick<ChainStatus, 'leader' | 'state' | 'stateReason' | 'stateAgeSeconds' | 'saidByLeader'>,
): { state: string; reason: string | null } {
  const { leader, state, stateReason: reason, saidByLeader } = status;
  if (leader !== null) return { state, reason };
  // a fetcher that was refused at start leads nothing and is gone, until a person mends what it says
  if (state === 'halted' && !saidByLeader) return { state, reason };
  // one that has not reached an RPC yet leads nothing either, and says so again and again
  if (state === 'unreachable' && !saidByLeader && status.stateAgeSeconds < WAITING_SECONDS)
    return { state, reason };
  const last = reason === null ? '' : ` The last one said ${state}: ${reason}`;
  return { state: 'unled', reason: `${NOBODY}${last}` };
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
