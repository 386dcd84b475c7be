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
    await this.fetcher.untilOutput(/leading, term/, 60_000);
  }

  /** Ends the fetcher as a crash would. */
  async kill(): Promise<void> {
    await this.fetcher?.end('SIGKILL');
    this.fetcher = null;
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
      `select last_processed_block as last from chain where chain_id = ${CHAIN_ID}`,
    );
    return last === null ? null : Number(last);
  }

  /** Contracts that are no longer followed. */
  async retired(): Promise<string[]> {
    const rows = await query<{ address: string }>(
      this.simulation.system.databaseUrl,
      "select '0x' || encode(address, 'hex') as address from source where retired_at is not null",
    );
    return rows.map(({ address }) => address);
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

const OTHER_CHAIN = CHAIN_ID + 1;

/** Another chain, followed by a fetcher of its own. */
async function followOther(simulation: Simulation) {
  const { system } = simulation;
  const { chain, miner } = await simulation.followOther(OTHER_CHAIN, 200);
  const followed = () => system.untilCovered(OTHER_CHAIN, 1, () => chain.head);
  await followed();
  return {
    /** Its term, once all of it is stored. */
    async term(): Promise<string> {
      miner.stop();
      await followed();
      const [lane] = await query<{ term: string }>(
        system.databaseUrl,
        `select term from chain_lane where chain_id = ${OTHER_CHAIN}`,
      );
      return lane!.term;
    },
  };
}

interface ShownChain {
  readonly lastProcessedBlock: number;
  readonly sources: readonly {
    readonly state: string;
    readonly coverage: readonly { readonly to: number }[];
    readonly lastProcessedBlock: number | null;
    readonly countedFrom: number | null;
    readonly backfill: { readonly progress: number; readonly etaSeconds: number | null };
  }[];
}

/** How an API shows the chain. */
async function shownChain(url: string): Promise<ShownChain> {
  const response = await fetch(`${url}/api/chains/${CHAIN_ID}`);
  return (await response.json()) as ShownChain;
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

test('lastProcessedBlock keeps its place when the start block is moved, and counts from the new one once enough is stored', async () => {
  const ledger = await LedgerFixture.create(inject('postgresUrl'));
  closing.push(() => ledger.close());
  const counted = async () => {
    const [row] = await query<{ last: string | null; from: string | null }>(
      ledger.url,
      'select last_processed_block as last, counted_from as from from chain join source using (chain_id)',
    );
    return [row!.from, row!.last];
  };
  const startAt = async (startBlock: number) => {
    await query(ledger.url, "update chain_lane set expires_at = '-infinity'");
    const source = { address: ADDRESS, event: 'SocketBridge', startBlock };
    const claim = { chainId: LEDGER_CHAIN, chainName: 'Test', holder: String(startBlock), sources: [source] };
    await takeOver(ledger.database, claim);
    return counted();
  };
  expect(await startAt(100)).toEqual(['100', null]);
  await ledger.history(100, 200, []);
  expect(await startAt(150)).toEqual(['150', '200']);
  expect(await startAt(50)).toEqual(['150', '200']);
  await ledger.history(50, 80, []);
  expect(await counted()).toEqual(['150', '200']);
  await ledger.history(81, 99, []);
  expect(await counted()).toEqual(['50', '200']);
  // from there on nothing is stored
  expect(await startAt(300)).toEqual(['300', null]);
  expect(await startAt(100)).toEqual(['100', '200']);
});

test('what is added while the system runs has its news at once and its own progress; lastProcessedBlock goes on, and other chains are not touched', async () => {
  const operated = await Operated.start({ seed: 'added while it runs', head: 12_000 });
  const { simulation } = operated;
  const { system, chain } = simulation;
  const other = await followOther(simulation);
  await operated.configure({});
  await operated.untilCovered({ [GATEWAY]: 1 });
  const { url } = await system.startApi();
  const before = await operated.lastProcessed();

  await operated.configure({
    CONTRACT_ADDRESSES: BOTH,
    EVENTS: 'SocketBridge,SocketSwapTokens',
    BATCH_SIZE: '100',
    RPC_MAX_RPS: '60',
  });
  const added = await until('the history of what was added to be under way', async () => {
    const shown = await shownChain(url);
    const filling = shown.sources.filter((source) => source.state === 'filling');
    return (
      filling.length === 3 && filling.every((s) => s.backfill.progress > 0 && s.backfill.etaSeconds) && shown
    );
  });
  expect(added.sources.map(({ state, countedFrom }) => `${state} from ${countedFrom}`)).toEqual([
    'complete from 1',
    ...Array(3).fill('filling from null'),
  ]);
  const { head } = chain;
  const news = await until('news of all, while their history is under way', async () => {
    const shown = await shownChain(url);
    const atTip = shown.sources.every(({ coverage }) => coverage.at(-1)!.to >= head);
    return atTip && shown.lastProcessedBlock >= head && shown;
  });
  expect(news.sources.map((source) => source.state)).toEqual(['complete', 'filling', 'filling', 'filling']);
  expect(added.lastProcessedBlock).toBeGreaterThanOrEqual(before!);
  expect(news.sources.at(-1)!.lastProcessedBlock ?? 0).toBeLessThan(head);

  await operated.untilCovered({ [GATEWAY]: 1, [STAGING_GATEWAY]: 1 });
  await system.untilCovered(CHAIN_ID, 1, () => chain.head);
  const { sources } = await shownChain(url);
  expect(sources.map(({ state, countedFrom }) => `${state} from ${countedFrom}`)).toEqual(
    Array(4).fill('complete from 1'),
  );
  await simulation.expectTableEqualsChain();
  await simulation.expectTableEqualsChain(1, STAGING_GATEWAY);
  expect(await other.term()).toBe('1');
}, 240_000);

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
  expect(await operated.retired()).toEqual([STAGING_GATEWAY]);

  const last = await operated.lastProcessed();
  await operated.configure({ CONTRACT_ADDRESSES: BOTH });
  expect(await operated.lastProcessed()).toBeGreaterThanOrEqual(last!);
  await operated.untilCovered({ [GATEWAY]: 1, [STAGING_GATEWAY]: 1 });
  expect(await operated.retired()).toEqual([]);
  expect(operated.rangesAsked().filter(({ from }) => from < 2_500)).toEqual([]);
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

test('a standby with other settings changes nothing while another leads, and says so; once it leads, what it does not follow is retired until the other is back', async () => {
  const operated = await Operated.start({ seed: 'standby', head: 300 });
  const { simulation } = operated;
  const { chain, system } = simulation;
  await operated.configure({ CONTRACT_ADDRESSES: BOTH });
  await operated.untilCovered({ [GATEWAY]: 1, [STAGING_GATEWAY]: 1 });
  const state = () =>
    query(
      system.databaseUrl,
      `select term, holder, (select array_agg(array[encode(address, 'hex'), start_block::text, retired_at::text, counted_from::text] order by id)
         from source) as sources from chain_lane`,
    );
  const before = await state();
  const standby = await system.start('fetcher', { CONTRACT_ADDRESSES: GATEWAY, START_BLOCK: '5' });
  await standby.untilOutput(
    new RegExp(
      `the leading fetcher has other settings.*not SocketBridge@${STAGING_GATEWAY}.* from block 5 on`,
    ),
    60_000,
  );
  const later = chain.head + 50;
  await until('fifty more blocks', async () => ((await operated.lastProcessed()) ?? 0) > later);
  expect(await state()).toEqual(before);

  const last = await operated.lastProcessed();
  await operated.kill();
  await standby.untilOutput(/leading, term/, 60_000);
  expect(await operated.retired()).toEqual([STAGING_GATEWAY]);
  expect(await operated.lastProcessed()).toBeGreaterThanOrEqual(last!);
  await simulation.untilTipFollowed();
  await standby.end('SIGTERM');
  await operated.configure({ CONTRACT_ADDRESSES: BOTH });
  expect(await operated.retired()).toEqual([]);
  await operated.untilCovered({ [GATEWAY]: 1, [STAGING_GATEWAY]: 1 });
  await simulation.expectTableEqualsChain(1, STAGING_GATEWAY);
}, 180_000);
