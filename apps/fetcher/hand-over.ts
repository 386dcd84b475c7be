import type { HandOver, Leads } from '#libs/database/candidates.js';

/** A leader hands a chain over to a process that leads at least this many chains fewer: with one less they would only swap. */
const UNEVEN = 2;

/**
 * Decides whether a process hands one of its chains over so that processes lead equally many, as far as each stands ready for the
 * other's chains. Whoever is invited counts as the leader already. Every hand-over makes the sum of the squares of all counts
 * smaller, so that it comes to an end. Pure; the same leads give the same decision.
 * @returns the lowest chain for which the process with the fewest chains stands ready; null: it is even enough.
 */
export function handOver(process: string, leads: Leads): HandOver | null {
  const leaders = settledLeaders(leads);
  const counts = new Map<string, number>();
  for (const leader of leaders.values()) counts.set(leader, (counts.get(leader) ?? 0) + 1);
  const countOf = (one: string) => counts.get(one) ?? 0;
  const [chosen] = leads.candidates
    .filter(
      (one) => leaders.get(one.chainId) === process && countOf(process) - countOf(one.process) >= UNEVEN,
    )
    .sort(
      (a, b) =>
        countOf(a.process) - countOf(b.process) || compare(a.process, b.process) || a.chainId - b.chainId,
    );
  return chosen ? { chainId: chosen.chainId, to: chosen.process } : null;
}

/** Who leads each chain once all invitations are accepted. One that the present leader hasn't made is void. */
function settledLeaders({ leaders, candidates }: Leads): Map<number, string> {
  const settled = new Map(leaders);
  for (const { chainId, process, invitedBy } of candidates)
    if (invitedBy !== null && leaders.get(chainId) === invitedBy) settled.set(chainId, process);
  return settled;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
