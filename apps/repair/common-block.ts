import type { BlockHeader } from '#libs/chain/block-header.js';
import type { ChainClient } from '#libs/chain/chain-client.js';
import type { Database } from '#libs/database/database.js';
import { rowHashesBelow } from '#libs/database/take-back-finality.js';
import type { ProgressLine } from '#libs/telemetry/progress-line.js';

/** Heights per batch of headers. */
const HEIGHTS_PER_BATCH = 50;
/**
 * So many heights with rows must agree in a row. Not the first that agrees: history may have been stored from the new branch above
 * rows of the old one.
 */
const AGREEING = 1_000;

/** What is looked at, and with what. */
interface Search {
  readonly chainId: number;
  readonly client: ChainClient;
  readonly database: Database;
  readonly progress: ProgressLine;
  readonly stop: AbortSignal;
}

/**
 * The highest block below which, itself included, the stored rows stand in blocks that the chain has; null when there is none.
 * Only rows tell what was stored: a block without rows can't be compared, so one with rows is looked for.
 * @param below recorded finality, whose block the chain doesn't have. @throws RpcUnavailable, AbortError
 */
export async function highestCommonBlock(search: Search, below: number): Promise<BlockHeader | null> {
  const { chainId, client, database, progress, stop } = search;
  let common: BlockHeader | null = null;
  let agreeing = 0;
  for (let at = below - 1; agreeing < AGREEING; ) {
    stop.throwIfAborted();
    const stored = await rowHashesBelow(database.statements, chainId, at, HEIGHTS_PER_BATCH);
    if (!stored.length) break;
    const headers = await client.use((endpoint) => endpoint.headersAt(stored.map((s) => s.number)), {
      from: stored.at(-1)!.number,
    });
    for (const [i, { hashes }] of stored.entries()) {
      if (hashes.some((hash) => hash !== headers[i]!.hash)) {
        common = null;
        agreeing = 0;
        continue;
      }
      common ??= headers[i]!;
      agreeing++;
    }
    at = stored.at(-1)!.number - 1;
    progress.show(`looking for the highest common block: ${at + 1}`);
  }
  return common;
}
