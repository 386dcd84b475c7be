import { pino } from 'pino';
import { expect } from 'vitest';
import type { ServedChain } from '#apps/devchain/chain-view.js';
import type { Faults } from '#apps/devchain/faults.js';
import type { ProviderOptions } from '#apps/devchain/rpc-methods.js';
import { type DevchainServer, startDevchainServer } from '#apps/devchain/server.js';
import { ChainCondition } from '#apps/fetcher/chain-condition.js';
import { followChain } from '#apps/fetcher/fetcher.js';
import { Sharing } from '#apps/fetcher/sharing.js';
import { Worker } from '#apps/worker/worker.js';
import { liveLaneOf } from '#libs/broker/broker.js';
import { createInProcessBroker, type InProcessBroker } from '#libs/broker/in-process.js';
import type { ChainConfig } from '#libs/config/chain-config.js';
import { Database } from '#libs/database/database.js';
import { migrate } from '#libs/database/migrate.js';
import { eventSyntax } from '#libs/events/event-syntax.js';
import { compareTableWithChain, coverageOf, coversExactly } from '../independent-reader.js';
import { createDatabase } from './postgres.js';
import { query } from './query.js';
import { until } from './until.js';

/** An endpoint of a chain: what befalls it, and what its provider is like. */
interface EndpointOptions extends ProviderOptions {
  readonly faults?: Faults;
  /** What it serves; the followed chain by default. */
  readonly chain?: ServedChain;
}

/** How to follow a chain. */
export interface FollowOptions {
  readonly chain: ServedChain;
  /** In order of preference; one without faults by default. */
  readonly endpoints?: readonly EndpointOptions[];
  readonly config?: Partial<ChainConfig>;
}

/**
 * A chain that the real fetcher and worker follow, over real HTTP into a Postgres database of their own, with the broker that lives
 * in the process. Either can be stopped and started again; what is said meanwhile waits.
 */
export class FollowedChain {
  /** What the fetcher found, line by line. */
  readonly log: string[] = [];
  private fetching: { readonly stop: AbortController; readonly done: Promise<void> } | null = null;
  private worker: Worker | null = null;

  private constructor(
    readonly chain: ServedChain,
    readonly databaseUrl: string,
    private readonly database: Database,
    private readonly broker: InProcessBroker,
    private readonly config: ChainConfig,
    private readonly endpoints: readonly DevchainServer[],
    /** Without faults. */
    private readonly truth: DevchainServer,
    private readonly closers: (() => Promise<unknown>)[],
  ) {}

  /** Starts the endpoints, a fetcher and a worker. */
  static async start(postgresUrl: string, options: FollowOptions): Promise<FollowedChain> {
    const followed = await FollowedChain.prepare(postgresUrl, options);
    await followed.startWorker();
    followed.startFetcher();
    return followed;
  }

  /** Starts the endpoints only. */
  static async prepare(postgresUrl: string, { chain, ...options }: FollowOptions): Promise<FollowedChain> {
    const { url, drop } = await createDatabase(postgresUrl);
    const database = Database.open(url);
    await migrate(database);
    const endpoints: DevchainServer[] = [];
    for (const endpoint of options.endpoints ?? [{}])
      endpoints.push(await startDevchainServer({ chain, ...endpoint }));
    const truth = await startDevchainServer({ chain });
    const broker = createInProcessBroker({ logger: pino({ level: 'silent' }) });
    const config: ChainConfig = {
      chainId: chain.chainId,
      chainName: 'Test',
      rpcUrls: endpoints.map((endpoint) => endpoint.url),
      sources: [{ address: chain.address, event: eventSyntax.read('SocketBridge') }],
      startBlock: 1,
      rpcMaxRps: null,
      batchSize: 1_000,
      pollingIntervalMs: 20,
      confirmations: null,
      fallbackConfirmations: 20,
      stalledAfterMs: 60_000,
      finalityStalledAfterMs: 600_000,
      bloomProvesAbsence: true,
      ...options.config,
    };
    const closers = [
      ...[...endpoints, truth].map((server) => () => server.close()),
      () => broker.close(),
      () => database.close(),
      drop,
    ];
    return new FollowedChain(chain, url, database, broker, config, endpoints, truth, closers);
  }

