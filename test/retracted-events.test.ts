import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { highestCommonBlock } from '#apps/repair/common-block.js';
import { ChainClient } from '#libs/chain/chain-client.js';
import { takeBackFinality } from '#libs/database/take-back-finality.js';
import { recordedFinality } from '#libs/database/verified.js';
import { ProgressLine } from '#libs/telemetry/progress-line.js';
import { type Change, Follower, startTestApi } from './services/api.js';
import { silent } from './services/broker-bench.js';
import { block, CHAIN_ID, hashOf, LedgerFixture } from './services/ledger-fixture.js';
import { rawBlock } from './services/recorded-blocks.js';
import { byMethod, RecordedRpc } from './services/recorded-rpc.js';
import { until } from './services/until.js';

let ledger: LedgerFixture;
const closing: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  ledger = await LedgerFixture.create(inject('postgresUrl'));
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await ledger.close();
});

/** Blocks 10 to 12 of branch a are stored, 12 is final, and so is 5 by history. */
async function begin(): Promise<number> {
  const { term } = await ledger.lead();
  const blocks = [block(10, 'a'), block(11, 'a', [{ tx: 't11' }]), block(12, 'a', [{ tx: 't12' }])];
  await ledger.apply(term, 1, { above: 9, blocks }, { final: 12, hash: hashOf(12, 'a') });
  await ledger.history(1, 9, [block(5, 'a', [{ tx: 't5' }])]);
  return term;
}

async function takeBackTo5(): Promise<number> {
  const from = (await recordedFinality(ledger.database.statements, CHAIN_ID))!;
  const { hash, parentHash, timestamp } = block(5, 'a');
  const to = { number: 5, hash, parentHash, timestamp };
  expect(await takeBackFinality(ledger.database, { chainId: CHAIN_ID, from, to })).toMatchObject({
    removed: 2,
  });
  return (await ledger.lead()).term;
}

async function startApi(): Promise<string> {
  const api = await startTestApi({ database: ledger.database });
  closing.push(() => api.close());
  return api.url;
}

/** A subscriber to final events that reads until nothing more comes for it, and then leaves. */
async function read(url: string, since: string, until_: (changes: readonly Change[]) => boolean) {
  const follower = new Follower(url, { since, finality: 'FINALIZED' });
  await until('the changes', () => until_(follower.changes));
  await follower.close();
  return { changes: follower.changes, cursor: follower.messages.at(-1)!.cursor };
}

const told = (changes: readonly Change[]) =>
  changes.map(({ type, node }) => `${type} ${node.blockNumber}`).sort();

test('a subscriber to final events is told when they are taken back, and the new ones once', async () => {
  await begin();
  const url = await startApi();
  const first = await read(url, '0', (changes) => changes.length === 3);
  expect(told(first.changes)).toEqual(['FINALIZED 11', 'FINALIZED 12', 'FINALIZED 5']);
  const term = await takeBackTo5();
  const second = await read(url, first.cursor, (changes) => changes.length === 2);
  expect(told(second.changes)).toEqual(['REMOVED 11', 'REMOVED 12']);
  const blocks = [block(6, 'b', [{ tx: 't11' }], 'a'), block(7, 'b', [{ tx: 'new' }])];
  await ledger.apply(term, 1, { above: 5, blocks }, { final: 7, hash: hashOf(7, 'b') });
  const third = await read(url, second.cursor, (changes) =>
    changes.some((change) => change.node.blockNumber === 7),
  );
  // the moved one is not final yet when it is stored
  expect(told(third.changes)).toEqual(['FINALIZED 6', 'FINALIZED 7', 'REMOVED 6']);
});

test('one that comes back after its event moved above finality and was reorged out forgets it', async () => {
  await begin();
  const url = await startApi();
  const { changes: known, cursor } = await read(url, '0', (changes) => changes.length === 3);
  const term = await takeBackTo5();
  const moved = [block(13, 'b', [{ tx: 't12' }])];
  const between = [6, 7, 8, 9, 10, 11, 12].map((n) => block(n, 'b', [], n === 6 ? 'a' : 'b'));
  await ledger.apply(term, 1, { above: 5, blocks: [...between, ...moved] });
  await ledger.apply(term, 2, {
    above: 12,
    blocks: [block(13, 'c', [], 'b'), block(14, 'c', [{ tx: 'mark' }])],
  });
  await ledger.apply(term, 3, { final: 14, hash: hashOf(14, 'c') });
  const { changes } = await read(url, cursor, (heard) =>
    heard.some((change) => change.node.blockNumber === 14),
  );
  const held = new Map(known.map(({ node }) => [node.id, node.blockNumber]));
  for (const { type, node } of changes) {
    if (type === 'REMOVED') held.delete(node.id);
    else held.set(node.id, node.blockNumber);
  }
  expect([...held.values()].sort((a, b) => a - b)).toEqual([5, 14]);
});

test('without a repair a subscriber to final events never hears of a removal', async () => {
  const term = await begin();
  const url = await startApi();
  await ledger.apply(term, 3, {
    above: 12,
    blocks: [block(13, 'a', [{ tx: 't13' }]), block(14, 'a', [{ tx: 't14' }])],
  });
  await ledger.apply(term, 4, { above: 12, blocks: [block(13, 'b', [{ tx: 't14' }], 'a')] });
  await ledger.apply(term, 5, { final: 13, hash: hashOf(13, 'b') });
  const { changes } = await read(url, '0', (heard) => heard.some((change) => change.node.blockNumber === 13));
  expect(told(changes)).toEqual(['FINALIZED 11', 'FINALIZED 12', 'FINALIZED 13', 'FINALIZED 5']);
});

test('the highest common block lies below every row of the old branch, also where the new branch is stored above it', async () => {
  const { term } = await ledger.lead();
  await ledger.apply(
    term,
    1,
    { above: 99, blocks: [block(100, 'a')] },
    { final: 100, hash: hashOf(100, 'a') },
  );
  const rows = [block(3, 'a', [{ tx: 't3' }]), block(5, 'a', [{ tx: 't5' }]), block(9, 'a', [{ tx: 't9' }])];
  // more heights with rows than are asked for at once
  const newer = Array.from({ length: 70 }, (_, i) => block(20 + i, 'b', [{ tx: `t${20 + i}` }]));
  await ledger.history(1, 99, [...rows, ...newer]);
  const rpc = await RecordedRpc.start(
    byMethod({
      eth_chainId: () => `0x${CHAIN_ID.toString(16)}`,
      eth_getBlockByNumber: (height: string) =>
        rawBlock(Number(height), [], { hash: hashOf(Number(height), Number(height) > 6 ? 'b' : 'a') }),
    }),
  );
  const client = new ChainClient({ chainId: CHAIN_ID, urls: [rpc.url], batchSize: 100, logger: silent });
  closing.push(
    () => rpc.stop(),
    async () => client.close(),
  );
  const progress = new ProgressLine(process.stderr);
  const search = {
    chainId: CHAIN_ID,
    client,
    database: ledger.database,
    progress,
    stop: new AbortController().signal,
  };
  expect(await highestCommonBlock(search, 100)).toMatchObject({ number: 5, hash: hashOf(5, 'a') });
  expect(await highestCommonBlock(search, 3)).toBeNull();
});
