import { afterEach, expect, inject, test } from 'vitest';
import { type Branch, BuiltChain, buildChain, extend, forkAt } from './services/built-chain.js';
import { FollowedChain } from './services/followed-chain.js';
import { until } from './services/until.js';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const HEAD = 60;
const FINALITY = 20;
const main = buildChain(
  HEAD,
  Object.fromEntries(Array.from({ length: 20 }, (_, i) => [41 + i, [{ tx: `t${41 + i}` }]])),
);

/** Follows a chain over endpoints that can be made to show other branches than the chain has. */
async function follow(endpoints: number) {
  const made = Array.from({ length: endpoints + 1 }, () => new BuiltChain(main, 77, FINALITY));
  const [chain, ...nodes] = made as [BuiltChain, ...BuiltChain[]];
  const followed = await FollowedChain.start(inject('postgresUrl'), {
    chain,
    endpoints: nodes.map((node) => ({ chain: node })),
  });
  closing.push(() => followed.close());
  expect(await followed.expectTableEqualsChain()).toBe(20);
  const become = (branch: Branch, ...which: BuiltChain[]) => {
    for (const one of which) one.become(branch);
  };
  return { chain, nodes, followed, become };
}

/** Waits until an endpoint has been asked so often that whatever it shows was seen. */
async function untilLookedAt(node: BuiltChain, times = 20): Promise<void> {
  const { reads } = node;
  await until('some looks at the endpoint', () => node.reads > reads + times);
}

test('an endpoint that falls behind pauses the chain: no row is removed or touched, and it goes on when the node is back', async () => {
  const { chain, nodes, followed, become } = await follow(1);
  const before = await followed.bookkeeping();
  nodes[0]!.become(forkAt(main, 50));
  await until('the pause', async () => (await followed.state()).state === 'paused');
  expect((await followed.state()).state_reason).toMatch(/its head 50 is behind \(ours is 60\)/);
  expect(await followed.bookkeeping()).toEqual(before);
  become(extend(main, 2, { 62: [{ tx: 'later' }] }), chain, nodes[0]!);
  expect(await followed.expectTableEqualsChain()).toBe(21);
  expect(await followed.removedRows()).toBe(0);
}, 60_000);

test('an endpoint that has fallen behind finality is left alone: nothing is removed, and the reason names the block', async () => {
  const { chain, nodes, followed, become } = await follow(1);
  await followed.untilFinalized(40);
  const before = await followed.bookkeeping();
  nodes[0]!.show(forkAt(main, 30));
  await until('the reason', async () =>
    /doesn't show block 40/.test((await followed.state()).state_reason ?? ''),
  );
  expect(await followed.bookkeeping()).toEqual(before);
  become(extend(main, 1), chain, nodes[0]!);
  expect(await followed.expectTableEqualsChain()).toBe(20);
}, 60_000);

test('while the first endpoint is behind, the second one is followed', async () => {
  const { chain, nodes, followed, become } = await follow(2);
  nodes[0]!.become(forkAt(main, 50));
  become(extend(main, 3, { 63: [{ tx: 'new' }] }), chain, nodes[1]!);
  expect(await followed.expectTableEqualsChain()).toBe(21);
  expect(await followed.removedRows()).toBe(0);
}, 60_000);

test('an endpoint that stays on the old branch does not take the chain back there, once another shows the new one', async () => {
  const { chain, nodes, followed, become } = await follow(2);
  const reorged = extend(forkAt(main, 54), 10, { 57: [{ tx: 'new' }] });
  become(reorged, chain, nodes[1]!);
  // the first endpoint falls behind: the second one is followed, and from then on the first one's branch is the shorter
  nodes[0]!.become(forkAt(main, 58));
  expect(await followed.expectTableEqualsChain()).toBe(15);
  nodes[0]!.become(main);
  const before = await followed.bookkeeping();
  // it was behind, so it is asked after the other for a while
  await untilLookedAt(nodes[0]!, 5);
  await untilLookedAt(nodes[1]!);
  expect(await followed.bookkeeping()).toEqual(before);
  nodes[0]!.become(reorged);
  expect(await followed.expectTableEqualsChain()).toBe(15);
}, 60_000);

test('an endpoint that stands still on the old branch is found out by the other one', async () => {
  const { chain, nodes, followed, become } = await follow(2);
  become(extend(forkAt(main, 54), 10, { 57: [{ tx: 'new' }] }), chain, nodes[1]!);
  expect(await followed.expectTableEqualsChain()).toBe(15);
}, 90_000);

test('a reorg to a shorter branch that all endpoints show is followed', async () => {
  const { chain, nodes, followed, become } = await follow(2);
  become(extend(forkAt(main, 50), 5, { 52: [{ tx: 'new' }] }), chain, ...nodes);
  expect(await followed.expectTableEqualsChain()).toBe(11);
  expect(await followed.removedRows()).toBe(10);
}, 60_000);

test('a reorg to a shorter branch is followed while the other endpoint is away', async () => {
  const { chain, nodes, followed, become } = await follow(2);
  await followed.closeEndpoint(1);
  become(extend(forkAt(main, 50), 5), chain, nodes[0]!);
  expect(await followed.expectTableEqualsChain()).toBe(10);
}, 60_000);

test('endpoints that flip between two branches end with table = chain, each row once', async () => {
  const { chain, nodes, followed, become } = await follow(2);
  const other = extend(forkAt(main, 50), 10, { 52: [{ tx: 't52' }], 55: [{ tx: 'new' }] });
  for (let round = 0; round < 6; round++) {
    nodes[round % 2]!.become(round % 3 ? other : main);
    await untilLookedAt(nodes[0]!, 5);
  }
  become(extend(other, 1), chain, ...nodes);
  expect(await followed.expectTableEqualsChain()).toBe(12);
}, 60_000);
