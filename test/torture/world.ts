import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import amqp from 'amqplib';
import { SimulatedChain } from '#apps/devchain/chain.js';
import { Faults } from '#apps/devchain/faults.js';
import { Miner } from '#apps/devchain/miner.js';
import { type DevchainServer, startDevchainServer } from '#apps/devchain/server.js';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '#apps/local/embedded-postgres.js';
import { type RabbitMqNode, startRabbitMq } from '../services/rabbitmq.js';
import { Wire } from '../services/wire.js';

/** The contract whose events are followed. */
export const GATEWAY = '0x3a23f943181408eac424116af7b7790c94cb97a5';

/** The events that are followed: one of many rows, another often in the same transaction, and a rare one with indexed arguments. */
export const EVENTS = ['SocketBridge', 'SocketSwapTokens', 'NewRouteAdded'] as const;

const CHAINS = [
  { chainId: 1337, blockTimeMs: 150 },
  { chainId: 1338, blockTimeMs: 250 },
];
/** Two endpoints each: a fault of one is no fault of the other. */
const ENDPOINTS = 2;
const EVENTS_PER_BLOCK = 0.6;
/** For each minute of faults: the history takes about half of it. */
const HISTORY_BLOCKS = 10_000;
/** Mean number of blocks between reorgs, besides those of the schedule. */
const REORG_EVERY = 6;
/** Below what the system asks for at first: it must find them. */
const LIMITS = { maxRange: 40, maxResults: 18 };
const POSTGRES = { max_connections: '300', fsync: 'off', full_page_writes: 'off' };

/**
 * RabbitMQ 3.10 that is killed soon after queues were declared may lose them for good (docs/operations.md): two of six runs on a busy
 * machine. That is no fault of the system, and would leave a run without a broker: it is killed only this long after they were deleted.
 */
const SETTLED_MS = 10_000;

/** Processes that reach the broker and the database by wires of their own. */
export type Role = 'fetcher' | 'worker' | 'api';
const roles: readonly Role[] = ['fetcher', 'worker', 'api'];

/** A simulated chain that is being mined, served by endpoints that lie at times. */
export interface TorturedChain {
  readonly chain: SimulatedChain;
  readonly miner: Miner;
  readonly endpoints: readonly { readonly server: DevchainServer; readonly faults: Faults }[];
  /** An endpoint that tells the truth, for the judge. */
  readonly honest: DevchainServer;
}

/** What the system runs on: chains, Postgres, RabbitMQ, and the wires to them. */
export class World {
  /** Held by whoever takes a service away, so that two don't at a time. */
  private brokerBusy: Promise<unknown> = Promise.resolve();
  private postgresBusy: Promise<unknown> = Promise.resolve();

  /** When the queues were deleted last, in ms of the monotonic clock: the system declares them again. */
  private queuesDeletedAt = Number.NEGATIVE_INFINITY;

  private constructor(
    readonly chains: readonly TorturedChain[],
    readonly rabbit: RabbitMqNode,
    private postgres: EmbeddedPostgres,
    private readonly postgresDir: string,
    readonly wires: Readonly<Record<Role, { readonly broker: Wire; readonly database: Wire }>>,
  ) {}

  /** @param minutes how long the faults will last: the history is as long as that. */
  static async start(seed: number, minutes: number): Promise<World> {
    const dir = join(tmpdir(), `event-monitor-torture-${randomUUID()}`);
    const [rabbit, postgres] = await Promise.all([
      startRabbitMq(),
      startEmbeddedPostgres({ dir, settings: POSTGRES }),
    ]);
    const chains = await Promise.all(CHAINS.map((options) => startChain({ ...options, seed, minutes })));
    const wires = await Promise.all(
      roles.map(async (role) => {
        const [broker, database] = await Promise.all([Wire.to(rabbit.url), Wire.to(postgres.url)]);
        return [role, { broker, database }] as const;
      }),
    );
    return new World(chains, rabbit, postgres, dir, Object.fromEntries(wires) as World['wires']);
  }

  /** Postgres itself, past all wires. */
  get postgresUrl(): string {
    return this.postgres.url;
  }

