import { keccak256 } from 'ethers';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SimulatedChain } from '#apps/devchain/chain.js';
import { RpcDispatcher } from '#apps/devchain/rpc.js';

const START = { chainId: 1337, head: 30, blockTimeMs: 700, headTimestampMs: 1_800_000_000_000 };

type Step =
  | { do: 'mine'; count: number }
  | { do: 'reorg'; depth: number; higher: number; force: boolean }
  | { do: 'remember' }
  | { do: 'return'; which: number }
  | { do: 'pause'; ms: number }
  | { do: 'restart' };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('mine' as const), count: fc.integer({ min: 1, max: 12 }) }),
  fc.record({
    do: fc.constant('reorg' as const),
    depth: fc.integer({ min: 1, max: 9 }),
    higher: fc.integer({ min: -6, max: 4 }),
    force: fc.boolean(),
  }),
  fc.record({ do: fc.constant('remember' as const) }),
  fc.record({ do: fc.constant('return' as const), which: fc.nat(5) }),
  fc.record({ do: fc.constant('pause' as const), ms: fc.integer({ min: 0, max: 60_000 }) }),
  fc.record({ do: fc.constant('restart' as const) }),
);

const story = fc.record({
  seed: fc.string(),
  eventsPerBlock: fc.constantFrom(0, 0.4, 3),
  steps: fc.array(step, { maxLength: 25 }),
});

/** Tells a chain through the steps; a refused step must change nothing. `each` sees the chain after every one. */
function tell(
  { seed, eventsPerBlock, steps }: { seed: string; eventsPerBlock: number; steps: Step[] },
  each: (chain: SimulatedChain) => void = () => {},
): SimulatedChain {
  let chain = SimulatedChain.create({ ...START, seed, eventsPerBlock, finalityDepth: 8 });
  const remembered = [chain.branch()];
  for (const one of steps) {
    const before = JSON.stringify(chain.state());
    try {
      if (one.do === 'mine') chain.mine(one.count);
      else if (one.do === 'reorg')
        chain.reorg({ depth: one.depth, newHead: chain.head + one.higher, force: one.force });
      else if (one.do === 'remember') remembered.push(chain.branch());
      else if (one.do === 'return') chain.returnTo(remembered[one.which % remembered.length]!);
      else if (one.do === 'pause') chain.resumeAt(chain.nextBlockDueMs + one.ms);
      else chain = SimulatedChain.restore(JSON.parse(before));
    } catch (error) {
      expect(error).toBeInstanceOf(RangeError);
      expect(JSON.stringify(chain.state())).toBe(before);
    }
    each(chain);
  }
  return chain;
}

/** Asks as a client does, in process. */
async function ask(chain: SimulatedChain, method: string, ...params: unknown[]) {
  const body = JSON.stringify({ id: 1, method, params });
  const answer = new RpcDispatcher(chain, {}).answer(body, { transport: 'http' });
  return JSON.parse((answer as { text: string }).text).result;
}

const hex = (height: number) => `0x${height.toString(16)}`;

/** The block as clients get it, with everything in it. */
async function everythingAt(chain: SimulatedChain, height: number) {
  return {
    block: await ask(chain, 'eth_getBlockByNumber', hex(height), true),
    receipts: await ask(chain, 'eth_getBlockReceipts', hex(height)),
  };
}

test('after any sequence of blocks, reorgs, returns and pauses each block names its parent and none is earlier than it', () => {
  fc.assert(
    fc.property(story, (told) => {
      tell(told, (chain) => {
        for (let height = 1; height <= chain.head; height++) {
          const [parent, block] = [chain.block(height - 1)!, chain.block(height)!];
          expect(block.parentHash).toBe(parent.hash);
          expect(block.timestamp).toBeGreaterThanOrEqual(parent.timestamp);
          expect(chain.blockByHash(block.hash)?.number).toBe(height);
        }
        expect(chain.block(chain.head + 1)).toBeUndefined();
      });
    }),
    { numRuns: 60 },
  );
});

test('a transaction is in a chain at most once, and is found there by its hash', () => {
  fc.assert(
    fc.property(story, (told) => {
      const chain = tell(told);
      const seen = new Set<string>();
      for (let height = 0; height <= chain.head; height++) {
        for (const { transaction } of chain.block(height)!.transactions) {
          expect(seen.has(transaction.hash)).toBe(false);
          seen.add(transaction.hash);
          expect(chain.transaction(transaction.hash)?.block.number).toBe(height);
        }
      }
    }),
    { numRuns: 150 },
  );
});

test('the logs of a range, of its blocks by hash and of its receipts are the same, and every bloom shows them', async () => {
  await fc.assert(
    fc.asyncProperty(story, async (told) => {
      const chain = tell(told);
      const byRange = await ask(chain, 'eth_getLogs', { fromBlock: 'earliest', toBlock: 'latest' });
      const byHash = [];
      const byReceipt = [];
      for (let height = 0; height <= chain.head; height++) {
        const block = chain.block(height)!;
        const logs = await ask(chain, 'eth_getLogs', { blockHash: block.hash });
        byHash.push(...logs);
        for (const receipt of await ask(chain, 'eth_getBlockReceipts', block.hash))
          byReceipt.push(...receipt.logs);
        for (const log of logs)
          for (const item of [log.address, ...log.topics])
            expect(bloomMayHold(block.logsBloom, item)).toBe(true);
        if (logs.length === 0) expect(BigInt(block.logsBloom)).toBe(0n);
      }
      expect(byHash).toEqual(byRange);
      expect(byReceipt).toEqual(byRange);
    }),
    { numRuns: 40 },
  );
});

