import { afterEach, expect, test } from 'vitest';
import { SimulatedChain } from '#apps/devchain/chain.js';
import { compareTableWithChain } from './independent-reader.js';
import { type Change, Follower, type FollowVariables } from './services/api.js';
import { type Outcome, runBuilt } from './services/command.js';
import { ask } from './services/graphql.js';
import { query } from './services/query.js';
import { startSimulatedRpc } from './services/simulated-rpc.js';
import { CHAIN_ID, GATEWAY, Simulation } from './services/simulation.js';
import { until } from './services/until.js';

const OTHER_CHAIN = 1338;
const closing: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function start(seed: string): Promise<Simulation> {
  const simulation = await Simulation.start({ seed, head: 400 });
  closing.push(() => simulation.stop());
  return simulation;
}

function repair({ system, rpc }: Simulation, ...args: string[]): Promise<Outcome> {
  const env = { DATABASE_URL: system.databaseUrl, RPC_URLS: rpc.url };
  return runBuilt('repair', ['--chain', String(CHAIN_ID), ...args], env);
}

/** Everything that a repair could change. */
function everything({ system }: Simulation): Promise<unknown[]> {
  return query(
    system.databaseUrl,
    `select (select jsonb_agg(e order by tx_hash, log_index) from socket_bridge_event e where chain_id = ${CHAIN_ID}) as rows,
       (select term from chain_lane where chain_id = ${CHAIN_ID}) as term, finalized_block,
       (select coverage::text from source where chain_id = ${CHAIN_ID}) as coverage from chain where chain_id = ${CHAIN_ID}`,
  );
}

/** A client that folds what it hears onto what it began with: block hash by id. */
class Fold {
  readonly events = new Map<string, string>();
  readonly types = new Set<string>();
  private readonly follower: Follower;

  constructor(
    url: string,
    variables: FollowVariables,
    begin: readonly { id: string; blockHash: string }[] = [],
  ) {
    for (const { id, blockHash } of begin) this.events.set(id, blockHash);
    this.follower = new Follower(url, variables, ({ changes }) => {
      for (const change of changes) this.take(change);
    });
    closing.push(() => this.follower.close());
  }

  private take({ type, node }: Change): void {
    this.types.add(type);
    if (type === 'REMOVED') this.events.delete(node.id);
    else this.events.set(node.id, node.blockHash);
  }

  get heard(): string {
    return JSON.stringify([...this.events].sort());
  }
}

async function table({ system }: Simulation, condition = 'true'): Promise<string> {
  const rows = await query<{ id: string; hash: string }>(
    system.databaseUrl,
    `select chain_id || ':0x' || encode(tx_hash, 'hex') || ':' || log_index as id, '0x' || encode(block_hash, 'hex') as hash
     from socket_bridge_event e where not removed and chain_id = ${CHAIN_ID} and ${condition}`,
  );
  return JSON.stringify(rows.map(({ id, hash }) => [id, hash]).sort());
}

const FINAL = 'block_number <= (select finalized_block from chain c where c.chain_id = e.chain_id)';
const chainQuery = `{ chain(id: ${CHAIN_ID}) { state reason verifiedBlock finalized } }`;
type Shown = {
  chain: { state: string; reason: string | null; verifiedBlock: number | null; finalized: number };
};

