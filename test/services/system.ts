import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { spawnOwned } from '#apps/local/owned-process.js';
import { Database } from '#libs/database/database.js';
import { migrate } from '#libs/database/migrate.js';
import { coverageOf, coversExactly } from '../independent-reader.js';
import { createDatabase } from './postgres.js';
import { until } from './until.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A running process of the system under test. */
export type SystemProcess = Awaited<ReturnType<typeof spawnOwned>>;

/** The built processes of the product over a database of their own, as an operator runs them. */
export class System {
  private readonly running = new Set<SystemProcess>();

  private constructor(
    readonly databaseUrl: string,
    private readonly env: Readonly<Record<string, string>>,
    private readonly dropDatabase: () => Promise<void>,
  ) {}

  /** Makes a migrated database; queues get a prefix of their own. */
  static async create(
    postgresUrl: string,
    rabbitmqUrl: string,
    env: Record<string, string>,
  ): Promise<System> {
    const { url, drop } = await createDatabase(postgresUrl);
    const database = Database.open(url);
    await migrate(database);
    await database.close();
    const all = {
      DATABASE_URL: url,
      RABBITMQ_URL: rabbitmqUrl,
      QUEUE_PREFIX: `test-${randomUUID()}`,
      ...env,
    };
    return new System(url, all, drop);
  }

  /** What the names of its queues begin with. */
  get queuePrefix(): string {
    return this.env.QUEUE_PREFIX!;
  }

  /** Starts one process from the build (`npm test` builds first). */
  async start(app: 'fetcher' | 'worker' | 'api', env: Record<string, string> = {}): Promise<SystemProcess> {
    const main = `${root}dist/apps/${app}/main.js`;
    if (!existsSync(main)) throw new Error(`${main} is missing: run npm run build`);
    const child = await spawnOwned(process.execPath, [main], {
      cwd: root,
      env: { PATH: process.env.PATH, ...this.env, ...env },
    });
    this.running.add(child);
    void child.exited.then(() => this.running.delete(child));
    return child;
  }

  /** Starts an API on a free port; resolves when it answers. */
  async startApi(env: Record<string, string> = {}): Promise<{ process: SystemProcess; url: string }> {
    const child = await this.start('api', { PORT: '0', ...env });
    const [url] = await child.untilOutput(/http:\/\/127\.0\.0\.1:\d+/, 60_000);
    return { process: child, url };
  }

  /** Ends a process as a crash would. */
  async kill(child: SystemProcess): Promise<void> {
    await child.end('SIGKILL');
  }

  /** Waits until every source of the chain is covered exactly from `from` to the head, and finality has caught up. */
  async untilCovered(
    chainId: number,
    from: number,
    head: () => number | Promise<number>,
    patienceMs?: number,
  ): Promise<void> {
    const covered = async () => {
      const to = await head();
      const sources = await coverageOf({ databaseUrl: this.databaseUrl, chainId });
      return sources.length > 0 && sources.every((source) => coversExactly(source, from, to));
    };
    await until(`coverage of chain ${chainId}`, covered, patienceMs);
  }

  /** Ends everything and drops the database. */
  async stop(): Promise<void> {
    await Promise.all([...this.running].map((child) => child.end('SIGKILL')));
    await this.dropDatabase();
  }
}
