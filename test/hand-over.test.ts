import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { handOver } from '#apps/fetcher/hand-over.js';
import type { Leads } from '#libs/database/candidates.js';

const PROCESSES = ['a', 'b', 'c', 'd'];

/** For each chain which processes stand ready, and which of all the processes leads it, if any. */
const chains = fc.array(
  fc.record({
    ready: fc.subarray(PROCESSES),
    leader: fc.option(fc.constantFrom(...PROCESSES, 'gone'), { nil: undefined }),
  }),
  { maxLength: 8 },
);
type Chains = ReadonlyArray<{ readonly ready: string[]; readonly leader: string | undefined }>;

function leadsOf(all: Chains): Leads {
  const led = all.flatMap(({ leader }, id) => (leader === undefined ? [] : [[id, leader] as const]));
  return {
    leaders: new Map(led),
    candidates: all.flatMap(({ ready }, chainId) =>
      ready.map((process) => ({ chainId, process, invitedBy: null })),
    ),
  };
}

/** The same with one invitation more. */
function invited(leads: Leads, { chainId, to }: { chainId: number; to: string }, by: string): Leads {
  return {
    ...leads,
    candidates: leads.candidates.map((one) =>
      one.chainId === chainId && one.process === to ? { ...one, invitedBy: by } : one,
    ),
  };
}

/** The same once the invitation is accepted. */
function accepted({ leaders, candidates }: Leads, chainId: number, to: string): Leads {
  return {
    leaders: new Map(leaders).set(chainId, to),
    candidates: candidates.map((one) => (one.chainId === chainId ? { ...one, invitedBy: null } : one)),
  };
}

function countOf({ leaders }: Leads, process: string): number {
  return [...leaders.values()].filter((leader) => leader === process).length;
}

/** Hand-overs, of processes in the order that `draw` gives, until none is decided. */
function settle(leads: Leads, draw: () => number): { leads: Leads; moves: number } {
  let now = leads;
  for (let moves = 0; ; moves++) {
    const deciding = PROCESSES.filter((process) => handOver(process, now));
    if (!deciding.length) return { leads: now, moves };
    // the sum of the squares of at most 8 chains
    if (moves > 64) throw new Error('the chains go back and forth');
    const chosen = handOver(deciding[draw() % deciding.length]!, now)!;
    now = accepted(now, chosen.chainId, chosen.to);
  }
}

describe('handing over', () => {
  test('goes from the leader of a chain to a process that stands ready for it and leads at least two chains fewer', () => {
    fc.assert(
      fc.property(chains, fc.constantFrom(...PROCESSES), (all, process) => {
        const leads = leadsOf(all);
        const chosen = handOver(process, leads);
        if (!chosen) return;
        expect(all[chosen.chainId]).toMatchObject({ leader: process });
        expect(all[chosen.chainId]!.ready).toContain(chosen.to);
        expect(countOf(leads, process) - countOf(leads, chosen.to)).toBeGreaterThanOrEqual(2);
      }),
    );
  });

  test('is decided equally from equal leads, in whatever order they are read', () => {
    fc.assert(
      fc.property(
        chains.chain((all) =>
          fc.tuple(
            fc.constant(all),
            fc.shuffledSubarray(leadsOf(all).candidates as never[], {
              minLength: leadsOf(all).candidates.length,
            }),
          ),
        ),
        fc.constantFrom(...PROCESSES),
        ([all, candidates], process) => {
          const leads = leadsOf(all);
          const reversed = new Map([...leads.leaders].reverse());
          expect(handOver(process, { leaders: reversed, candidates })).toEqual(handOver(process, leads));
        },
      ),
    );
  });

  test('comes to an end: then no leader leads two chains more than a process that stands ready for one of them', () => {
    fc.assert(
      fc.property(chains, fc.infiniteStream(fc.nat()), (all, draws) => {
        const { leads } = settle(leadsOf(all), () => draws.next().value!);
        for (const { chainId, process } of leads.candidates) {
          const leader = leads.leaders.get(chainId);
          if (leader && leader !== 'gone')
            expect(countOf(leads, leader) - countOf(leads, process)).toBeLessThan(2);
        }
      }),
    );
  });

  test('in the end, where all stand ready for all chains, each leads as many as the others or one more', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...PROCESSES), { maxLength: 20 }),
        fc.integer({ min: 1, max: 4 }),
        fc.infiniteStream(fc.nat()),
        (leaders, n, draws) => {
          const alive = PROCESSES.slice(0, n);
          const all = leaders.map((leader) => ({
            leader: alive.includes(leader) ? leader : 'a',
            ready: alive,
          }));
          const { leads } = settle(leadsOf(all), () => draws.next().value!);
          const counts = alive.map((process) => countOf(leads, process));
          expect(Math.max(...counts) - Math.min(...counts)).toBeLessThan(2);
        },
      ),
    );
  });

  test('never happens between processes that follow one chain each, however many stand by', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...PROCESSES), { maxLength: 8 }), (leaders) => {
        // a leader of its own for each chain, and a standby
        const all = leaders.map((_, id) => ({
          leader: `leader ${id}`,
          ready: [`leader ${id}`, `standby ${id}`],
        }));
        for (const { leader } of all) expect(handOver(leader, leadsOf(all))).toBe(null);
      }),
    );
  });
});

describe('an invitation', () => {
  test('counts as accepted: a leader invites for no more chains than make it even', () => {
    let leads = leadsOf(Array.from({ length: 5 }, () => ({ leader: 'a', ready: ['a', 'b'] })));
    const chosen: number[] = [];
    for (let next = handOver('a', leads); next && chosen.length < 5; next = handOver('a', leads)) {
      chosen.push(next.chainId);
      leads = invited(leads, next, 'a');
    }
    expect(chosen).toEqual([0, 1]);
  });

  test('of a leader that leads the chain no longer is void', () => {
    const leads = leadsOf([0, 1].map(() => ({ leader: 'a', ready: ['a', 'b'] })));
    const stale = invited(invited(leads, { chainId: 0, to: 'b' }, 'c'), { chainId: 1, to: 'b' }, 'c');
    expect(handOver('a', stale)).toEqual({ chainId: 0, to: 'b' });
  });
});
