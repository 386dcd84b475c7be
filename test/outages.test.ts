import { afterEach, describe, expect, inject, test } from 'vitest';
import { connectRabbit } from '#libs/broker/rabbit.js';
import { silent } from './services/broker-bench.js';
import { Simulation } from './services/simulation.js';
import type { SystemProcess } from './services/system.js';
import { until } from './services/until.js';
import { Wire } from './services/wire.js';

/**
 * How long things are away. The limits hold for a minute: with OUTAGE_SECONDS=60 each is away for as long, and all together, in the
 * history and while live. The default is short, and shows what isn't bounded at all.
 */
const OUTAGE_SECONDS = Number(process.env.OUTAGE_SECONDS ?? 12);
const isFull = OUTAGE_SECONDS >= 60;
const LINES_PER_OUTAGE = 10;
const REQUESTS_PER_MINUTE = 30;
/** Requests to what is away come ever more rarely: the first seconds have more than their share. */
const allowedRequests = Math.max(REQUESTS_PER_MINUTE / 2, (REQUESTS_PER_MINUTE * OUTAGE_SECONDS) / 60);

const closing: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const wireNames = ['rpc', 'rabbitmq', 'postgres'] as const;
type WireName = (typeof wireNames)[number];

/** What is away, and how. */
type Away = Readonly<Partial<Record<WireName, 'answers errors' | 'drops connections'>>>;

/** A fetcher, a worker and an API behind ways to their servers that can be cut. */
class Outages {
  private constructor(
    readonly simulation: Simulation,
    private readonly wires: Readonly<Record<WireName, Wire>>,
    private readonly processes: Readonly<Record<string, SystemProcess>>,
  ) {}

  static async start(seed: string, head: number): Promise<Outages> {
    const [postgres, rabbitmq] = await Promise.all([
      Wire.to(inject('postgresUrl')),
      Wire.to(inject('rabbitmqUrl')),
    ]);
    const simulation = await Simulation.start({
      seed,
      head,
      chain: { eventsPerBlock: 0.2 },
      provider: { maxRange: 300 },
      rabbitmqUrl: rabbitmq.through(inject('rabbitmqUrl')),
    });
    const { system } = simulation;
    const rpc = await Wire.to(simulation.rpc.url);
    closing.push(
      () => Promise.all([rpc.cut(), rabbitmq.cut(), postgres.cut()]),
      () => simulation.stop(),
    );
    const env = {
      RPC_URLS: rpc.through(simulation.rpc.url),
      DATABASE_URL: postgres.through(system.databaseUrl),
    };
    const [fetcher, worker, api] = await Promise.all([
      system.start('fetcher', env),
      system.start('worker', env),
      system.start('api', { ...env, PORT: '0' }),
    ]);
    return new Outages(simulation, { rpc, rabbitmq, postgres }, { fetcher, worker, api });
  }

  /** Takes things away for a time and brings them back. @returns figures that broke the limits. */
  async away(what: Away): Promise<string[]> {
    const { wires } = this;
    const { rpc } = this.simulation;
    const { answering } = rpc;
    const asked = (name: WireName) => wires[name].attempts + (name === 'rpc' ? rpc.requests.length : 0);
    const gone = wireNames.filter((name) => what[name]);
    const before = new Map(gone.map((name) => [name, asked(name)]));
    const since = new Date().toISOString();
    for (const name of gone) {
      if (what[name] === 'answers errors') rpc.answering = () => ({ status: 503, body: '' });
      else wires[name].drop();
    }
    await new Promise((resolve) => setTimeout(resolve, OUTAGE_SECONDS * 1_000));
    const requests = gone.map((name) => [name, asked(name) - before.get(name)!] as const);
    const lines = Object.entries(this.processes).map(
      ([name, { output }]) => [name, linesSince(output(), since)] as const,
    );
    rpc.answering = answering;
    await Promise.all(gone.map((name) => wires[name].mend()));
    const counts = (of: readonly (readonly [string, number])[]) => of.map((one) => one.join(' ')).join(', ');
    console.info(
      `away for ${OUTAGE_SECONDS} s: requests to ${counts(requests)}; lines of ${counts(lines.map(([name, said]) => [name, said.length]))}`,
    );
    return [
      ...requests.flatMap(([name, n]) =>
        name === 'rpc' && n > allowedRequests ? [`${n} requests to the RPC`] : [],
      ),
      ...lines.flatMap(([name, said]) =>
        said.length > LINES_PER_OUTAGE ? [`${name}:\n${said.join('\n')}`] : [],
      ),
    ];
  }

  /** Waits until all processes, none of which was started again, are ready. */
  async untilReady(): Promise<void> {
    for (const [name, process] of Object.entries(this.processes)) {
      const [url] = await process.untilOutput(/http:\/\/127\.0\.0\.1:\d+/, 60_000);
      await until(`${name} to be ready`, async () => (await fetch(`${url}/readyz`)).status === 200);
    }
  }

  async deadLetters(): Promise<number> {
    const url = inject('rabbitmqUrl');
    const broker = await connectRabbit({
      url,
      prefix: this.simulation.system.queuePrefix,
      logger: silent,
      name: 'test',
    });
    const depth = await broker.depth({ lane: 'dead' });
    await broker.close();
    return depth;
  }
}

/** Lines of a log from a moment on. */
function linesSince(output: string, since: string): string[] {
  return output.split('\n').filter((line) => (/"time":"([^"]+)"/.exec(line)?.[1] ?? '') >= since);
}

describe('what is away is asked for rarely, told in a few lines, and when it is back all goes on by itself and nothing is missing', () => {
  const drops = 'drops connections';
  const inTurn: Away[] = [{ rpc: 'answers errors' }, { rabbitmq: drops }, { postgres: drops }];
  const together: Away = { rpc: drops, rabbitmq: drops, postgres: drops };
  const all: Away[] = [...inTurn, { rpc: drops }, together];

  test('in the history: RPC, RabbitMQ and Postgres together', async () => {
    const outages = await Outages.start('history', isFull ? 200_000 : 30_000);
    const { simulation } = outages;
    for (const what of isFull ? all : [together]) {
      await simulation.untilRows((await simulation.rows()) + 500);
      expect(await outages.away(what)).toEqual([]);
      expect(await simulation.rows()).toBeLessThan(simulation.chain.head * 0.15);
      await outages.untilReady();
    }
    expect(await simulation.expectTableEqualsChain()).toBeGreaterThan(5_000);
    expect(await outages.deadLetters()).toBe(0);
  }, 900_000);

  test('while live: each in turn', async () => {
    const outages = await Outages.start('live', 600);
    const { simulation } = outages;
    await simulation.untilRows(100);
    for (const what of isFull ? all : inTurn) {
      expect(await outages.away(what)).toEqual([]);
      // a tip that stands is followed however slow the machine is
      simulation.miner.stop();
      simulation.chain.reorg({ depth: 3 });
      await simulation.untilTipFollowed();
      await outages.untilReady();
      simulation.miner.start();
    }
    expect(await simulation.expectTableEqualsChain()).toBeGreaterThan(100);
    expect(await outages.deadLetters()).toBe(0);
  }, 900_000);
});
