import { readFileSync } from 'node:fs';
import type { System, SystemProcess } from '../services/system.js';
import { until } from '../services/until.js';
import { lasting, type Role, type World } from './world.js';

/** A place that a process fills; after a crash another one does, as an operator's supervisor would see to it. */
export class Post {
  /** API: where it answers. */
  url: string | null = null;
  process: SystemProcess | null = null;
  /** Something is being done to it; nothing else may be. */
  busy = false;
  /** When the process in it began, in ms of the monotonic clock. */
  since = 0;

  constructor(
    readonly name: string,
    readonly role: Role,
    private readonly launch: () => Promise<{ process: SystemProcess; url: string | null }>,
    private readonly onOwnExit: (post: Post, output: string) => void,
  ) {}

  async start(): Promise<void> {
    const { process, url } = await this.launch();
    this.process = process;
    this.url = url;
    this.since = performance.now();
    void process.exited.then(() => {
      if (this.process === process) this.onOwnExit(this, process.output());
    });
  }

  /** kill -9, if it hasn't ended by itself, and a successor after a while. */
  async replace(awayMs: number): Promise<void> {
    const { process } = this;
    this.process = null;
    this.url = null;
    await process?.end('SIGKILL');
    await lasting(awayMs);
    await this.start();
  }

  /** Doesn't get the processor for a while, as in a long pause of a virtual machine. */
  async freeze(ms: number): Promise<void> {
    const pid = this.process?.pid;
    if (!pid) return;
    process.kill(pid, 'SIGSTOP');
    await lasting(ms);
    process.kill(pid, 'SIGCONT');
  }

  /** Resident memory in bytes, or null where the system doesn't tell. */
  get memory(): number | null {
    try {
      const status = readFileSync(`/proc/${this.process?.pid}/status`, 'utf8');
      const kilobytes = /VmRSS:\s+(\d+) kB/.exec(status)?.[1];
      return kilobytes ? Number(kilobytes) * 1_024 : null;
    } catch {
      return null;
    }
  }
}

/** The running system: two fetchers for each chain, three workers, two APIs. */
export class Crew {
  readonly posts: Post[] = [];
  /** Processes that ended by themselves without a reason to: none may. */
  readonly deserters: string[] = [];
  /** Fetchers that refused to start because an endpoint showed another chain, as documented (exit code 2). */
  refusals = 0;
  private readonly succeeding = new Set<Promise<void>>();

  constructor(
    private readonly system: System,
    private readonly world: World,
  ) {
    for (const { chain, endpoints } of world.chains) {
      const urls = endpoints.map(({ server }) => server.url);
      for (const [i, name] of ['a', 'b'].entries()) {
        const RPC_URLS = (i ? urls.toReversed() : urls).join();
        this.post(`fetcher ${chain.chainId}${name}`, 'fetcher', {
          CHAIN_ID: String(chain.chainId),
          RPC_URLS,
        });
      }
    }
    for (const n of [1, 2, 3]) this.post(`worker ${n}`, 'worker', {});
    for (const n of [1, 2]) this.post(`api ${n}`, 'api', {});
  }

  async start(): Promise<void> {
    await Promise.all(this.posts.map((post) => post.start()));
  }

  /** Resolves when every post that a refusal left empty is filled again. */
  async complete(): Promise<void> {
    await Promise.all(this.succeeding);
  }

  /** A post of a role that nothing is being done to. */
  async take(role: Role, draw: (n: number) => number): Promise<Post> {
    return until(`a ${role} that nothing is being done to`, () => {
      const free = this.posts.filter((post) => post.role === role && !post.busy && post.process);
      return free.length > 0 && free[draw(free.length)];
    });
  }

  /** Addresses of the APIs that are up. */
  get apis(): string[] {
    return this.posts.flatMap((post) => (post.url && !post.busy ? [post.url] : []));
  }

  private post(name: string, role: Role, env: Record<string, string>): void {
    const { broker, database } = this.world.wires[role];
    const all = {
      ...env,
      RABBITMQ_URL: broker.through(this.world.rabbit.url),
      DATABASE_URL: database.through(this.system.databaseUrl),
    };
    const launch = async () => {
      if (role === 'api') return this.system.startApi(all);
      return { process: await this.system.start(role, all), url: null };
    };
    this.posts.push(new Post(name, role, launch, (post, output) => this.left(post, output)));
  }

  private left(post: Post, output: string): void {
    if (!/is of chain .*\(ended with exit code 2\)/s.test(output.slice(-600))) {
      this.deserters.push(`${post.name} ended by itself: ${output.slice(-600)}`);
      return;
    }
    this.refusals++;
    const succeeded = post.replace(1_000).finally(() => this.succeeding.delete(succeeded));
    this.succeeding.add(succeeded);
  }
}