  /** A crash of the broker; resolves when it is back. */
  crashBroker(awayMs: number): Promise<void> {
    return this.withBroker(async () => {
      await lasting(Math.max(0, this.queuesDeletedAt + SETTLED_MS - performance.now()));
      await this.rabbit.kill();
      await lasting(awayMs);
      await this.rabbit.restart();
    });
  }

  /**
   * Where the broker has lost the processes of queues (docs/testing.md), does what docs/operations.md says: restarts it and deletes them.
   * @returns whether that was needed.
   */
  async mendQueues(queues: readonly string[]): Promise<boolean> {
    const served = await Promise.all(queues.map((queue) => isServed(this.rabbit.url, queue)));
    if (!served.includes(false)) return false;
    await this.rabbit.control('stop_app');
    await this.rabbit.control('start_app');
    for (const queue of queues) await this.rabbit.control('delete_queue', queue).catch(() => {});
    return true;
  }

  /** Takes note that the queues were just deleted. */
  deletedQueues(): void {
    this.queuesDeletedAt = performance.now();
  }

  /** Does something with a broker that nobody takes away meanwhile. */
  withBroker<T>(work: () => Promise<T>): Promise<T> {
    const done = this.brokerBusy.then(work, work);
    this.brokerBusy = done.catch(() => {});
    return done;
  }

  /** A crash of the database; resolves when it is back. */
  crashPostgres(awayMs: number): Promise<void> {
    const work = async () => {
      const { port } = this.postgres;
      await this.postgres.stop('immediate');
      await lasting(awayMs);
      this.postgres = await startEmbeddedPostgres({ dir: this.postgresDir, settings: POSTGRES, port });
    };
    const done = this.postgresBusy.then(work, work);
    this.postgresBusy = done.catch(() => {});
    return done;
  }

  /** Ends every fault of this world: endpoints tell the truth, wires are whole. */
  async mend(): Promise<void> {
    for (const { endpoints } of this.chains) for (const { faults } of endpoints) faults.rates = {};
    for (const { broker, database } of Object.values(this.wires))
      await Promise.all([broker.mend(), database.mend()]);
    await Promise.all([this.brokerBusy, this.postgresBusy]);
  }

  async stop(): Promise<void> {
    for (const { miner, endpoints, honest } of this.chains) {
      miner.stop();
      await Promise.all([honest.close(), ...endpoints.map(({ server }) => server.close())]);
    }
    for (const { broker, database } of Object.values(this.wires))
      await Promise.all([broker.cut(), database.cut()]);
    await Promise.all([this.brokerBusy, this.postgresBusy]);
    await Promise.all([this.rabbit.stop(), this.postgres.stop('immediate')]);
    for (const folder of [this.postgresDir, this.postgres.dir])
      rmSync(folder, { recursive: true, force: true });
  }
}

async function startChain(options: {
  chainId: number;
  blockTimeMs: number;
  seed: number;
  minutes: number;
}): Promise<TorturedChain> {
  const { chainId, blockTimeMs, seed, minutes } = options;
  const chain = SimulatedChain.create({
    seed: `torture-${seed}-${chainId}`,
    chainId,
    blockTimeMs,
    head: Math.round(HISTORY_BLOCKS * Math.max(1, minutes)),
    eventsPerBlock: EVENTS_PER_BLOCK,
  });
  const endpoints = await Promise.all(
    Array.from({ length: ENDPOINTS }, async (_, i) => {
      const faults = new Faults(`${seed}-${chainId}-${i}`, {}, LIMITS);
      return { faults, server: await startDevchainServer({ chain, faults, maxRange: 200 }) };
    }),
  );
  const miner = new Miner(chain, { reorgEvery: REORG_EVERY });
  miner.start();
  return { chain, miner, endpoints, honest: await startDevchainServer({ chain }) };
}

/** Whether a queue can be consumed from; one that isn't there will be declared. */
async function isServed(url: string, queue: string): Promise<boolean> {
  const connection = await amqp.connect(url, { timeout: 5_000 });
  connection.on('error', () => {});
  try {
    const channel = await connection.createChannel();
    channel.on('error', () => {});
    await channel.prefetch(1);
    await channel.consume(queue, () => {});
    return true;
  } catch (error) {
    return /NOT.FOUND/.test((error as Error).message);
  } finally {
    await connection.close().catch(() => {});
  }
}

/** A fault lasts this long: its own length, not a wait for something. */
export function lasting(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
