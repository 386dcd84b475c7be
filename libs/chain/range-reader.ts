import { isDeepStrictEqual } from 'node:util';
import type { ChainLog } from '#libs/events/log.js';
import { type AnswerReader, blockCall, chainIdCall } from './answer-reader.js';
import type { BlockHeader } from './block-header.js';
import { toQuantity } from './hex.js';
import type { RpcCall, RpcReply } from './json-rpc.js';
import { filterParams, isWanted, type LogFilter } from './log-filter.js';
import { RpcError, type RpcErrorKind } from './rpc-error.js';
import { byPosition, parseLogs, type RpcLog } from './rpc-log.js';
import type { RpcConnection } from './rpc-transport.js';

/**
 * Where an endpoint takes no batches, a range must end this far below its head, in seconds of the chain's time: behind a load
 * balancer the header may come from another node than the logs, and a node that lags is out of service long before that.
 */
const UNBATCHED_MARGIN_SECONDS = 60;

const ANCHOR_WORDS = { other_final_block: 'stored as final', bad_data: 'said' };

/** A block that an endpoint must show for its logs to be of our branch. */
export interface Anchor {
  readonly number: number;
  readonly hash: string;
  /** What it means when another block is shown there: that ours is recorded as final, or that the chain may have changed. */
  readonly otherwise: 'other_final_block' | 'bad_data';
}

/**
 * Reads logs by range, such that they can be believed: the header of the last block comes in the same batch, since a node that
 * doesn't have that block answers "empty" wrongly, or clamps the range in silence; and so does the chain's id, since nothing else
 * ties a range to a chain, and a name may come to lead to a node of another one, where the same contract has other events.
 * Neither tells a node of a fork, or one that is left on a dead branch, below what is final for us: a caller who knows a block names
 * it as anchor, and its header comes in the batch as well, each time, since behind a balancer each answer may be another node's.
 * An endpoint that doesn't take all that in one batch is asked for the logs twice, with the rest between (seen in the torture
 * test: a name that led to another chain for a second, just between the logs and the id, and the other chain's logs were stored).
 */
export class RangeReader {
  /** Time of the newest head that the endpoint has shown, in Unix seconds. */
  private headTime = 0;

  /** @param expectedChainId chain that the logs must be of; unset: any. */
  constructor(
    private readonly connection: RpcConnection,
    private readonly answers: AnswerReader,
    private readonly expectedChainId: number | undefined,
  ) {}

  /** Takes note of a head. */
  sawHead({ timestamp }: BlockHeader): void {
    this.headTime = Math.max(this.headTime, timestamp);
  }

  /**
   * The wanted logs of blocks [from, to], in order, with their times.
   * @param anchor not below `to`. @throws RpcError
   */
  async logs(from: number, to: number, filter: LogFilter, anchor?: Anchor): Promise<ChainLog[]> {
    const query = { fromBlock: toQuantity(from), toBlock: toQuantity(to), ...filterParams(filter) };
    const calls = [{ method: 'eth_getLogs', params: [query] }, blockCall(to)];
    if (this.expectedChainId !== undefined) calls.push(chainIdCall);
    const isApart = anchor !== undefined && anchor.number !== to;
    if (isApart) calls.push(blockCall(anchor.number));
    const { replies, together } = await this.connection.sendTelling(calls, 'history');
    const [logsReply, headerReply, chainIdReply] = replies;
    const logs = this.read(logsReply!);
    const last = this.answers.headerAt(headerReply!, to);
    if (this.expectedChainId !== undefined) this.answers.assertChain(chainIdReply!, this.expectedChainId);
    if (!last) throw this.error('head_behind', `doesn't have block ${to}: its answer may be incomplete`);
    if (anchor)
      this.assertShown(anchor, isApart ? this.answers.headerAt(replies.at(-1)!, anchor.number) : last);
    if (together < 2) await this.assertDeep(last);
    if (together < calls.length) await this.assertSame(calls[0]!, logs);
    assertWanted(this.answers, logs, filter);
    const outside = logs.find((log) => log.blockNumber < from || log.blockNumber > to);
    if (outside) {
      const message = `answered a log of block ${outside.blockNumber} for blocks ${from} to ${to}`;
      throw this.error('bad_data', message);
    }
    return this.timestamped(logs, last);
  }

