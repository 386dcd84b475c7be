import '#libs/telemetry/node-version.js';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { folderOfEvent, writeFolder } from './event-folder.js';

const USAGE = `npm run new-event -- 'event Transfer(address indexed from, address indexed to, uint256 value)' [--name Erc20Transfer]

Writes the folder of an event in libs/events, its line in the registry, its migration, and what is generated from them.
`;

/** All that is written into, by this or by what it starts. */
const WRITTEN = ['libs/events', 'libs/database/migrations', 'docs', 'schema.graphql'];

/** Makes an event's folder from an ABI fragment, and all that follows from it. */
function newEvent(): number {
  const { values, positionals } = parseArgs({
    args: process.argv.slice(2),
    options: { name: { type: 'string' } },
    allowPositionals: true,
  });
  const [fragment, ...rest] = positionals;
  if (!fragment || rest.length) throw new Error('give one fragment, in quotes');
  const folder = folderOfEvent(fragment, values.name);
  wholeOrNothing(() => {
    const written = writeFolder(folder, new URL('../../libs/events/', import.meta.url));
    process.stdout.write(`${written.map((file) => `wrote ${file}\n`).join('')}`);
    run('npx', ['biome', 'check', '--write', 'libs/events']);
    run('npm', ['run', '-s', 'migration', '--', folder.migration]);
    for (const script of ['schema', 'docs']) run('npm', ['run', '-s', script]);
  });
  process.stdout.write(`
${folder.name} has a folder, a line in libs/events/registry.ts, a migration, and its part of schema.graphql.
Now say in libs/events/${folder.folder}/event.ts what its columns mean, and put a real log into example.json.
Then: npm run format && npm run schema && npm run check && npm test
In production: npm run migrate, then the new workers and APIs, then the fetchers with ${folder.name} in EVENTS.
`);
  return 0;
}

/** Runs what writes files; if it fails, they are as they were before. */
function wholeOrNothing(write: () => void): void {
  const before = mkdtempSync(join(tmpdir(), 'new-event-'));
  for (const path of WRITTEN) cpSync(path, join(before, path), { recursive: true });
  try {
    write();
  } catch (error) {
    for (const path of WRITTEN) {
      rmSync(path, { recursive: true });
      cpSync(join(before, path), path, { recursive: true });
    }
    throw error;
  } finally {
    rmSync(before, { recursive: true });
  }
}

function run(program: string, args: readonly string[]): void {
  process.stdout.write(`${program} ${args.join(' ')}\n`);
  try {
    execFileSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  } catch {
    throw new Error(`"${program} ${args.join(' ')}" failed, see above; all files are as they were before`);
  }
}

try {
  process.exitCode = newEvent();
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n\n${USAGE}`);
  process.exitCode = 2;
}
