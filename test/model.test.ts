import { expect, test } from 'vitest';
import { decide } from '#apps/fetcher/decide.js';
import { forkPoint } from '#apps/fetcher/fork-point.js';
import { Segment } from '#apps/fetcher/segment.js';
import { type Decision, forkOf, type Known, type View } from './model/decide.js';
import { RULES, type Rule, rulesWithout } from './model/rules.js';
import { run } from './model/run.js';

/** Seeds of a run in CI; `npm run model -- 10000` runs more. */
const SEEDS = 300;

/**
 * Seeds that break without the rule; with `along`, without both rules, and not without that other one alone; `honest`: where
 * endpoints have every block's logs, so that nothing else than the two can be the cause.
 */
const needed: Partial<Record<Rule, { seeds: readonly number[]; along?: Rule; honest?: boolean }>> = {
  forkDrop: { seeds: [4, 6] },
  jumpFinal: { seeds: [1, 2], along: 'gapFinality' },
  gapFinality: { seeds: [1, 2], along: 'jumpFinal' },
  floor: { seeds: [3, 72] },
  covered: { seeds: [24, 82] },
  dropAll: { seeds: [4, 466] },
  backoff: { seeds: [1] },
  // a history that is planned up to recorded finality only never meets a row that is still to be dropped
  finalWins: { seeds: [6, 18], along: 'recordedOnly', honest: true },
  liveYields: { seeds: [111, 264], along: 'recordedOnly', honest: true },
  recordedOnly: { seeds: [31, 41] },
  asOf: { seeds: [1, 2] },
  untouched: { seeds: [71, 110] },
  revision: { seeds: [8, 22] },
  order: { seeds: [13, 29] },
  lookTwice: { seeds: [2, 3] },
  heirDoubts: { seeds: [2, 3] },
  heirKnows: { seeds: [2320, 5227] },
};

/** Rules without which no seed was seen to break, and why they are kept. */
const belts: Partial<Record<Rule, string>> = {
  equalLocks:
    'a history planned up to recorded finality meets no row that is being dropped; else rare races lose one',
  monotone: 'what lies below finality is forgotten, so it can be neither said nor stored as final again',
  link: 'in an ordered log every statement fits; it stops a leader that contradicts itself',
  holder: 'without, two leaders go on taking over from each other, which costs time and no truth',
  byHash: 'a row of a dropped height in another block is final, and history says it again',
  pause:
    'without, blocks that are still of the chain are dropped and said again, which costs time and no truth',
  keepRestated: 'without, the same; test/configuration-changes shows that no row is touched',
  owed: 'without, the block is said as empty and looked at again until a node has its logs',
};

test(`no seed of ${SEEDS} breaks the protocol`, async () => {
  const broken: string[] = [];
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { why } = await run(seed);
    if (why) broken.push(`seed ${seed}: ${why}`);
  }
  expect(broken).toEqual([]);
}, 300_000);

test.each(Object.entries(needed))(
  'without the rule %s the protocol breaks',
  async (rule, { seeds, along, honest }) => {
    const off = along ? [along, rule] : [rule];
    const outcomes = await Promise.all(seeds.map((seed) => run(seed, { off, honest })));
    expect(outcomes.filter(({ why }) => why)).not.toEqual([]);
    for (const seed of along ? seeds : [])
      expect((await run(seed, { off: [along!], honest })).why).toBeNull();
  },
);

test('every rule is either needed, or a belt with its reason', () => {
  expect([...Object.keys(needed), ...Object.keys(belts)].sort()).toEqual(Object.keys(RULES).sort());
});

test('a leader of the real code decides as the model does, in every situation of 40 runs', async () => {
  const situations: { known: Known; view: View; decision: Decision }[] = [];
  for (let seed = 1; seed <= 40; seed++) {
    await run(seed, {
      onDecision: (known, view, decision) => {
        situations.push({ known: { ...known, said: new Map(known.said) }, view, decision });
      },
    });
  }
  const kinds = new Set(situations.map(({ decision }) => decision.kind));
  expect([...kinds].sort()).toEqual(['advance', 'finality', 'idle', 'pause']);
  for (const { known, view, decision } of situations) {
    const { finalized, coveredTo } = known;
    const segment = new Segment(known.said);
    const head = view.blocks.length - 1;
    const floor = Math.max(finalized ?? -1, segment.bottom - 1);
    const hashes = (heights: readonly number[]) => heights.map((n) => view.blocks[n]!.hash);
    const upTo = Math.min(segment.top, head);
    const fork = segment.top < 0 ? -1 : await forkPoint(segment, floor, upTo, async (h) => hashes(h));
    if (segment.top >= 0) expect(fork).toBe(forkOf(rulesWithout(), known, view));
    const safe = { number: view.finalized, hash: view.blocks[view.finalized]!.hash };
    expect(decide({ segment, finalized, coveredTo }, { head, safe, fork })).toEqual(decision);
  }
});
