import { execFile } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type OwnedProcess, spawnOwned } from '#apps/local/owned-process.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const LEFT_OUT = ['.git', 'node_modules', '.data'];

/** A copy of the project with its build, to change as a developer does; the packages are the project's own. */
export class ProjectCopy {
  private readonly running: OwnedProcess[] = [];

  private constructor(
    private readonly folder: string,
    private readonly env: Readonly<Record<string, string>>,
  ) {}

  /** @param env environment of all commands, beside the few words that any needs. */
  static make(env: Record<string, string> = {}): ProjectCopy {
    const folder = mkdtempSync(join(tmpdir(), 'project-'));
    for (const name of readdirSync(root).filter((one) => !LEFT_OUT.includes(one)))
      cpSync(join(root, name), join(folder, name), { recursive: true, preserveTimestamps: true });
    mkdirSync(join(folder, 'node_modules'));
    for (const name of readdirSync(join(root, 'node_modules')))
      symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name));
    const { PATH = '', HOME = folder } = process.env;
    return new ProjectCopy(folder, { PATH, HOME, DATA_DIR: join(folder, '.data'), ...env });
  }

  read(file: string): string {
    return readFileSync(join(this.folder, file), 'utf8');
  }

  write(file: string, text: string): void {
    writeFileSync(join(this.folder, file), text);
  }

  /** Puts `inserted` behind the first `anchor`, which must be there. */
  insert(file: string, anchor: string, inserted: string): void {
    const text = this.read(file);
    if (!text.includes(anchor)) throw new Error(`${file} has no ${JSON.stringify(anchor)}`);
    this.write(
      file,
      text.replace(anchor, () => `${anchor}${inserted}`),
    );
  }

  /**
   * Runs lines of a shell, each if those before it went well.
   * @returns what they wrote to stdout. @throws Error with all that they wrote.
   */
  async run(lines: string): Promise<string> {
    try {
      const options = { cwd: this.folder, env: this.env, timeout: 300_000 };
      return (await promisify(execFile)('bash', ['-ec', lines], options)).stdout;
    } catch (error) {
      const { stdout, stderr, message } = error as Error & { stdout: string; stderr: string };
      throw new Error(`${message}\n${stdout}\n${stderr}`);
    }
  }

  /** Starts a command that goes on. */
  async start(command: string): Promise<OwnedProcess> {
    const child = await spawnOwned('bash', ['-c', command], { cwd: this.folder, env: this.env });
    this.running.push(child);
    return child;
  }

  /** Ends what was started, and takes the copy away. */
  async remove(): Promise<void> {
    await Promise.all(this.running.map((child) => child.end('SIGKILL')));
    rmSync(this.folder, { recursive: true, force: true });
  }
}
