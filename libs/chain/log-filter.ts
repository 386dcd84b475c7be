import type { BlockHeader } from './block-header.js';
import { bloomMayContain, isEmptyBloom } from './bloom.js';
import type { RpcLog } from './rpc-log.js';

/** Logs of any of these contracts with any of these first topics; all in lower case. */
export interface LogFilter {
  readonly addresses: readonly string[];
  readonly topics: readonly string[];
}

/** The filter's part of the parameter of `eth_getLogs`. */
export function filterParams(filter: LogFilter): object {
  return { address: filter.addresses, topics: [filter.topics] };
}

/** Whether a log is one that the filter asks for. */
export function isWanted(log: Pick<RpcLog, 'address' | 'topics'>, filter: LogFilter): boolean {
  return filter.addresses.includes(log.address) && filter.topics.includes(log.topics[0] ?? '');
}

/**
 * What a header's bloom says of wanted logs: `none` surely (where blooms are kept by the standard), `maybe`, or `unknown`:
 * an empty bloom is that of a block without logs, and of every block of a chain that doesn't keep blooms.
 */
export function bloomVerdict(header: BlockHeader, filter: LogFilter): 'none' | 'maybe' | 'unknown' {
  if (isEmptyBloom(header.logsBloom)) return 'unknown';
  const may = (value: string) => bloomMayContain(header.logsBloom, value);
  return filter.addresses.some(may) && filter.topics.some(may) ? 'maybe' : 'none';
}
