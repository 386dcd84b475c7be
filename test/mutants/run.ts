import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startPostgres } from '../services/postgres.js';
import { startRabbitMq } from '../services/rabbitmq.js';
import { allMutants } from './all.js';
import { type Outcome, TreeCopy } from './copy.js';
import { misfits } from './fit.js';
import type { Mutant } from './mutant.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const usage = `npm run mutants                       tries every mutant: the named tests must fail
npm run mutants -- --list             lists them and checks that each still fits the code
npm run mutants -- --only WORDS       those whose name or invariant contains the words; may be given several times
`;

interface Listed {
  readonly invariant: string;
  readonly mutant: Mutant;
}

/**
 * Tries mutants one by one in a copy of the tree and says who killed each.
 * @returns the exit code: 1 when one survived, no longer fits the code, or could not be tried.
 */
async function runMutants(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      list: { type: 'boolean' },
      help: { type: 'boolean' },
      only: { type: 'string', multiple: true },
    },
  });
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  const chosen = allMutants
    .flatMap(({ invariant, mutants }) => mutants.map((mutant): Listed => ({ invariant, mutant })))
    .filter(({ invariant, mutant }) => isChosen(`${invariant} ${mutant.name}`, values.only));
  const drifted = chosen.filter(({ mutant }) => misfits(root, mutant).length > 0);
  for (const { invariant, mutant } of values.list ? chosen : drifted) {
    const wrong = misfits(root, mutant).map((line) => `\n    does not fit: ${line}`);
    say(`${invariant}  ${mutant.name}${wrong.join('')}`);
  }
  if (values.list || drifted.length || !chosen.length) {
    say(`${chosen.length} mutants, ${drifted.length} of them no longer fit the code`);
    return drifted.length || !chosen.length ? 1 : 0;
  }
  return tryAll(chosen);
}

async function tryAll(chosen: readonly Listed[]): Promise<number> {
  const [postgres, rabbitmq] = await Promise.all([startPostgres(), startRabbitMq()]);
  const copy = TreeCopy.make(root, { TEST_DATABASE_URL: postgres.url, RABBITMQ_URL: rabbitmq.url });
  let lived = 0;
  try {
    // a test that fails anyway kills nothing
    const sound = await copy.test(chosen.flatMap(({ mutant }) => mutant.killers));
    if (sound.kind !== 'passed') {
      say(`the tests fail without a fault, too: ${words(sound)}`);
      return 1;
    }
    say('the tests pass without a fault');
    for (const { invariant, mutant } of chosen) {
      const started = performance.now();
      const outcome = await copy.try(mutant);
      if (outcome.kind !== 'failed') lived++;
      const seconds = Math.round((performance.now() - started) / 1_000);
      const verdict = outcome.kind === 'failed' ? 'killed' : 'NOT KILLED';
      say(`${invariant}  ${mutant.name}: ${verdict}, ${words(outcome)}, ${seconds} s`);
    }
  } finally {
    copy.remove();
    await Promise.all([postgres.stop(), rabbitmq.stop()]);
  }
  say(`${chosen.length - lived} of ${chosen.length} mutants killed`);
  return lived ? 1 : 0;
}

function words(outcome: Outcome): string {
  if (outcome.kind === 'passed') return 'all tests passed';
  if (outcome.kind === 'broken') return `no test could say anything: ${outcome.message}`;
  return `failed: "${outcome.title}" (${outcome.message.slice(0, 160)})`;
}

function isChosen(text: string, only: readonly string[] | undefined): boolean {
  return !only?.length || only.some((one) => text.toLowerCase().includes(one.toLowerCase()));
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

export const exitCode = await runMutants(process.argv.slice(2));
