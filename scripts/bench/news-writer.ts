import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { AbiCoder, id } from 'ethers';
import type { Broker } from '#libs/broker/broker.js';
import { MESSAGE_VERSION, type NewsStatement, type StatedBlock } from '#libs/broker/messages.js';
import { applyNews } from '#libs/database/apply-news.js';
import type { Database } from '#libs/database/database.js';
import { decodeLogs } from '#libs/database/decode-logs.js';
import { takeOver } from '#libs/database/ledger.js';
import { socketBridge } from '#libs/events/socket-bridge/event.js';

const ADDRESS = `0x${'aa'.repeat(20)}`;
const source = { address: ADDRESS, event: socketBridge.name };
/** One block, one transaction, this often. */
const BLOCK_MS = 100;
const BLOCKS_TO_FINALITY = 50;

/** What news are written. */
export interface NewsOptions {
  /** Events per second. */
  readonly rate: number;
  readonly seconds: number;
  readonly chainId?: number;
  /** Hears of each block how long after its arrival it was committed. */
  readonly stored?: (milliseconds: number) => void;
  /** Ends it before its time. */
  readonly ended?: AbortSignal;
}

/** Stores news as a worker does, and rings the doorbell, for a time. */
export async function writeNews(
  database: Database,
  broker: Pick<Broker, 'ring'>,
  { rate, seconds, chainId = 1, stored, ended }: NewsOptions,
): Promise<void> {
  const lead = { chainId, chainName: 'Bench', holder: randomUUID() };
  const taken = await takeOver(database, { ...lead, sources: [{ ...source, startBlock: 1 }] });
  if (!taken) throw new Error('the database of the bench is led by somebody else');
  const { term, ledger } = taken;
  const head = { version: MESSAGE_VERSION, ledger, chainId, term } as const;
  const begin = performance.now();
  for (let n = 1, seq = 1; n * BLOCK_MS <= seconds * 1_000 && !ended?.aborted; n++) {
    const logs = Math.round((n * rate * BLOCK_MS) / 1_000) - Math.round(((n - 1) * rate * BLOCK_MS) / 1_000);
    const blocks = [blockOf(n, logs)];
    const statements: NewsStatement[] = [
      { ...head, kind: 'advance', seq: seq++, above: n - 1, sources: [source], blocks },
    ];
    const final = n - BLOCKS_TO_FINALITY;
    if (final > 0 && final % 10 === 0)
      statements.push({ ...head, kind: 'finality', seq: seq++, number: final, hash: hashOf(final) });
    await store(database, broker, statements);
    stored?.(performance.now() - begin - (n - 1) * BLOCK_MS);
    await delay(Math.max(0, begin + n * BLOCK_MS - performance.now()));
  }
}

async function store(
  database: Database,
  broker: Pick<Broker, 'ring'>,
  statements: readonly NewsStatement[],
): Promise<void> {
  const decoded = statements.map((statement) => {
    if (statement.kind === 'finality') return { statement };
    const logs = statement.blocks.flatMap((block) => block.logs);
    return { statement, ...decodeLogs(database.events, statement.chainId, [source], logs) };
  });
  const { verdicts, position } = await applyNews(database, statements[0]!.chainId, decoded);
  if (verdicts.some((verdict) => verdict !== 'applied')) throw new Error(`not applied: ${verdicts}`);
  if (position !== null) broker.ring(position);
}

const hashOf = (number: number) => id(`block ${number}`);

function blockOf(number: number, count: number): StatedBlock {
  const types = ['uint256', 'address', 'uint256', 'bytes32', 'address', 'address', 'bytes32'];
  const timestamp = Math.floor(Date.now() / 1_000);
  const logs = Array.from({ length: count }, (_, logIndex) => ({
    address: ADDRESS,
    topics: [socketBridge.topic0],
    data: AbiCoder.defaultAbiCoder().encode(types, [
      BigInt(number),
      ADDRESS,
      10n,
      id('Hop'),
      ADDRESS,
      ADDRESS,
      `0x${'00'.repeat(32)}`,
    ]),
    blockNumber: number,
    blockHash: hashOf(number),
    blockTimestamp: timestamp,
    txHash: id(`transaction ${number} ${logIndex}`),
    txIndex: logIndex,
    logIndex,
  }));
  return { number, hash: hashOf(number), parentHash: hashOf(number - 1), timestamp, logs };
}
