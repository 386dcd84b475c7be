import type { ChainClient } from '#libs/chain/chain-client.js';
import type { Endpoint, LogFilter } from '#libs/chain/endpoint.js';
import type { Difference } from '#libs/database/compare-rows.js';
import { logKey } from '#libs/events/log.js';

/** Blocks per batch of headers and of logs. */
const BLOCKS_PER_BATCH = 50;

/** What the second look found. */
export interface SecondLook {
  /** Rows that no endpoint shows. */
  readonly gone: readonly Difference[];
  /** Why the others may not be taken away, in words; empty when all are gone. */
  readonly doubts: readonly string[];
}

/**
 * Looks again for rows that a range of the chain lacked, before they are taken away: by block hash instead of by range, at every
 * endpoint. One endpoint that shows a row keeps it, and so do too few answers: of several endpoints two must have
 * answered. A node whose index has a hole thus does no harm; what all of them conceal the fetcher's own RPC brings back.
 */
export async function lookAgain(
  client: ChainClient,
  filter: LogFilter,
  extra: readonly Difference[],
): Promise<SecondLook> {
  const answers = await client.askAll((endpoint) => shownBy(endpoint, filter, extra));
  const doubts: string[] = [];
  const shown = new Set<string>();
  for (const answer of answers) {
    if (answer.error) doubts.push(answer.error.message);
    else if (answer.answer.size) doubts.push(`${answer.host} shows ${answer.answer.size} of them`);
    for (const key of answer.answer ?? []) shown.add(key);
  }
  const answered = answers.filter((answer) => !answer.error).length;
  if (answered < Math.min(2, answers.length)) return { gone: [], doubts };
  const gone = extra.filter((row) => !shown.has(keyOf(row)));
  return { gone, doubts: gone.length < extra.length ? doubts : [] };
}

/** Keys of those rows that an endpoint shows in the blocks in which they are stored. */
async function shownBy(
  endpoint: Endpoint,
  filter: LogFilter,
  rows: readonly Difference[],
): Promise<Set<string>> {
  const shown = new Set<string>();
  const heights = [...new Set(rows.map((row) => row.blockNumber))].sort((a, b) => a - b);
  for (let i = 0; i < heights.length; i += BLOCKS_PER_BATCH) {
    const headers = await endpoint.headersAt(heights.slice(i, i + BLOCKS_PER_BATCH));
    const stored = new Set(rows.map((row) => row.blockHash));
    const same = headers.filter((header) => stored.has(header.hash));
    // the bloom is not asked: a chain that keeps none has an empty one
    const logs = await endpoint.blockLogs(same, filter, { bloomProvesAbsence: false });
    for (const log of logs.flatMap((block) => block.logs)) shown.add(`${logKey(log)} ${log.blockHash}`);
  }
  const wanted = new Set(rows.map(keyOf));
  return new Set([...shown].filter((key) => wanted.has(key)));
}

function keyOf(row: Difference): string {
  return `${logKey(row)} ${row.blockHash}`;
}
