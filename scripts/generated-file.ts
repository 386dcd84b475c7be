import { existsSync, readFileSync, writeFileSync } from 'node:fs';

/** Writes files that are made from the code, or with `--check` fails when a committed one differs. */
export function writeOrCheck(files: Readonly<Record<string, string>>, command: string): void {
  const check = process.argv.includes('--check');
  const stale = Object.entries(files).filter(([file, text]) => {
    if (!check) writeFileSync(file, text);
    return check && (!existsSync(file) || readFileSync(file, 'utf8') !== text);
  });
  if (!stale.length) return;
  const names = stale.map(([file]) => file).join(', ');
  process.stderr.write(`${names} is not what the code says: run ${command} and commit it\n`);
  process.exit(1);
}