test('a reorg below finality halts the chain, which says what to run; repair makes table and subscribers equal to it, other chains untouched', async () => {
  const simulation = await start('deep reorg');
  const { chain, miner, system, rpc } = simulation;
  const other = await simulation.followOther(OTHER_CHAIN, 100);
  const [, , fetcher, { url }] = await Promise.all([
    system.start('worker'),
    system.start('worker'),
    system.start('fetcher'),
    system.startApi(),
  ]);
  await system.untilCovered(CHAIN_ID, 1, () => chain.head);
  const own = { chainId: { eq: CHAIN_ID } };
  const big = { ...own, amount: { gte: '1000000000' } };
  const folds = {
    all: new Fold(url, { where: own, since: '0' }),
    final: new Fold(url, { where: own, since: '0', finality: 'FINALIZED' }),
    filtered: new Fold(url, { where: big, since: '0' }),
    'filtered and final': new Fold(url, { where: big, since: '0', finality: 'FINALIZED' }),
  };
  miner.stop();
  await system.untilCovered(CHAIN_ID, 1, () => chain.head);
  await until('all finality to be recorded', async () => {
    const { data } = await ask<Shown>(url, chainQuery);
    return data.chain.finalized === chain.finalized;
  });
  const env = { DATABASE_URL: system.databaseUrl, RPC_URLS: rpc.url };
  expect(await runBuilt('verify', ['--chain', String(CHAIN_ID)], env)).toMatchObject({ code: 0 });
  await until(
    'the final stream to equal the table',
    async () => folds.final.heard === (await table(simulation, FINAL)),
  );

  const fork = chain.reorg({ depth: 150, newHead: chain.head + 5, force: true });
  const halted = await until('the chain to be halted', async () => {
    const { data } = await ask<Shown>(url, chainQuery);
    return data.chain.state === 'halted' && data.chain;
  });
  expect(halted.reason).toMatch(
    /shows block \d+ as 0x\w+, stored as final is 0x\w+; .*npm run repair -- --chain 1337/,
  );
  const [, health] = await fetcher.untilOutput(/metrics: (http:\/\/127\.0\.0\.1:\d+)/, 60_000);
  const ready = await fetch(`${health}/readyz`);
  expect([ready.status, await ready.text()]).toEqual([
    503,
    expect.stringMatching(/chain 1337: halted: .*npm run repair -- --chain 1337/),
  ]);

  const before = await everything(simulation);
  const dry = await repair(simulation);
  expect(dry).toMatchObject({
    code: 1,
    stdout: expect.stringContaining('nothing is changed yet: run it again with --yes'),
  });
  expect(await everything(simulation)).toEqual(before);
  const { data: page } = await ask<{
    socketBridgeEvents: { asOf: string; nodes: { id: string; blockHash: string }[] };
  }>(
    url,
    `{ socketBridgeEvents(first: 1000, where: {chainId: {eq: ${CHAIN_ID}}}) { asOf nodes { id blockHash } } }`,
  );
  const { asOf, nodes } = page.socketBridgeEvents;
  const fromPage = new Fold(url, { where: own, since: asOf }, nodes);

  const { code, stdout } = await repair(simulation, '--yes');
  const common = Number(/chain still has: (\d+)/.exec(stdout)![1]);
  expect(code).toBe(0);
  expect(common).toBeGreaterThan(fork - 40);
  expect(common).toBeLessThanOrEqual(fork);
  miner.start();
  await until(
    'the chain to be followed',
    async () => (await ask<Shown>(url, chainQuery)).data.chain.state === 'following',
  );
  expect((await ask<Shown>(url, chainQuery)).data.chain.verifiedBlock).toBe(common);
  await simulation.expectTableEqualsChain();
  await until(
    'finality to pass the old one',
    async () => (await ask<Shown>(url, chainQuery)).data.chain.finalized === chain.finalized,
  );

  const bigRows = 'amount >= 1000000000';
  await until('every stream to equal the table', async () => {
    const [all, final, filtered, both] = await Promise.all(
      ['true', FINAL, bigRows, `${bigRows} and ${FINAL}`].map((condition) => table(simulation, condition)),
    );
    return (
      folds.all.heard === all &&
      fromPage.heard === all &&
      folds.final.heard === final &&
      folds.filtered.heard === filtered &&
      folds['filtered and final'].heard === both
    );
  });
  expect([...folds.final.types].sort()).toEqual(['FINALIZED', 'REMOVED']);
  const again = await repair(simulation, '--yes');
  expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('is not halted but following') });

  // the other chain: as its RPC says, and nothing of it was ever taken back
  const to = Number(
    (
      await query<{ n: string }>(
        system.databaseUrl,
        `select finalized_block as n from chain where chain_id = ${OTHER_CHAIN}`,
      )
    )[0]!.n,
  );
  const compared = {
    databaseUrl: system.databaseUrl,
    rpcUrl: other.rpc.url,
    chainId: OTHER_CHAIN,
    address: GATEWAY,
  };
  expect((await compareTableWithChain({ ...compared, fromBlock: 1, toBlock: to })).differences).toEqual([]);
  const removals = await query<{ n: string }>(
    system.databaseUrl,
    `select count(*) as n from feed_commit where chain_id = ${OTHER_CHAIN} and (rows_removed > 0 or to_block < from_block)`,
  );
  expect(removals[0]!.n).toBe('0');
}, 300_000);

