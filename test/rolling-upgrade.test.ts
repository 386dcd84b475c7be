import amqp, { type Channel } from 'amqplib';
import { afterEach, expect, inject, test } from 'vitest';
import type { DeadQueue, DelayedQueue } from '#libs/broker/broker.js';
import { queueName } from '#libs/broker/names.js';
import { CHAIN_ID, Simulation, type SimulationOptions } from './services/simulation.js';
import type { SystemProcess } from './services/system.js';
import { until } from './services/until.js';

/** A chain of the same live queue. */
const OTHER_CHAIN = CHAIN_ID + 4;
/** An event that older workers know, too; that the other chain has none of it is no matter. */
const KNOWN_EVENT = 'RouteDisabled';
const OLDER = {
  NODE_OPTIONS: `--import ${new URL('services/older-build.mjs', import.meta.url)}`,
  WITHOUT_EVENTS: 'SocketBridge',
};

const closing: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A worker and where it tells its health. */
interface Watched {
  readonly process: SystemProcess;
  readonly url: string;
}

/** A system whose workers are of two versions: older ones don't know SocketBridge. */
class Upgraded {
  private constructor(
    readonly simulation: Simulation,
    private readonly channel: Channel,
  ) {}

  static async start(options: SimulationOptions): Promise<Upgraded> {
    const simulation = await Simulation.start({ ...options, env: { STALLED_AFTER_SECONDS: '3' } });
    const connection = await amqp.connect(inject('rabbitmqUrl'));
    closing.push(
      () => simulation.stop(),
      () => connection.close(),
    );
    return new Upgraded(simulation, await connection.createChannel());
  }

  async startOlder(): Promise<Watched> {
    const process = await this.simulation.system.start('worker', OLDER);
    const [, url] = await process.untilOutput(/metrics: (http:\/\/127\.0\.0\.1:\d+)/, 60_000);
    return { process, url: url! };
  }

  /** Another chain, with an event that all workers know. @returns its head. */
  async followOther(): Promise<() => number> {
    const { chain } = await this.simulation.followOther(OTHER_CHAIN, 2_000, {
      provider: { maxRange: 100 },
      env: { EVENTS: KNOWN_EVENT },
    });
    return () => chain.head;
  }

  async depth(queue: DelayedQueue | DeadQueue): Promise<number> {
    const name = queueName(this.simulation.system.queuePrefix, queue);
    return (await this.channel.checkQueue(name)).messageCount;
  }

  async untilState(state: string, reason: RegExp): Promise<void> {
    await until(`the state ${state} ${reason}`, async () => {
      const row = await this.simulation.one<{ state: string; reason: string | null }>(
        `select state, coalesce(state_reason, '') as reason from chain where chain_id = ${CHAIN_ID}`,
      );
      return (
        (row.state === state && reason.test(row.reason ?? '')) ||
        Promise.reject(new Error(row.reason ?? row.state))
      );
    });
  }
}

async function untilUnready({ url }: Watched, reason: RegExp): Promise<void> {
  await until(`readiness to say ${reason}`, async () => {
    const response = await fetch(`${url}/readyz`);
    const body = await response.text();
    return (response.status === 503 && reason.test(body)) || Promise.reject(new Error(body));
  });
}

async function left({ url }: Watched, lane: 'history' | 'live'): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(
    text.match(`event_monitor_statements_total\\{lane="${lane}",outcome="left"\\} (\\d+)`)?.[1] ?? 0,
  );
}

test('workers of two versions: what the older ones do not know the newer ones store, in both lanes, through reorgs', async () => {
  const upgraded = await Upgraded.start({ seed: 'upgrade', head: 6_000, provider: { maxRange: 300 } });
  const { simulation } = upgraded;
  const { system, chain } = simulation;
  const older = [await upgraded.startOlder(), await upgraded.startOlder()];
  await system.start('fetcher');
  await untilUnready(
    older[0]!,
    /live\.1: messages of event SocketBridge are left for other workers \(\d+ times, the last \d+ s ago\); this one knows .*RouteDisabled/,
  );
  await system.start('worker');
  await until('older workers to leave history', async () => {
    const counts = await Promise.all(older.map((worker) => left(worker, 'history')));
    return counts.every((count) => count > 0);
  });
  for (let reorg = 1; reorg <= 3; reorg++) {
    chain.reorg({ depth: 2 + reorg });
    await simulation.untilTipFollowed();
  }
  expect(await simulation.expectTableEqualsChain()).toBeGreaterThan(2_000);
  await until('nothing to be delayed', async () => (await upgraded.depth({ lane: 'delayed' })) === 0);
  expect(await upgraded.depth({ lane: 'dead' })).toBe(0);
  // and without the newer one's help nothing of it would be there
  for (const worker of older) expect(await left(worker, 'live')).toBeGreaterThan(0);
}, 300_000);

test('what no worker knows waits and says so, the history and the news of other chains go on; once a worker knows it all is stored', async () => {
  const upgraded = await Upgraded.start({ seed: 'nobody', head: 8_000, provider: { maxRange: 300 } });
  const { simulation } = upgraded;
  const { system, chain } = simulation;
  const newer = await system.start('worker');
  await system.start('fetcher');
  await simulation.untilRows(500);
  await system.kill(newer);
  const older = [await upgraded.startOlder(), await upgraded.startOlder()];

  const head = await upgraded.followOther();
  await system.untilCovered(OTHER_CHAIN, 1, head);
  const mined = head() + 20;
  await until('news of the other chain', () => head() > mined);
  await system.untilCovered(OTHER_CHAIN, 1, head);

  await untilUnready(older[1]!, /history: messages of event SocketBridge are left for other workers/);
  expect(older[1]!.process.output()).toMatch(
    /history: messages of event SocketBridge are left for other workers/,
  );
  await upgraded.untilState(
    'stuck',
    /no worker has stored a statement .*: a worker consumes the queue and stores nothing: do they know its events\?.*\d+ messages of history wait for a worker that knows their event/,
  );
  expect(await upgraded.depth({ lane: 'dead' })).toBe(0);

  await system.start('worker');
  // the newer one gets the lane by and by, whenever the leader says its news again: once a minute by now
  await system.untilCovered(CHAIN_ID, 1, () => chain.head, 240_000);
  expect(await simulation.expectTableEqualsChain()).toBeGreaterThan(2_000);
  await upgraded.untilState('following', /^$/);
  await until('nothing to be delayed', async () => (await upgraded.depth({ lane: 'delayed' })) === 0);
  expect(await upgraded.depth({ lane: 'dead' })).toBe(0);
  expect(chain.head).toBeGreaterThan(8_000);
}, 500_000);
