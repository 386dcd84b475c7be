import { fileURLToPath } from 'node:url';
import { spawnOwned } from '#apps/local/owned-process.js';
import { connectRabbit } from '#libs/broker/rabbit.js';
import type { Database } from '#libs/database/database.js';
import { createLogger } from '#libs/telemetry/logger.js';
import { writeNews } from './news-writer.js';
import type { StreamFigures } from './stream-clients.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const START_PATIENCE_MS = 300_000;
const SAMPLE_MS = 1_000;

/** What is tried. */
export interface SubscribersBench {
  readonly subscribers: number;
  /** Events per second. */
  readonly rate: number;
  readonly minutes: number;
  readonly databaseUrl: string;
  readonly rabbitmqUrl: string;
}

/**
 * One API process, subscribers in another, and statements stored as fast as asked for; prints what the subscribers saw and what
 * the API needed.
 */
export async function benchSubscribers(database: Database, bench: SubscribersBench): Promise<void> {
  const { subscribers, rate, minutes, databaseUrl, rabbitmqUrl } = bench;
  const prefix = `bench-${process.pid}`;
  const env = {
    PATH: process.env.PATH,
    DATABASE_URL: databaseUrl,
    RABBITMQ_URL: rabbitmqUrl,
    QUEUE_PREFIX: prefix,
    PORT: '0',
    // one machine is all clients
    MAX_CONNECTIONS_PER_CLIENT: String(subscribers + 100),
    MAX_SUBSCRIPTIONS_PER_CLIENT: String(subscribers + 100),
    REQUESTS_PER_SECOND: '100000',
    NODE_OPTIONS: process.env.NODE_OPTIONS,
  };
  const api = await spawnOwned(process.execPath, [`${root}dist/apps/api/main.js`], { cwd: root, env });
  const [url] = await api.untilOutput(/http:\/\/127\.0\.0\.1:\d+/, START_PATIENCE_MS);
  const main = `${root}dist/scripts/bench.js`;
  const clientArgs = [main, 'subscriber-clients', '--url', url, '--subscribers', String(subscribers)];
  const clients = await spawnOwned(process.execPath, [...clientArgs, '--database', databaseUrl], { env });
  const logger = createLogger('bench', 'warn');
  const broker = await connectRabbit({ url: rabbitmqUrl, prefix, logger, name: 'bench' });
  await clients.untilOutput(/^ready$/m, START_PATIENCE_MS);
  const usage = new Usage(url);
  await usage.begin();
  await writeNews(database, broker, { rate, seconds: minutes * 60 });
  const needed = await usage.end();
  process.kill(clients.pid, 'SIGUSR2');
  const [line] = await clients.untilOutput(/^\{.*\}$/m, START_PATIENCE_MS);
  print(bench, JSON.parse(line) as StreamFigures, needed);
  await clients.end('SIGKILL');
  await broker.close();
  await api.end('SIGTERM');
}

function print(bench: SubscribersBench, figures: StreamFigures, needed: Needed): void {
  const { subscribers, rate, minutes } = bench;
  const ms = (value: number) => `${Math.round(value)} ms`;
  const lines = [
    `${subscribers} subscribers, ${rate} events/s, ${minutes} min`,
    `whole            ${figures.whole} of ${subscribers} (lost ${figures.lost}, repeated ${figures.repeated}, closed ${figures.closed})`,
    `messages         ${(figures.messages / needed.seconds).toFixed(0)}/s, ${(figures.messages / needed.seconds / subscribers).toFixed(2)}/s each`,
    `commit to client p50 ${ms(figures.p50)}, p99 ${ms(figures.p99)}, worst ${ms(figures.worst)}`,
    `API              RSS max ${needed.rssMegabytes.toFixed(0)} MB, CPU ${needed.cpuPercent.toFixed(0)} % of a core`,
    `one that stopped reading: closed by ${figures.stopped.closeCode ?? 'nothing'}, whole after it came back: ${figures.stopped.whole}`,
    '',
  ];
  process.stdout.write(lines.join('\n'));
}

interface Needed {
  readonly seconds: number;
  readonly rssMegabytes: number;
  readonly cpuPercent: number;
}

/** What the API's process needs, by its own metrics. */
class Usage {
  private rss = 0;
  private cpu = 0;
  private at = 0;
  private timer: NodeJS.Timeout | null = null;

  constructor(private readonly url: string) {}

  async begin(): Promise<void> {
    this.at = performance.now();
    this.cpu = (await this.sample()).cpu;
    this.timer = setInterval(() => void this.sample().catch(() => {}), SAMPLE_MS);
  }

  async end(): Promise<Needed> {
    if (this.timer) clearInterval(this.timer);
    const { cpu } = await this.sample();
    const seconds = (performance.now() - this.at) / 1_000;
    return { seconds, rssMegabytes: this.rss / 1e6, cpuPercent: ((cpu - this.cpu) / seconds) * 100 };
  }

  private async sample(): Promise<{ cpu: number }> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    const value = (name: string) => Number(new RegExp(`^event_monitor_${name} (\\S+)`, 'm').exec(text)?.[1]);
    this.rss = Math.max(this.rss, value('process_resident_memory_bytes'));
    return { cpu: value('process_cpu_seconds_total') };
  }
}
