import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SimulatedChain } from '#apps/devchain/chain.js';
import type { ChainChange } from '#apps/devchain/chain-view.js';
import { Miner } from '#apps/devchain/miner.js';
import { devchainSettings } from '#apps/devchain/settings.js';
import { openChain, StateFile } from '#apps/devchain/state-file.js';
import { createLogger } from '#libs/telemetry/logger.js';

const OPTIONS = { seed: 'lifetime', chainId: 1337, head: 500, blockTimeMs: 5, finalityDepth: 20 };
const logger = createLogger('devchain', 'silent');

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'devchain-'));
  path = join(folder, 'chain.json');
});

afterEach(() => rm(folder, { recursive: true }));

/** Mines with reorgs until `done`. @returns what changed. */
async function mineUntil(chain: SimulatedChain, done: (changes: ChainChange[]) => boolean) {
  const changes: ChainChange[] = [];
  const stopListening = chain.onChange((change) => changes.push(change));
  const miner = new Miner(chain, { reorgEvery: 4 });
  miner.start();
  await expect.poll(() => done(changes), { timeout: 20_000, interval: 5 }).toBe(true);
  miner.stop();
  stopListening();
  return changes;
}

test('a miner makes the chain grow with shallow reorgs of every shape, never below finality', async () => {
  const chain = SimulatedChain.create(OPTIONS);
  let head = chain.head;
  const shapes = new Set<string>();
  chain.onChange((change) => {
    if (change.replaced > 0) shapes.add(['lower', 'equal', 'higher'][Math.sign(change.head - head) + 1]!);
    head = change.head;
  });
  const changes = await mineUntil(chain, () => chain.head > 600 && shapes.size === 3);
  for (const { replaced } of changes) expect(replaced).toBeLessThanOrEqual(5);
  expect(chain.finalized).toBeGreaterThan(560);
});

test('a stopped miner mines no more, and a started one goes on with present times', async () => {
  const chain = SimulatedChain.create({ ...OPTIONS, headTimestampMs: Date.now() - 3_600_000 });
  const last = chain.block(500)!;
  await mineUntil(chain, () => chain.head > 505);
  const changed = chain.state();
  expect(chain.block(500)!.timestamp).toBe(last.timestamp);
  expect(chain.block(chain.head)!.timestamp - last.timestamp).toBeGreaterThanOrEqual(3_599);
  expect(chain.state()).toEqual(changed);
});

test('a chain opened from its file again is the same chain, continued', async () => {
  const chain = await openChain(path, OPTIONS);
  const file = new StateFile(chain, path, logger);
  await mineUntil(chain, (changes) => changes.length > 30);
  await file.close();
  const again = await openChain(path, { ...OPTIONS, head: 7 });
  expect(again.head).toBe(chain.head);
  for (let height = 0; height <= chain.head; height++) {
    expect(again.block(height)).toEqual(chain.block(height));
  }
  await mineUntil(again, () => again.head > chain.head + 5);
  expect(again.block(again.finalized)!.hash).toBe(chain.block(again.finalized)!.hash);
  expect(await readdir(folder)).toEqual(['chain.json']);
});

test('a change is saved without being asked', async () => {
  const chain = await openChain(path, OPTIONS);
  const file = new StateFile(chain, path, logger);
  await file.save();
  chain.mine(3);
  await expect.poll(async () => JSON.parse(await readFile(path, 'utf8')).head, { timeout: 5_000 }).toBe(503);
  await file.close();
});

test('a file of another chain is refused with what differs', async () => {
  const chain = await openChain(path, OPTIONS);
  await new StateFile(chain, path, logger).close();
  await expect(openChain(path, { ...OPTIONS, seed: 'x', eventsPerBlock: 3 })).rejects.toThrow(
    /chain\.json holds another chain: seed is "lifetime" there, and "x" is wanted; eventsPerBlock is 0\.4 there, and 3 is wanted/,
  );
  const shallower = await openChain(path, { ...OPTIONS, finalityDepth: 2 });
  expect(shallower.mine()).toBe(501);
  expect(shallower.finalized).toBe(499);
});

test.each(['', '{', '{"version":1}', '[]'])(
  'a file that holds no chain is refused, not overwritten: %j',
  async (text) => {
    await writeFile(path, text);
    await expect(openChain(path, OPTIONS)).rejects.toThrow(/chain\.json isn't .*delete it/s);
    expect(await readFile(path, 'utf8')).toBe(text);
  },
);

test('settings come from the environment, with a default for each', () => {
  expect(devchainSettings({}).chain).toMatchObject({ chainId: 1337, eventsPerBlock: 0.4 });
  const settings = devchainSettings({
    PORT: '0',
    HOST: '0.0.0.0',
    CHAIN_ID: '10',
    DEVCHAIN_SEED: 's',
    DEVCHAIN_BLOCK_TIME_MS: '250',
    DEVCHAIN_HEAD: '40000000',
    DEVCHAIN_EVENTS_PER_BLOCK: '1.5',
    DEVCHAIN_REORG_EVERY: '0',
    DEVCHAIN_FINALITY_DEPTH: '64',
    DEVCHAIN_STATE_FILE: 'state.json',
    DEVCHAIN_FAULTS: 'http_429=0.05, behind=1',
  });
  expect(settings).toEqual({
    host: '0.0.0.0',
    port: 0,
    reorgEvery: 0,
    stateFile: 'state.json',
    faults: { http_429: 0.05, behind: 1 },
    logLevel: 'info',
    chain: {
      chainId: 10,
      seed: 's',
      blockTimeMs: 250,
      head: 40_000_000,
      eventsPerBlock: 1.5,
      finalityDepth: 64,
    },
  });
});

test('bad settings are refused all at once, each with its rule', () => {
  const bad = {
    PORT: '70000',
    CHAIN_ID: '0x1',
    DEVCHAIN_HEAD: '1.5',
    DEVCHAIN_EVENTS_PER_BLOCK: '-1',
    LOG_LEVEL: 'loud',
    DEVCHAIN_FAULTS: 'http_429=2',
  };
  for (const [name, value] of Object.entries(bad))
    expect(() => devchainSettings(bad)).toThrow(
      new RegExp(`${name}: must be .*"${value.replace('.', '\\.')}" is not`),
    );
});
