import fc from 'fast-check';
import { expect, test } from 'vitest';
import { logsBloom } from '#apps/devchain/bloom.js';
import { bloomIsSaturated, bloomMayContain, explainsBloom } from '#libs/chain/bloom.js';

const hex = (length: number) =>
  fc
    .uint8Array({ minLength: length, maxLength: length })
    .map((bytes) => `0x${Buffer.from(bytes).toString('hex')}`);
const log = fc.record({
  address: hex(20),
  topics: fc.array(hex(32), { maxLength: 4 }),
  data: fc.constant('0x'),
});

test('a bloom may contain every address and topic of its logs', () => {
  fc.assert(
    fc.property(fc.array(log, { maxLength: 20 }), (logs) => {
      const bloom = logsBloom(logs);
      for (const value of logs.flatMap(({ address, topics }) => [address, ...topics])) {
        expect(bloomMayContain(bloom, value)).toBe(true);
      }
    }),
  );
});

test('logs explain their bloom, and with more logs still do', () => {
  fc.assert(
    fc.property(fc.array(log, { maxLength: 20 }), fc.array(log, { maxLength: 5 }), (logs, more) => {
      expect(explainsBloom([...logs, ...more], logsBloom(logs))).toBe(true);
    }),
  );
});

test('a log whose bits no other log has cannot be missing unnoticed', () => {
  fc.assert(
    fc.property(fc.array(log, { maxLength: 20 }), log, (logs, missing) => {
      const bloom = logsBloom([...logs, missing]);
      expect(explainsBloom(logs, bloom)).toBe(bloom === logsBloom(logs));
    }),
  );
});

test('a bloom counts as saturated when it says "maybe" of more than one absent pair in 20', () => {
  const random = fc.sample(hex(32), { numRuns: 10_000, seed: 1 });
  const bloomOf = (values: number) =>
    logsBloom(random.slice(0, values).map((topic) => ({ address: topic.slice(0, 42), topics: [] })) as never);
  const pairs = Array.from({ length: 2_000 }, (_, i) => [random[5_000 + i]!, random[7_000 + i]!]);
  const falseMaybes = (bloom: string) =>
    pairs.filter(([address, topic]) => bloomMayContain(bloom, address!) && bloomMayContain(bloom, topic!))
      .length / 2_000;
  for (const [values, saturated] of [
    [0, false],
    [100, false],
    [550, false],
    [900, true],
    [1_500, true],
  ] as const) {
    const bloom = bloomOf(values);
    expect(falseMaybes(bloom) > 0.05, `${values} values`).toBe(saturated);
    expect(bloomIsSaturated(bloom), `${values} values`).toBe(saturated);
  }
});
