import { expect, inject, test } from 'vitest';
import { PostgresLedger } from './model/postgres-ledger.js';
import { type Counts, run } from './model/run.js';

/** Seeds of a run in CI, some two CPU seconds each; `REPLAY_SEEDS=1000 REPLAY_FROM=101` runs others. */
const SEEDS = Number(process.env.REPLAY_SEEDS ?? 200);
const FROM = Number(process.env.REPLAY_FROM ?? 1);
/** A transaction of the real code has several times the statements of the model's: some of them run in a row. */
const SCHEDULE = { steps: 300, inARow: 8, trace: true };
/** Runs at a time, each in a database of its own. */
const AT_ONCE = 3;

test(`the real workers keep the ledger true through ${SEEDS} random schedules, statement by statement, with several of them, zombies and crashes`, async () => {
  const failures: string[] = [];
  const totals: Partial<Counts> & { waits: number; crashes: number } = { waits: 0, crashes: 0 };
  const seeds = Array.from({ length: SEEDS }, (_, i) => FROM + i);
  const oneByOne = async () => {
    const ledger = await PostgresLedger.create(inject('postgresUrl'));
    try {
      for (let seed = seeds.shift(); seed !== undefined && failures.length < 2; seed = seeds.shift()) {
        await ledger.reset();
        // every other one with a leader that is ahead with its history: then rows are claimed by two blocks
        const early = seed % 2 ? {} : { off: ['recordedOnly'], honest: true };
        const { why, lines, counts } = await run(seed, { ledger, ...SCHEDULE, ...early });
        for (const [name, n] of Object.entries(counts) as [keyof Counts, number][])
          totals[name] = (totals[name] ?? 0) + n;
        if (why) failures.push(`seed ${seed}: ${why}\n${lines.join('\n')}`);
      }
    } finally {
      totals.waits += ledger.waits;
      totals.crashes += ledger.crashes;
      await ledger.close();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, oneByOne));
  console.info(`replayed ${SEEDS - seeds.length} seeds: ${JSON.stringify(totals)}`);
  expect(failures.join('\n\n')).toBe('');
  // a run counts only if what it is about happened
  const { waits, crashes, groups, takeovers, reorgs, jumps, hidden } = totals;
  for (const n of [waits, crashes, groups, takeovers, reorgs, jumps, hidden]) expect(n).toBeGreaterThan(0);
}, 1_800_000);