  async startWorker(): Promise<void> {
    const { database, broker } = this;
    this.worker = await Worker.start({ database, broker, logger: pino({ level: 'silent' }) });
  }

  async stopWorker(): Promise<void> {
    await this.worker?.stop();
    this.worker = null;
  }

  startFetcher(config: Partial<ChainConfig> = {}): void {
    const stop = new AbortController();
    const logger = pino({ level: 'info' }, { write: (line: string) => void this.log.push(line) });
    const { database, broker } = this;
    const condition = new ChainCondition(this.config.chainId, this.config, logger);
    const done = followChain(
      {
        config: { ...this.config, ...config },
        database,
        broker,
        logger,
        condition,
        sharing: new Sharing(database, logger),
      },
      stop.signal,
    );
    this.fetching = { stop, done };
  }

  async stopFetcher(): Promise<void> {
    this.fetching?.stop.abort();
    await this.fetching?.done;
    this.fetching = null;
  }

  /** Stops everything and drops the database. */
  async close(): Promise<void> {
    await this.stopFetcher();
    await this.stopWorker();
    for (const close of this.closers) await close();
  }

  /** Waits until the stored tip is the chain's. */
  async untilTipFollowed(): Promise<void> {
    await until("the chain's tip to be stored", async () => {
      const [row] = await query<{ hash: string }>(
        this.databaseUrl,
        `select '0x' || encode(hash, 'hex') as hash from block order by number desc limit 1`,
      );
      return row?.hash === this.chain.block(this.chain.head)?.hash;
    });
  }

  /** Waits until this block is recorded as final. */
  async untilFinalized(height: number): Promise<void> {
    await until(`block ${height} to be final`, async () => {
      return (await this.state())?.finalized_block === String(height);
    });
  }

  /** Waits until news wait for a worker. */
  async untilWaiting(): Promise<void> {
    await until('news in the queue', () => this.broker.depth(liveLaneOf(this.chain.chainId)));
  }

  /** What a touch of any row, and any change that subscribers hear of, would change. */
  async bookkeeping(): Promise<object[]> {
    return query(
      this.databaseUrl,
      `select encode(tx_hash, 'hex') as tx, log_index, removed, revision, write_id,
         (select max(position) from feed_commit where kind = 'write') as position
       from socket_bridge_event order by tx_hash, log_index`,
    );
  }

  /** Takes an endpoint away for good. */
  async closeEndpoint(index: number): Promise<void> {
    await this.endpoints[index]!.close();
  }

  /** Whether all blocks from 1 to the head are stored. */
  async isCovered(): Promise<boolean> {
    const { chainId, head } = this.chain;
    const sources = await coverageOf({ databaseUrl: this.databaseUrl, chainId });
    return sources.length > 0 && sources.every((source) => coversExactly(source, 1, head));
  }

  /** Rows that no reorg has removed. */
  rows(): Promise<number> {
    return this.count('not removed');
  }

  /** Rows that a reorg has marked removed. */
  removedRows(): Promise<number> {
    return this.count('removed');
  }

  private async count(condition: string): Promise<number> {
    const [row] = await query<{ n: string }>(
      this.databaseUrl,
      `select count(*) as n from socket_bridge_event where ${condition}`,
    );
    return Number(row!.n);
  }

  /**
   * Waits until everything is covered up to the head, and lets the independent reader compare all rows.
   * @returns their number.
   */
  async expectTableEqualsChain(): Promise<number> {
    const { chain, databaseUrl } = this;
    const { chainId, address } = chain;
    await this.untilTipFollowed();
    await until(`coverage of blocks 1 to ${chain.head}`, () => this.isCovered());
    const range = { fromBlock: 1, toBlock: chain.head, blocksPerRequest: 500 };
    const result = await compareTableWithChain({
      databaseUrl,
      rpcUrl: this.truth.url,
      chainId,
      address,
      ...range,
    });
    expect(result.differences).toEqual([]);
    return result.rows;
  }

  /** The chain's row. */
  async state(): Promise<{ state: string; state_reason: string | null; finalized_block: string | null }> {
    const [row] = await query<Awaited<ReturnType<FollowedChain['state']>>>(
      this.databaseUrl,
      'select state, state_reason, finalized_block from chain',
    );
    return row!;
  }
}
