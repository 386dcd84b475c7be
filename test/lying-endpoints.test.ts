import { afterEach, expect, inject, test } from 'vitest';
import { SimulatedChain } from '#apps/devchain/chain.js';
import { type FaultKind, Faults, faultKinds } from '#apps/devchain/faults.js';
import { Miner } from '#apps/devchain/miner.js';
import { FollowedChain } from './services/followed-chain.js';
import { until } from './services/until.js';

const closing: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Those that an endpoint rests after for half a minute and more have tests of their own. */
const kinds = faultKinds.filter((kind) => !['timeout', 'wrong_chain'].includes(kind));
const TIMES = 3;
/** Comes first, and once is enough: an endpoint that has taught its limit isn't asked for more until much later. */
const LEARNED: FaultKind = 'range_limit';

test('endpoints that lie in every way, all at once: history, new blocks and reorgs end with table = chain', async () => {
  const chain = SimulatedChain.create({
    seed: 'lies',
    chainId: 1337,
    head: 3_000,
    blockTimeMs: 100,
    eventsPerBlock: 1,
  });
  const options = { lastingMs: 400, maxRange: 12, maxResults: 9 };
  const endpoints = ['a', 'b', 'c', 'd'].map((name) => new Faults(name, {}, options));
  const count = (kind: FaultKind) =>
    endpoints.reduce((sum, faults) => sum + (faults.counts.get(kind) ?? 0), 0);
  const missing = () => kinds.filter((kind) => count(kind) < (kind === LEARNED ? 1 : TIMES));
  const lie = () => {
    const next = missing().includes(LEARNED) ? [LEARNED] : missing();
    const rates = Object.fromEntries(next.map((kind) => [kind, 0.25 / next.length]));
    for (const faults of endpoints) faults.rates = rates;
  };
  lie();
  const followed = await FollowedChain.start(inject('postgresUrl'), {
    chain,
    endpoints: endpoints.map((faults) => ({ faults })),
    config: { batchSize: 15 },
  });
  closing.push(() => followed.close());
  const miner = new Miner(chain, { reorgEvery: 8 });
  miner.start();
  closing.push(() => miner.stop());
  await until(
    `${LEARNED} once and each other kind of fault ${TIMES} times`,
    () => {
      lie();
      const rare = missing().map((kind) => `${kind} (${count(kind)})`);
      if (rare.length) throw new Error(`seldom so far: ${rare.join(', ')}`);
      return true;
    },
    150_000,
  );
  miner.stop();
  for (const faults of endpoints) faults.rates = {};
  expect(await followed.expectTableEqualsChain()).toBeGreaterThan(2_000);
}, 240_000);
