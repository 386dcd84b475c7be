import { readFileSync } from 'node:fs';
import type { Killer, Mutant } from './mutant.js';

/** Where a mutant no longer fits the code, one line each: its text isn't there once, or a test that should fail is gone. */
export function misfits(root: string, mutant: Mutant): string[] {
  const source = read(`${root}/${mutant.file}`);
  const times = source === null ? 0 : source.split(mutant.search).length - 1;
  const wrong = times === 1 ? [] : [`${mutant.file} has its text ${times} times, not once`];
  if (mutant.search === mutant.replace) wrong.push('it changes nothing');
  const gone = mutant.killers.filter((killer) => !isThere(root, killer));
  return [...wrong, ...gone.map(({ file, title }) => `${file} has no test "${title}"`)];
}

function isThere(root: string, { file, title }: Killer): boolean {
  const quoted = [title, title.replaceAll("'", "\\'")];
  return quoted.some((one) => read(`${root}/${file}`)?.includes(one));
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
