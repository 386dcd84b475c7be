import type { FaultKind } from '#apps/devchain/faults.js';

/** How often each RPC fault happens, per request. */
export const RPC_FAULT_RATES: Readonly<Partial<Record<FaultKind, number>>> = {};