  private read(reply: RpcReply): RpcLog[] {
    return this.answers.read('eth_getLogs', reply, parseLogs).sort(byPosition);
  }

  /** Asks for the logs once more. @throws RpcError when they aren't the same. */
  private async assertSame(call: RpcCall, logs: readonly RpcLog[]): Promise<void> {
    const [reply] = await this.connection.send([call], 'history');
    if (isDeepStrictEqual(this.read(reply!), logs)) return;
    throw this.error(
      'bad_data',
      'gives other logs each time it is asked, and takes no batches that would tell which are right',
    );
  }

  private assertShown({ number, hash, otherwise }: Anchor, shown: BlockHeader | null): void {
    if (shown?.hash === hash) return;
    const [kind, message] = shown
      ? [otherwise, `shows block ${number} as ${shown.hash}, ${ANCHOR_WORDS[otherwise]} is ${hash}`]
      : ['head_behind' as const, `doesn't show block ${number}, which is final`];
    throw this.answers.error(kind, 'eth_getBlockByNumber', message);
  }

  /** Without batches nothing ties a range's logs to a node that has its last block: it must lie well below the head. */
  private async assertDeep(last: BlockHeader): Promise<void> {
    if (this.headTime - last.timestamp < UNBATCHED_MARGIN_SECONDS) {
      const [reply] = await this.connection.send([blockCall('latest')], 'history');
      this.headTime = Math.max(this.headTime, this.answers.header(reply!)?.timestamp ?? 0);
    }
    const believedTo = this.headTime - UNBATCHED_MARGIN_SECONDS;
    if (last.timestamp <= believedTo) return;
    const message = `takes no batches, so block ${last.number} must be ${UNBATCHED_MARGIN_SECONDS} s below its head before its logs can be believed`;
    const { host } = this.connection;
    throw new RpcError({ kind: 'head_behind', host, method: 'eth_getLogs', message, believedTo });
  }

  /**
   * Gives every log its block's time: from the log where the node tells it, else from headers, in batches. What a log says of the last
   * block must be what that block's header says.
   */
  private async timestamped(logs: readonly RpcLog[], last: BlockHeader): Promise<ChainLog[]> {
    const hashes = new Map<number, string>([[last.number, last.hash]]);
    for (const { blockNumber, blockHash } of logs) {
      if ((hashes.get(blockNumber) ?? blockHash) !== blockHash) {
        throw this.error('bad_data', `two hashes for block ${blockNumber}`);
      }
      hashes.set(blockNumber, blockHash);
    }
    const without = [
      ...new Set(logs.filter((l) => l.blockTimestamp === undefined).map((l) => l.blockNumber)),
    ];
    const headers = await this.answers.headersAt(
      without.filter((number) => number !== last.number),
      'history',
    );
    const times = new Map([...headers, last].map((header) => [header.hash, header.timestamp]));
    return logs.map((log) => {
      const shown = times.get(log.blockHash);
      const blockTimestamp = log.blockTimestamp ?? shown;
      if (blockTimestamp === undefined)
        throw this.error('bad_data', `block ${log.blockNumber} has another hash than its logs`);
      if (blockTimestamp === (shown ?? blockTimestamp)) return { ...log, blockTimestamp };
      throw this.error(
        'bad_data',
        `a log of block ${log.blockNumber} says time ${blockTimestamp}, its header ${shown}`,
      );
    });
  }

  private error(kind: RpcErrorKind, message: string): RpcError {
    return this.answers.error(kind, 'eth_getLogs', message);
  }
}

/** @throws RpcError when there is a log that the filter doesn't ask for. */
export function assertWanted(answers: AnswerReader, logs: readonly RpcLog[], filter: LogFilter): void {
  const stray = logs.find((log) => !isWanted(log, filter));
  if (!stray) return;
  const message = `answered a log that wasn't asked for: ${stray.address} ${stray.topics[0]} in block ${stray.blockNumber}`;
  throw answers.error('bad_data', 'eth_getLogs', message);
}
