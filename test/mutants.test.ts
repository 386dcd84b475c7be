import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { allMutants } from './mutants/all.js';
import { misfits } from './mutants/fit.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const mutants = allMutants.flatMap((one) => one.mutants);

test('every invariant of ARCHITECTURE.md has mutants, at least 25 in all, each with a name of its own', () => {
  const text = readFileSync(`${root}ARCHITECTURE.md`, 'utf8');
  const invariants = [...text.matchAll(/^\| (I\d) \|/gm)].map(([, name]) => name);
  expect(allMutants.map(({ invariant }) => invariant)).toEqual(invariants);
  expect(allMutants.filter((one) => one.mutants.length === 0)).toEqual([]);
  expect(mutants.length).toBeGreaterThanOrEqual(25);
  expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length);
});

describe('fits the code and its tests (npm run mutants tries them)', () => {
  test.each(mutants.map((mutant) => [mutant.name, mutant] as const))('%s', (_, mutant) => {
    expect(misfits(root, mutant)).toEqual([]);
  });
});
