import { expect, test } from 'vitest';
import { memoryFindings, wordsOf } from './torture/report.js';
import { torture } from './torture/torture.js';

/** `npm run torture` sets these; the minute that every test run takes has a seed of its own. */
const seed = Number(process.env.TORTURE_SEED ?? 1);
const minutes = Number(process.env.TORTURE_MINUTES ?? 1);
const loud = process.env.TORTURE_SEED !== undefined;

test(
  `a system that is attacked from all sides for ${minutes} min (seed ${seed}) ends equal to the chains, and its subscribers too`,
  async () => {
    const report = await torture({ seed, minutes, say: loud ? (line) => console.info(line) : undefined });
    const findings = [...report.findings, ...memoryFindings(report)];
    console.info(wordsOf({ ...report, findings }));
    expect(findings).toEqual([]);
    expect(report.missing).toEqual([]);
  },
  900_000 + minutes * 60_000,
);
