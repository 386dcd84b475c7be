import fc from 'fast-check';
import { expect, test } from 'vitest';
import { logsBloom } from '#apps/devchain/bloom.js';
import { bloomMayContain, explainsBloom } from '#libs/chain/bloom.js';

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
