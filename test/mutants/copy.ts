import { type ExecFileException, execFile, execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { whenOrphaned } from '#apps/local/owned-process.js';
import type { Killer, Mutant } from './mutant.js';

/** Longer than the longest test may take. */
const RUN_PATIENCE_MS = 900_000;

/** What running some tests came to. */
export type Outcome =
  | { readonly kind: 'passed' }
  | { readonly kind: 'failed'; readonly title: string; readonly message: string }
  /** No test could say anything. */
  | { readonly kind: 'broken'; readonly message: string };

interface Report {
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly {
      readonly title: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

/** A copy of the tree, its files as git knows them, in which faults are made. */
export class TreeCopy {
  private constructor(
    readonly root: string,
    private readonly env: NodeJS.ProcessEnv,
    private readonly keep: () => void,
  ) {}

  /** @param env what the tests find their services by. */
  static make(from: string, env: NodeJS.ProcessEnv): TreeCopy {
    const root = mkdtempSync(join(tmpdir(), 'event-monitor-mutants-'));
    const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
      cwd: from,
    });
    for (const path of listed.toString().split('\0').filter(Boolean)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      cpSync(join(from, path), join(root, path));
    }
    symlinkSync(join(from, 'node_modules'), join(root, 'node_modules'));
    return new TreeCopy(root, { ...process.env, ...env }, whenOrphaned(`rm -rf '${root}'`));
  }

  /** Makes the fault, runs its killers, and takes it back. */
  async try({ file, search, replace, killers }: Mutant): Promise<Outcome> {
    const path = join(this.root, file);
    const sound = readFileSync(path, 'utf8');
    writeFileSync(
      path,
      sound.replace(search, () => replace),
    );
    try {
      return await this.test(killers);
    } finally {
      writeFileSync(path, sound);
    }
  }

  /** Builds, for the tests that start processes, and runs tests of one tree. */
  async test(tests: readonly Killer[]): Promise<Outcome> {
    const build = await this.run('tsc', ['-p', 'tsconfig.build.json']);
    if (build.failed) return { kind: 'broken', message: build.output };
    const report = join(this.root, 'report.json');
    rmSync(report, { force: true });
    const files = [...new Set(tests.map(({ file }) => file))];
    const titles = tests.map(({ title }) => patternOf(title)).join('|');
    const args = ['run', ...files, '-t', `(${titles})$`, '--reporter=json', `--outputFile=${report}`];
    const { output } = await this.run('vitest', args);
    return outcomeOf(report, output);
  }

  remove(): void {
    this.keep();
    rmSync(this.root, { recursive: true, force: true });
  }

  private run(program: string, args: readonly string[]): Promise<{ failed: boolean; output: string }> {
    const bin = join(this.root, 'node_modules', '.bin');
    const options = {
      cwd: this.root,
      env: { ...this.env, PATH: `${bin}:${this.env.PATH}` },
      timeout: RUN_PATIENCE_MS,
      maxBuffer: 64_000_000,
    };
    return new Promise((resolve) => {
      execFile(join(bin, program), args, options, (error: ExecFileException | null, stdout, stderr) => {
        resolve({ failed: error !== null, output: `${stdout}${stderr}`.trim().slice(-2_000) });
      });
    });
  }
}

/** A title as a pattern; where a table fills it in (`%s`, `%i`), anything fits. */
function patternOf(title: string): string {
  return title.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll(/%[si]/g, '.*');
}

function outcomeOf(reportFile: string, output: string): Outcome {
  let report: Report;
  try {
    report = JSON.parse(readFileSync(reportFile, 'utf8'));
  } catch {
    return { kind: 'broken', message: output };
  }
  const results = report.testResults.flatMap((file) => file.assertionResults);
  const failed = results.find(({ status }) => status === 'failed');
  if (failed) {
    const message = failed.failureMessages[0] ?? '';
    return { kind: 'failed', title: failed.title, message: message.split('\n')[0]! };
  }
  if (results.some(({ status }) => status === 'passed')) return { kind: 'passed' };
  return { kind: 'broken', message: report.testResults.map((file) => file.message).join('\n') || output };
}