/** The definition of the Yellow Paper, written another way than the simulator's. */
function bloomMayHold(bloom: string, item: string): boolean {
  const [digest, bits] = [Buffer.from(keccak256(item).slice(2), 'hex'), BigInt(bloom)];
  return [0, 2, 4].every((at) => (bits >> BigInt(digest.readUInt16BE(at) % 2048)) & 1n);
}

test('finality never moves back, and only force changes a final block', () => {
  fc.assert(
    fc.property(story, (told) => {
      const unforced = told.steps.map((one) => (one.do === 'reorg' ? { ...one, force: false } : one));
      let [finalized, hash] = [0, ''];
      tell({ ...told, steps: unforced }, (chain) => {
        expect(chain.finalized).toBeGreaterThanOrEqual(finalized);
        expect(chain.safe).toBeGreaterThanOrEqual(chain.finalized);
        expect(chain.head).toBeGreaterThanOrEqual(chain.safe);
        if (hash) expect(chain.block(finalized)?.hash).toBe(hash);
        finalized = chain.finalized;
        hash = chain.block(finalized)!.hash;
      });
      let highest = 0;
      tell(told, (chain) => {
        expect(chain.finalized).toBeGreaterThanOrEqual(highest);
        highest = chain.finalized;
      });
    }),
    { numRuns: 100 },
  );
});

test('a chain restored from its saved state has byte-equal blocks, and goes on in the same way', async () => {
  await fc.assert(
    fc.asyncProperty(story, async (told) => {
      const chain = tell(told);
      const restored = SimulatedChain.restore(JSON.parse(JSON.stringify(chain.state())));
      for (const one of [chain, restored]) {
        one.mine(3);
        one.reorg({ depth: 2, newHead: one.head + 1 });
      }
      for (let height = 0; height <= chain.head; height++) {
        expect(JSON.stringify(await everythingAt(restored, height))).toBe(
          JSON.stringify(await everythingAt(chain, height)),
        );
      }
    }),
    { numRuns: 30 },
  );
});

test('a reorg replaces exactly the blocks above the fork, and returning to the old branch brings the same blocks back', () => {
  const reorgs = fc.record({
    depth: fc.integer({ min: 1, max: 8 }),
    higher: fc.integer({ min: -8, max: 5 }),
  });
  fc.assert(
    fc.property(story, reorgs, (told, { depth, higher }) => {
      const chain = tell(told);
      chain.mine(10);
      const hashes = () => Array.from({ length: chain.head + 1 }, (_, height) => chain.block(height)!.hash);
      const [old, left] = [hashes(), chain.branch()];
      const fork = chain.reorg({ depth, newHead: chain.head + Math.max(higher, -depth) });
      const replaced = hashes();
      expect(replaced.slice(0, fork + 1)).toEqual(old.slice(0, fork + 1));
      for (let height = fork + 1; height < Math.min(old.length, replaced.length); height++) {
        expect(replaced[height]).not.toBe(old[height]);
      }
      expect(chain.blockByHash(old[fork + 1]!)).toBeUndefined();
      if (left.head < chain.finalized) return;
      // a longer branch may have made the fork final
      chain.returnTo(left, { force: fork < chain.finalized });
      expect(hashes()).toEqual(old);
    }),
    { numRuns: 60 },
  );
});

test('over many reorgs replaced transactions stay, move to the next block with another log index, or vanish, and new ones come', () => {
  const chain = SimulatedChain.create({
    ...START,
    seed: 'fates',
    head: 4000,
    eventsPerBlock: 2,
    finalityDepth: 4000,
  });
  const places = () =>
    new Map(
      Array.from({ length: 3000 }, (_, index) => chain.block(1001 + index)!)
        .flatMap((block) => block.transactions.map((placed) => ({ block, placed })))
        .map(({ block, placed }) => [
          placed.transaction.hash,
          { height: block.number, logIndex: placed.logs[0]!.logIndex },
        ]),
    );
  const before = places();
  chain.reorg({ depth: 3000 });
  const after = places();
  const kept = [...before].filter(([hash]) => after.has(hash));
  const moves = kept.map(([hash, old]) => after.get(hash)!.height - old.height);
  expect(new Set(moves)).toEqual(new Set([0, 1]));
  expect(moves.filter((move) => move === 1).length).toBeGreaterThan(before.size * 0.15);
  const sameBlock = kept.filter(([hash, old]) => after.get(hash)!.height === old.height);
  const sameIndex = sameBlock.filter(([hash, old]) => after.get(hash)!.logIndex === old.logIndex);
  expect(sameIndex.length).toBeGreaterThan(100);
  expect(sameBlock.length - sameIndex.length).toBeGreaterThan(100);
  expect(before.size - kept.length).toBeGreaterThan(before.size * 0.1);
  expect(after.size - kept.length).toBeGreaterThan(before.size * 0.1);
});
