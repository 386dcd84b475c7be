import { RULES, rulesWithout } from './rules.js';
import { type Counts, run } from './run.js';

/** Runs the protocol's executable model: `npm run model -- [seeds] [from] [off=rule,rule] [steps=n] [trace]`. */
const [count = '1000', ...rest] = process.argv.slice(2);
const option = (name: string) => rest.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1);
const from = Number(rest.find((word) => /^\d+$/.test(word)) ?? 1);
const off = option('off')?.split(',') ?? [];
const steps = Number(option('steps') ?? 400);
const trace = rest.includes('trace');

if (count === 'rules') {
  for (const [rule, meaning] of Object.entries(RULES)) console.log(`${rule}: ${meaning}`);
} else {
  rulesWithout(off);
  await runSeeds(Number(count));
}

async function runSeeds(seeds: number): Promise<void> {
  const totals: Partial<Counts> = {};
  const reasons = new Map<string, { seed: number; why: string; seeds: number }>();
  let failed = 0;
  for (let seed = from; seed < from + seeds; seed++) {
    const { why, lines, counts } = await run(seed, { off, steps, trace });
    for (const [name, n] of Object.entries(counts) as [keyof Counts, number][])
      totals[name] = (totals[name] ?? 0) + n;
    if (trace) console.log(lines.join('\n'));
    if (!why) continue;
    failed++;
    const kind = why.replace(/\d+[a-z]*|t\d+\.\d/g, '#');
    const known = reasons.get(kind) ?? { seed, why, seeds: 0 };
    reasons.set(kind, { ...known, seeds: known.seeds + 1 });
  }
  for (const { seed, why, seeds: n } of reasons.values()) console.log(`${n} seeds, e.g. ${seed}: ${why}`);
  console.log(`${failed} of ${seeds} seeds fail`, JSON.stringify(totals));
  process.exitCode = failed ? 1 : 0;
}
