import { type FaultKind, type FaultRates, faultKinds } from '#apps/devchain/faults.js';

/** Chance of a fault that has happened often enough, per request that it can befall; all together about every tenth. */
const USUAL = 0.003;
/** Those that take long, or concern every request for a while. */
const RARE: FaultRates = { timeout: 0.001, behind: 0.001, old_branch: 0.001, wrong_chain: 0.0005 };
/** Chance of all together that have not. */
const WANTED = 0.25;
const WANTED_EACH = 0.1;

/** The kinds that a run must have met. */
export const rpcFaultKinds: readonly FaultKind[] = faultKinds;

/**
 * How likely each fault is now. Some can befall few requests only: what has happened fewer than `least` times becomes likelier, so that
 * a run meets all of them.
 */
export function rpcFaultRates(counts: ReadonlyMap<FaultKind, number>, least: number): FaultRates {
  const wanted = faultKinds.filter((kind) => (counts.get(kind) ?? 0) < least);
  const each = Math.min(WANTED_EACH, WANTED / Math.max(1, wanted.length));
  return Object.fromEntries(
    faultKinds.map((kind) => [kind, wanted.includes(kind) ? each : (RARE[kind] ?? USUAL)]),
  );
}
