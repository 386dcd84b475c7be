import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What a command came to. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command of the build as an operator does, to its end. */
export function runBuilt(
  app: 'verify' | 'repair' | 'derive' | 'dead-letters',
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Outcome> {
  const options = { env: { PATH: process.env.PATH, ...env }, timeout: 120_000, maxBuffer: 50_000_000 };
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [`${root}dist/apps/${app}/main.js`, ...args],
      options,
      (error, stdout, stderr) => {
        const code = error ? error.code : 0;
        if (typeof code === 'number') resolve({ code, stdout, stderr });
        else reject(error);
      },
    );
  });
}
