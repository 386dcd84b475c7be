import type { Block } from './block.js';
import type { PlacedLog, PlacedTransaction } from './block-contents.js';
import type { ChainView } from './chain-view.js';
import { invalidParams, RpcError } from './rpc-error.js';
import { addressParameter, hashParameter, heightOf, objectParameter } from './rpc-params.js';

/** What a provider refuses; without a limit everything is answered. */
export interface LogLimits {
  /** Blocks in one eth_getLogs, both ends counted. */
  readonly maxRange?: number;
  /** Logs in one answer. */
  readonly maxResults?: number;
  /**
   * What is answered about blocks that the node doesn't have. By default a range ends at the head in silence and an unknown
   * hash is an error, as geth does; `empty` has no logs for the hash either, and with `error` a range may not end above the head.
   */
  readonly missingBlocks?: 'empty' | 'error';
}

/** A log with the places that it has in the chain. */
export interface FoundLog {
  readonly block: Block;
  readonly placed: PlacedTransaction;
  readonly log: PlacedLog;
}

/**
 * The logs that an `eth_getLogs` filter object asks for, in chain order.
 * @throws RpcError -32602 for a malformed filter, -32000 for a block hash that isn't canonical, and what providers say beyond a limit.
 */
export function searchLogs(chain: ChainView, parameter: unknown, limits: LogLimits): FoundLog[] {
  const filter = objectParameter(parameter);
  const matches = logMatcher(filter);
  if (filter.blockHash !== undefined) return searchBlock(chain, filter, matches, limits);
  const from = heightOf(chain, filter.fromBlock ?? 'latest');
  const to = heightOf(chain, filter.toBlock ?? 'latest');
  if (from > to) throw new RpcError(-32602, 'invalid block range params');
  if (limits.missingBlocks === 'error' && to > chain.head) throw beyondHead(chain.head, to);
  const { maxRange = Number.POSITIVE_INFINITY, maxResults = Number.POSITIVE_INFINITY } = limits;
  if (to - from + 1 > maxRange) throw new RpcError(-32701, `exceed maximum block range: ${maxRange}`);
  const found: FoundLog[] = [];
  for (const block of chain.blocksWithTransactions(from, to)) {
    for (const one of logsOf(block)) if (matches(one.log)) found.push(one);
    if (found.length > maxResults) throw tooManyResults(maxResults, from, block.number);
  }
  return found;
}

type LogMatcher = (log: PlacedLog) => boolean;

function searchBlock(
  chain: ChainView,
  filter: Record<string, unknown>,
  matches: LogMatcher,
  { missingBlocks }: LogLimits,
): FoundLog[] {
  if (filter.fromBlock !== undefined || filter.toBlock !== undefined)
    throw invalidParams('blockHash goes neither with fromBlock nor with toBlock');
  const block = chain.blockByHash(hashParameter(filter.blockHash));
  if (!block && missingBlocks === 'empty') return [];
  if (!block) throw new RpcError(-32000, 'unknown block');
  return logsOf(block).filter(({ log }) => matches(log));
}

/** All logs of a block in order. */
function logsOf(block: Block): FoundLog[] {
  return block.transactions.flatMap((placed) => placed.logs.map((log) => ({ block, placed, log })));
}

/** Each height has the words of one of the providers that refuse instead of clamping. */
function beyondHead(head: number, to: number): RpcError {
  const words: readonly [number, string][] = [
    [-32000, `requested to block ${to} after last accepted block ${head}`],
    [-32602, 'block range extends beyond current head block'],
    [
      -32014,
      `block not available: block not found for eth_getLogs, requested toBlock ${to} is not yet available on the node`,
    ],
    [-32603, 'ErrUpstreamBlockUnavailable: upstream does not have the requested block yet'],
  ];
  return new RpcError(...words[to % words.length]!);
}

/** As Infura says it, a range that fits included. */
function tooManyResults(maxResults: number, from: number, overflowing: number): RpcError {
  const [first, last] = [from, Math.max(from, overflowing - 1)].map((height) => `0x${height.toString(16)}`);
  return new RpcError(
    -32005,
    `query returned more than ${maxResults} results. Try with this block range [${first}, ${last}].`,
    { from: first, to: last, limit: maxResults },
  );
}

function logMatcher(filter: Record<string, unknown>): LogMatcher {
  const addresses = alternatives(filter.address, addressParameter);
  const topics = topicAlternatives(filter.topics);
  return (log) =>
    (addresses === undefined || addresses.has(log.address)) &&
    log.topics.length >= topics.length &&
    topics.every((allowed, position) => allowed === undefined || allowed.has(log.topics[position]!));
}

function topicAlternatives(parameter: unknown): (ReadonlySet<string> | undefined)[] {
  if (parameter === undefined || parameter === null) return [];
  if (!Array.isArray(parameter) || parameter.length > 4)
    throw invalidParams('topics is an array of 4 entries at most');
  return parameter.map((entry) => alternatives(entry, hashParameter));
}

/** One value, several of which one must match, or (nothing, null, an empty list) any. */
function alternatives(parameter: unknown, parse: (one: unknown) => string): ReadonlySet<string> | undefined {
  if (parameter === undefined || parameter === null) return undefined;
  if (!Array.isArray(parameter)) return new Set([parse(parameter)]);
  return parameter.length > 0 ? new Set(parameter.map(parse)) : undefined;
}
