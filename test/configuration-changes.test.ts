import { pino } from 'pino';
import { afterEach, expect, inject, test } from 'vitest';
import { ProgressWatch } from '#apps/api/reads/progress.js';
import { STAGING_GATEWAY } from '#apps/devchain/socket-gateway.js';
import { chainStatuses } from '#libs/database/chain-status.js';
import { Database } from '#libs/database/database.js';
import { takeOver } from '#libs/database/ledger.js';
import { coverageOf, type SourceCoverage } from './independent-reader.js';
import { ADDRESS, CHAIN_ID as LEDGER_CHAIN, LedgerFixture } from './services/ledger-fixture.js';
import { query } from './services/query.js';
import { CHAIN_ID, GATEWAY, Simulation, type SimulationOptions } from './services/simulation.js';
import type { SystemProcess } from './services/system.js';
import { until } from './services/until.js';

const BOTH = `${GATEWAY},${STAGING_GATEWAY}`;
const closing: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A system whose fetcher is started anew with other settings. */
class Operated {
  private fetcher: SystemProcess | null = null;

  private constructor(readonly simulation: Simulation) {}

  static async start(options: SimulationOptions): Promise<Operated> {
    const simulation = await Simulation.start(options);
    closing.push(() => simulation.stop());
    await simulation.system.start('worker');
    return new Operated(simulation);
  }

  /** Stops the fetcher and starts it with these settings; resolves when it leads. What the RPC was asked before is forgotten. */
  async configure(env: Record<string, string>): Promise<void> {
    await this.fetcher?.end('SIGTERM');
    this.simulation.rpc.requests.length = 0;
    this.fetcher = await this.simulation.system.start('fetcher', env);
    await this.fetcher.untilOutput(/leading/, 60_000);
  }

  /** Waits until each contract is covered without holes from its block to the chain's head, and everything else has caught up. */
  async untilCovered(from: Record<string, number>): Promise<void> {
    await until(`coverage ${JSON.stringify(from)}`, async () => {
      const sources = await this.sources();
      const { head } = this.simulation.chain;
      const covered = ([address, block]: [string, number]) =>
        sources.get(address.toLowerCase())?.ranges.some(([a, b]) => a <= block && b >= head);
      return Object.entries(from).every(covered) && (await this.lastProcessed()) === head;
    });
  }

  async sources(): Promise<Map<string, SourceCoverage>> {
    const ledger = { databaseUrl: this.simulation.system.databaseUrl, chainId: CHAIN_ID };
    return new Map((await coverageOf(ledger)).map((source) => [source.address, source]));
  }

  async lastProcessed(): Promise<number | null> {
    const { last } = await this.simulation.one<{ last: string | null }>(
      'select last_processed_block as last from chain',
    );
    return last === null ? null : Number(last);
  }

  /** Rows of a contract below a block. */
  async rowsBelow(block: number, address = GATEWAY): Promise<number> {
    const [row] = await query<{ n: string }>(
      this.simulation.system.databaseUrl,
      'select count(*) as n from socket_bridge_event where block_number < $1 and address = $2',
      [block, Buffer.from(address.slice(2), 'hex')],
    );
    return Number(row!.n);
  }

  /** Ranges whose logs the fetcher asked for since it was configured, and of which contracts. */
  rangesAsked(): { from: number; to: number; addresses: string[] }[] {
    return this.simulation.rpc
      .calls('eth_getLogs')
      .map(({ params }) => params[0] as { fromBlock?: string; toBlock?: string; address: string | string[] })
      .filter((filter) => filter.fromBlock !== undefined)
      .map(({ fromBlock, toBlock, address }) => {
        return { from: Number(fromBlock), to: Number(toBlock), addresses: [address].flat() };
      });
  }

  /** Share of the wanted history that is stored, as the API tells it. */
  async progress(): Promise<number> {
    const database = Database.open(this.simulation.system.databaseUrl);
    try {
      const [status] = await chainStatuses(database.statements);
      return new ProgressWatch(database, pino({ level: 'silent' })).progressOf(status!).fraction;
    } finally {
      await database.close();
    }
  }
}

test('a lower START_BLOCK fills the older blocks only; a higher one keeps what is stored', async () => {
  const operated = await Operated.start({ seed: 'start block', head: 6_000 });
  const { simulation } = operated;
  await operated.configure({ START_BLOCK: '3000' });
  await operated.untilCovered({ [GATEWAY]: 3_000 });

  await operated.configure({ START_BLOCK: '1000' });
  await operated.untilCovered({ [GATEWAY]: 1_000 });
  // what has just become final is looked at a second time where nothing else proves it empty
  const refetched = operated.rangesAsked().filter(({ from, to }) => to >= 3_000 && from < 5_900);
  expect(Math.min(...operated.rangesAsked().map(({ from }) => from))).toBe(1_000);
  expect(refetched).toEqual([]);

  const below = await operated.rowsBelow(4_500);
  expect(below).toBeGreaterThan(1_000);
  await operated.configure({ START_BLOCK: '4500' });
  await simulation.untilTipFollowed();
  await operated.untilCovered({ [GATEWAY]: 1_000 });
  expect(operated.rangesAsked().filter(({ from }) => from < 5_900)).toEqual([]);
  expect(await operated.rowsBelow(4_500)).toBe(below);
  expect(await operated.progress()).toBe(1);
  await simulation.expectTableEqualsChain(1_000);
}, 180_000);

