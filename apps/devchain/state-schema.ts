import { z } from 'zod';
import type { ChainState } from './chain-state.js';
import type { BranchState } from './segments.js';

const height = z.int().nonnegative();
const hex = z.string().regex(/^0x[0-9a-f]*$/i, 'must be hex with 0x');

const segment = z.object({ id: hex, from: height, timestampMs: z.number().nonnegative() });
const branch = {
  head: height,
  segments: z
    .array(segment)
    .refine((all) => all[0]?.from === 0, 'must begin at block 0')
    .refine((all) => all.every((one, at) => at === 0 || one.from > all[at - 1]!.from), 'must be in order'),
};

/** A branch as another process hands it over. */
export const branchSchema: z.ZodType<BranchState> = z.object(branch);

const pin = z.object({
  number: height,
  hash: hex.optional(),
  timestamp: z.number().nonnegative().optional(),
  logs: z.array(
    z.object({
      address: hex,
      topics: z.array(hex).max(4),
      data: hex,
      txHash: hex.optional(),
      txIndex: height.optional(),
      logIndex: height.optional(),
    }),
  ),
});

/** A chain's state as a file holds it. */
export const stateSchema: z.ZodType<ChainState> = z.object({
  ...branch,
  version: z.literal(1),
  settings: z.object({
    seed: z.string(),
    chainId: z.int().positive(),
    address: hex,
    eventsPerBlock: z.number().nonnegative(),
    blockTimeMs: z.number().positive(),
    finalityDepth: height,
    pins: z.array(pin),
  }),
  finalized: height,
  begun: z.int().positive(),
});
