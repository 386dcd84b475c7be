import { parseArgs } from 'node:util';
import { startVitest } from 'vitest/node';

/*
 * npm run torture -- --seed N --minutes M: the torture test (test/torture.test.ts) with a seed and a length of one's own. It runs where
 * the tests run, for it is made of them.
 */
const { values } = parseArgs({
  options: { seed: { type: 'string', default: '1' }, minutes: { type: 'string', default: '2' } },
});
for (const [name, value, rule] of [
  ['seed', values.seed, /^\d{1,9}$/],
  ['minutes', values.minutes, /^\d{1,3}(\.\d+)?$/],
] as const) {
  if (rule.test(value) && Number(value) > 0) continue;
  console.error(
    `--${name} must be a number above 0, "${value}" is not. Example: npm run torture -- --seed 7 --minutes 2`,
  );
  process.exit(2);
}
process.env.TORTURE_SEED = values.seed;
process.env.TORTURE_MINUTES = values.minutes;
const vitest = await startVitest('test', ['test/torture.test.ts'], {
  watch: false,
  run: true,
  project: ['torture'],
  disableConsoleIntercept: true,
  reporters: ['default'],
});
await vitest.close();
