import * as z from 'zod';

/** Version of the message format; a reader refuses every other one (dead-letter queue). */
export const MESSAGE_VERSION = 1;

/** Bytes that one message aims at (DESIGN §3.1). RabbitMQ 4 refuses messages over 16 MB; a block is never split. */
export const MESSAGE_TARGET_BYTES = 1_000_000;

const safeInteger = z.number().int().nonnegative();
/** Unix seconds up to the year 9999: later ones fit neither Date nor timestamptz in all their forms. */
const unixTime = safeInteger.max(253_402_300_799);
const hex = (bytes: number) => z.string().regex(new RegExp(`^0x[0-9a-f]{${bytes * 2}}$`));
const hash = hex(32);

const log = z.strictObject({
  address: hex(20),
  topics: z.array(hash).max(4),
  data: z.string().regex(/^0x([0-9a-f]{2})*$/),
  blockNumber: safeInteger,
  blockHash: hash,
  blockTimestamp: unixTime,
  txHash: hash,
  txIndex: safeInteger,
  logIndex: safeInteger,
});

/** A (contract, event) pair of the statement's chain. `event` is a name of the event registry. */
const source = z.strictObject({ address: hex(20), event: z.string().min(1) });

const block = z.strictObject({
  number: safeInteger,
  hash,
  parentHash: hash,
  timestamp: unixTime,
  logs: z.array(log),
});

const head = {
  version: z.literal(MESSAGE_VERSION),
  /** Id of the database (`feed_counter.epoch`) whose ledger the statement was made for. */
  ledger: z.uuid(),
  chainId: safeInteger,
};

/** History: "the logs of these sources in blocks [from, to] are exactly these", all at or below finality. */
const finalStatement = z
  .strictObject({
    ...head,
    kind: z.literal('final'),
    /** Term of the leader that read it: a repair voids what was read before. Left out: from before there were repairs. */
    term: z.number().int().positive().optional(),
    sources: z.array(source).min(1),
    from: safeInteger,
    to: safeInteger,
    logs: z.array(log),
  })
  .refine((m) => m.from <= m.to, { error: 'from is above to' })
  .refine((m) => m.logs.every((l) => l.blockNumber >= m.from && l.blockNumber <= m.to), {
    error: 'a log lies outside [from, to]',
  });

const news = { ...head, term: z.number().int().positive(), seq: z.number().int().positive() };

/** News: everything above `above` that isn't stated is dropped, and these parent-linked blocks are the chain now. */
const advanceStatement = z
  .strictObject({
    ...news,
    kind: z.literal('advance'),
    /** Fork point; −1 when nothing is stored and the first stated block is block 0. */
    above: z.number().int().min(-1),
    sources: z.array(source).min(1),
    blocks: z.array(block).min(1),
  })
  .refine((m) => m.blocks[0]!.number > m.above, { error: 'the first block is not above the fork point' })
  .refine((m) => m.blocks.every((b, i) => i === 0 || isChild(b, m.blocks[i - 1]!)), {
    error: 'the blocks are not parent-linked',
  })
  .refine((m) => m.blocks.every((b) => b.logs.every((l) => l.blockHash === b.hash)), {
    error: 'a log lies outside its block',
  });

/** News: block `number` with this hash, and all below it, is final. */
const finalityStatement = z.strictObject({
  ...news,
  kind: z.literal('finality'),
  number: safeInteger,
  hash,
});

export type FinalStatement = z.infer<typeof finalStatement>;
export type AdvanceStatement = z.infer<typeof advanceStatement>;
export type FinalityStatement = z.infer<typeof finalityStatement>;
export type NewsStatement = AdvanceStatement | FinalityStatement;
export type Statement = FinalStatement | NewsStatement;
export type StatedBlock = AdvanceStatement['blocks'][number];
export type StatedSource = z.infer<typeof source>;

const statement = z.discriminatedUnion('kind', [finalStatement, advanceStatement, finalityStatement]);

/**
 * Reads one message body.
 * @returns the statement, or the reason why it isn't one (for the dead-letter queue; at most 500 characters).
 */
export function parseStatement(body: Uint8Array): { statement: Statement } | { reason: string } {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'));
  } catch (error) {
    return { reason: `not JSON: ${(error as Error).message}`.slice(0, 500) };
  }
  const version = (json as { version?: unknown } | null)?.version;
  if (version !== MESSAGE_VERSION) {
    return {
      reason: `message version ${JSON.stringify(version)}, this worker reads version ${MESSAGE_VERSION}`,
    };
  }
  const result = statement.safeParse(json);
  if (result.success) return { statement: result.data };
  const issues = result.error.issues.map((i) => `${i.path.join('.') || 'message'}: ${i.message}`);
  return { reason: issues.join('; ').slice(0, 500) };
}

/** Writes one message body (UTF-8 JSON). */
export function serializeStatement(statement: Statement): Buffer {
  return Buffer.from(JSON.stringify(statement));
}

function isChild(child: z.infer<typeof block>, parent: z.infer<typeof block>): boolean {
  return child.number === parent.number + 1 && child.parentHash === parent.hash;
}
