import { expect, inject } from 'vitest';
import { SimulatedChain } from '#apps/devchain/chain.js';
import type { ChainOptions } from '#apps/devchain/chain-state.js';
import type { Faults } from '#apps/devchain/faults.js';
import { Miner } from '#apps/devchain/miner.js';
import type { ProviderOptions } from '#apps/devchain/rpc-methods.js';
import { type DevchainServer, startDevchainServer } from '#apps/devchain/server.js';
import { type KnownEvent, knownEvents } from '../independent-events.js';
import { compareTableWithChain } from '../independent-reader.js';
import { query } from './query.js';
import type { RecordedRpc } from './recorded-rpc.js';
import { startSimulatedRpc } from './simulated-rpc.js';
import { System } from './system.js';
import { until } from './until.js';

export const CHAIN_ID = 1337;
/** The contract that the simulator's events come from. */
export const GATEWAY = '0x3a23F943181408EAC424116Af7b7790c94Cb97a5';

/** How to make a simulation; the services of the test run by default. */
export interface SimulationOptions extends Pick<ChainOptions, 'seed' | 'head'> {
  readonly chain?: Partial<ChainOptions>;
  readonly provider?: ProviderOptions;
  /** One endpoint for each of them instead of the one without faults, in this order of preference. */
  readonly faults?: readonly Faults[];
  /** Environment of the system's processes. */
  readonly env?: Record<string, string>;
  readonly postgresUrl?: string;
  readonly rabbitmqUrl?: string;
}

/** A chain that is being mined, and its RPC without faults. */
export type MinedChain = Pick<Simulation, 'chain' | 'rpc' | 'miner'>;

/** Starts a simulated chain and its RPC; who started it stops `miner` and `rpc`. */
export async function startMinedChain(
  options: ChainOptions,
  provider?: ProviderOptions,
): Promise<MinedChain> {
  const chain = SimulatedChain.create(options);
  const rpc = await startSimulatedRpc(chain, provider);
  const miner = new Miner(chain);
  miner.start();
  return { chain, rpc, miner };
}

/** A simulated chain that is being mined, its RPC without faults, and the system over a database of its own. */
export class Simulation {
  private constructor(
    readonly chain: SimulatedChain,
    readonly rpc: RecordedRpc,
    readonly miner: Miner,
    readonly system: System,
    private readonly endpoints: readonly DevchainServer[],
  ) {}

  /** Further chains in the same system. */
  private readonly others: MinedChain[] = [];

  static async start(options: SimulationOptions): Promise<Simulation> {
    const { seed, head, postgresUrl = inject('postgresUrl'), rabbitmqUrl = inject('rabbitmqUrl') } = options;
    const { faults = [], provider } = options;
    const { chain, rpc, miner } = await startMinedChain(
      { chainId: CHAIN_ID, blockTimeMs: 200, seed, head, ...options.chain },
      provider,
    );
    const endpoints = await Promise.all(
      faults.map((one) => startDevchainServer({ chain, faults: one, ...provider })),
    );
    const system = await System.create(postgresUrl, rabbitmqUrl, {
      CHAIN_ID: String(CHAIN_ID),
      RPC_URLS: (endpoints.length ? endpoints : [rpc]).map(({ url }) => url).join(','),
      CONTRACT_ADDRESSES: GATEWAY,
      START_BLOCK: '1',
      POLLING_INTERVAL_MS: '50',
      HEALTH_PORT: '0',
      ...options.env,
    });
    return new Simulation(chain, rpc, miner, system, endpoints);
  }

  /** Another chain that is being mined, followed by a fetcher of its own. */
  async followOther(
    chainId: number,
    head: number,
    { provider, env }: Pick<SimulationOptions, 'provider' | 'env'> = {},
  ): Promise<MinedChain> {
    const other = await startMinedChain({ chainId, seed: 'other', head, blockTimeMs: 300 }, provider);
    this.others.push(other);
    await this.system.start('fetcher', { CHAIN_ID: String(chainId), RPC_URLS: other.rpc.url, ...env });
    return other;
  }

  /** Ends the processes, the chains and their RPCs. */
  async stop(): Promise<void> {
    for (const { miner } of [this, ...this.others]) miner.stop();
    await this.system.stop();
    for (const endpoint of this.endpoints) await endpoint.close();
    for (const { rpc } of [this, ...this.others]) await rpc.stop();
  }

  /** The one row of a query. */
  async one<T extends object>(statement: string): Promise<T> {
    const [row] = await query<T & Record<string, unknown>>(this.system.databaseUrl, statement);
    return row!;
  }

  async rows(): Promise<number> {
    const { n } = await this.one<{ n: string }>('select count(*) as n from socket_bridge_event');
    return Number(n);
  }

  async untilRows(count: number): Promise<void> {
    await until(`${count} rows`, async () => (await this.rows()) >= count);
  }

  /** Waits until the stored tip is the chain's. */
  async untilTipFollowed(): Promise<void> {
    await until("the chain's tip to be stored", async () => {
      const row = await this.one<{ hash: string }>(
        `select '0x' || encode(hash, 'hex') as hash from block order by number desc limit 1`,
      );
      return row?.hash === this.chain.block(this.chain.head)?.hash;
    });
  }

  /**
   * Mines no more, waits until everything from `fromBlock` on is covered, and lets the independent reader compare the rows of
   * one contract's event.
   * @returns their number.
   */
  async expectTableEqualsChain(
    fromBlock = 1,
    address = GATEWAY,
    event: KnownEvent = knownEvents.SocketBridge,
  ): Promise<number> {
    const { chain, rpc, system } = this;
    this.miner.stop();
    await system.untilCovered(CHAIN_ID, fromBlock, () => chain.head);
    const result = await compareTableWithChain({
      databaseUrl: system.databaseUrl,
      rpcUrl: rpc.url,
      chainId: CHAIN_ID,
      address,
      event,
      fromBlock,
      toBlock: chain.head,
      blocksPerRequest: 300,
    });
    expect(result.differences).toEqual([]);
    return result.rows;
  }
}