test('endpoints that disagree, an RPC of a fork, and one that is away are no reason to take anything back', async () => {
  const simulation = await start('disagreement');
  const { chain, system, rpc, miner } = simulation;
  await Promise.all([system.start('worker'), system.start('fetcher')]);
  miner.stop();
  await system.untilCovered(CHAIN_ID, 1, () => chain.head);
  const old = SimulatedChain.restore(chain.state());
  const honest = await startSimulatedRpc(old);
  closing.push(() => honest.stop());
  await until('the chain to be followed, with all finality recorded', async () => {
    const row = await simulation.one<{ state: string; n: string }>(
      'select state, finalized_block as n from chain',
    );
    return row.state === 'following' && Number(row.n) === chain.finalized;
  });
  const following = await everything(simulation);
  const forked = SimulatedChain.restore(chain.state());
  forked.reorg({ depth: 150, force: true });
  const fork = await startSimulatedRpc(forked);
  closing.push(() => fork.stop());
  const refused = await repair(simulation, '--yes', '--rpc', fork.url);
  expect(refused).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/is not halted but following: .*Nothing is changed/),
  });
  expect(await everything(simulation)).toEqual(following);

  chain.reorg({ depth: 150, force: true });
  await until(
    'the chain to be halted',
    async () => (await simulation.one<{ state: string }>('select state from chain')).state === 'halted',
  );
  const before = await everything(simulation);
  const { code, stdout } = await repair(simulation, '--yes', '--rpc', `${rpc.url},${honest.url}`);
  expect(code).toBe(1);
  expect(stdout).toMatch(/the endpoints disagree about block \d+ .*Mend RPC_URLS: nothing is changed/);
  expect(await everything(simulation)).toEqual(before);
  const ours = await repair(simulation, '--yes', '--rpc', honest.url);
  expect(ours).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('is in the chain: nothing is changed'),
  });
  expect(await everything(simulation)).toEqual(before);
  const away = await repair(simulation, '--yes', '--rpc', 'http://127.0.0.1:1');
  expect(away.code).toBe(4);
  expect(away.stderr).toMatch(/127\.0\.0\.1:1 .*can't be reached/);
}, 120_000);

test('a fetcher of another chain that is refused at start shows the chain as halted with its reason; a killed leader shows as unled', async () => {
  const simulation = await start('refused');
  const { system } = simulation;
  const { url } = await system.startApi();
  const refused = await system.start('fetcher', { CHAIN_ID: '7' });
  await refused.exited;
  expect(refused.output()).toContain('(ended with exit code 2)');
  const { data } = await ask<Shown>(url, '{ chain(id: 7) { state reason } }');
  expect(data.chain).toEqual({
    state: 'halted',
    reason: expect.stringMatching(/is of chain 1337, not 7 as configured: mend RPC_URLS or the chain's id/),
  });
  const leader = await system.start('fetcher');
  const shown = async () => (await ask<Shown>(url, chainQuery)).data.chain;
  await until('the chain to be led', async () => (await shown())?.state === 'following');
  await system.kill(leader);
  await until('the dead leader to be shown', async () => (await shown()).state === 'unled');
  expect((await shown()).reason).toBe('no fetcher leads this chain: is one running?');
}, 120_000);