test('lastProcessedBlock follows a moved start block at once, without a worker', async () => {
  const ledger = await LedgerFixture.create(inject('postgresUrl'));
  closing.push(() => ledger.close());
  const startAt = async (startBlock: number) => {
    await query(ledger.url, "update chain_lane set expires_at = '-infinity'");
    const source = { address: ADDRESS, event: 'SocketBridge', startBlock };
    const claim = { chainId: LEDGER_CHAIN, chainName: 'Test', holder: String(startBlock), sources: [source] };
    await takeOver(ledger.database, claim);
    const [chain] = await query<{ last: string | null }>(
      ledger.url,
      'select last_processed_block as last from chain',
    );
    return chain!.last;
  };
  expect(await startAt(100)).toBe(null);
  await ledger.history(100, 200, []);
  expect(await startAt(150)).toBe('200');
  expect(await startAt(50)).toBe(null);
  await ledger.history(50, 80, []);
  expect(await startAt(60)).toBe('80');
  expect(await startAt(100)).toBe('200');
});

test('a contract that is added gets its history and the unfinalized blocks; removed it keeps its rows; added again it gets what it missed', async () => {
  const operated = await Operated.start({
    seed: 'contracts',
    head: 3_000,
    chain: { finalityDepth: 400, eventsPerBlock: 2 },
  });
  const { simulation } = operated;
  const { chain } = simulation;
  await operated.configure({ CONTRACT_ADDRESSES: GATEWAY });
  await operated.untilCovered({ [GATEWAY]: 1 });

  await operated.configure({ CONTRACT_ADDRESSES: BOTH });
  await operated.untilCovered({ [GATEWAY]: 1, [STAGING_GATEWAY]: 1 });
  // history ends at 2,600; what has become final since is looked at a second time, for all contracts
  const history = operated.rangesAsked().filter(({ from }) => from < 2_600);
  expect(history.length).toBeGreaterThan(0);
  expect(history.flatMap((range) => range.addresses)).not.toContain(GATEWAY.toLowerCase());
  const rows = await operated.rowsBelow(chain.head, STAGING_GATEWAY);
  expect(rows).toBeGreaterThan(10);

  await operated.configure({ CONTRACT_ADDRESSES: GATEWAY });
  chain.reorg({ depth: 5 });
  chain.mine(900);
  await operated.untilCovered({ [GATEWAY]: 1 });
  const { ranges } = (await operated.sources()).get(STAGING_GATEWAY)!;
  expect(ranges.at(-1)![1]).toBeLessThan(chain.head - 800);
  expect(await operated.rowsBelow(2_500, STAGING_GATEWAY)).toBeGreaterThan(10);

  await operated.configure({ CONTRACT_ADDRESSES: BOTH });
  await operated.untilCovered({ [GATEWAY]: 1, [STAGING_GATEWAY]: 1 });
  expect(await operated.rowsBelow(chain.head, STAGING_GATEWAY)).toBeGreaterThan(rows);
  await simulation.expectTableEqualsChain(1, STAGING_GATEWAY);
  await simulation.expectTableEqualsChain();
}, 180_000);

test('a contract that is added takes no row of another away, however many unfinalized blocks are stated again', async () => {
  const operated = await Operated.start({
    seed: 'added',
    head: 1_500,
    chain: { finalityDepth: 700, eventsPerBlock: 2 },
  });
  const { system } = operated.simulation;
  await operated.configure({ CONTRACT_ADDRESSES: GATEWAY });
  await operated.untilCovered({ [GATEWAY]: 1 });
  await operated.configure({ CONTRACT_ADDRESSES: BOTH });
  await operated.untilCovered({ [GATEWAY]: 1, [STAGING_GATEWAY]: 1 });
  const [unfinalized] = await query<{ n: string }>(
    system.databaseUrl,
    `select count(*) as n from socket_bridge_event join chain using (chain_id)
     where block_number > finalized_block and address = $1`,
    [Buffer.from(STAGING_GATEWAY.slice(2), 'hex')],
  );
  expect(Number(unfinalized!.n)).toBeGreaterThan(10);
  const touched = await query(
    system.databaseUrl,
    'select block_number, revision from socket_bridge_event where revision > 0',
  );
  expect(touched).toEqual([]);
  await operated.simulation.expectTableEqualsChain();
  await operated.simulation.expectTableEqualsChain(1, STAGING_GATEWAY);
}, 180_000);

test('START_BLOCK=latest begins at the final block of the first start and stays there; a contract added later begins later', async () => {
  const operated = await Operated.start({ seed: 'latest', head: 500 });
  const { chain } = operated.simulation;
  await operated.configure({ START_BLOCK: 'latest' });
  const first = (await operated.sources()).get(GATEWAY.toLowerCase())!.startBlock;
  expect(first).toBeGreaterThanOrEqual(480);
  await operated.untilCovered({ [GATEWAY]: first });

  chain.mine(100);
  await operated.configure({ START_BLOCK: 'latest', CONTRACT_ADDRESSES: BOTH });
  const sources = await operated.sources();
  const second = sources.get(STAGING_GATEWAY)!.startBlock;
  expect(sources.get(GATEWAY.toLowerCase())!.startBlock).toBe(first);
  expect(second).toBeGreaterThanOrEqual(first + 100);
  await operated.untilCovered({ [GATEWAY]: first, [STAGING_GATEWAY]: second });
}, 120_000);
