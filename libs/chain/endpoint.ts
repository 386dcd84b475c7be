import type { ChainLog } from '#libs/events/log.js';
import { urlHost } from '#libs/telemetry/redact.js';
import { type BlockHeader, parseHeader } from './block-header.js';
import { bloomMayContain, explainsBloom, isEmptyBloom } from './bloom.js';
import { MalformedValue, quantity, toQuantity } from './hex.js';
import { LogRange } from './log-range.js';
import { RpcError, type RpcErrorKind } from './rpc-error.js';
import { byPosition, parseLogs, type RpcLog } from './rpc-log.js';
import { openTransport, type RpcCall, type RpcReply, type RpcTransport } from './rpc-transport.js';

/** When a block counts as final: by the node's `finalized` tag, or at a depth below the head. */
export type FinalityRule =
  | { readonly kind: 'tag' }
  | { readonly kind: 'depth'; readonly confirmations: number };

/** Logs of any of these contracts with any of these first topics. */
export interface LogFilter {
  readonly addresses: readonly string[];
  readonly topics: readonly string[];
}

/** What an endpoint shows at one moment. */
export interface ChainView {
  readonly head: BlockHeader;
  /** The final block; its header is null when the endpoint doesn't have it. */
  readonly finalized: { readonly number: number; readonly header: BlockHeader | null };
  /** Headers at the heights asked for; null where the endpoint has none. */
  readonly at: ReadonlyMap<number, BlockHeader | null>;
}

/** Calls per JSON-RPC batch at most; larger ones are split. */
const BATCH_CALLS = 50;

/** One RPC endpoint of a chain. All methods throw RpcError. */
export class Endpoint {
  readonly host: string;
  /** How many blocks one request for logs may span here. */
  readonly range: LogRange;
  private readonly transport: RpcTransport;

  constructor(url: string, batchSize: number) {
    this.host = urlHost(url);
    this.range = new LogRange(batchSize);
    this.transport = openTransport(url);
  }

  /** The chain's id as the node says it. */
  async chainId(): Promise<number> {
    const [reply] = await this.send([{ method: 'eth_chainId', params: [] }]);
    return this.read('eth_chainId', reply!, (result) => quantity(result, 'chain id'));
  }

  /** Whether the node knows the `finalized` tag. */
  async knowsFinalizedTag(): Promise<boolean> {
    const [reply] = await this.send([blockCall('finalized')]);
    return 'result' in reply! && reply.result !== null;
  }

  /** Head, final block and the headers at some heights, in one batch. */
  async observe(heights: readonly number[], finality: FinalityRule): Promise<ChainView> {
    const tags = finality.kind === 'tag' ? ['latest', 'finalized'] : ['latest'];
    const replies = await this.send([...tags, ...heights].map(blockCall));
    const [head, tagged] = tags.map((_, i) => this.header(replies[i]!));
    if (!head) throw this.error('head_behind', 'eth_getBlockByNumber', 'shows no latest block');
    if (finality.kind === 'tag' && !tagged)
      throw this.error('head_behind', 'eth_getBlockByNumber', 'shows no finalized block');
    const at = new Map(
      heights.map((height, i) => [height, this.headerAt(replies[tags.length + i]!, height)]),
    );
    const number =
      finality.kind === 'tag' ? tagged!.number : Math.max(0, head.number - finality.confirmations);
    const header = tagged ?? at.get(number) ?? (number === head.number ? head : await this.oneHeader(number));
    return { head, finalized: { number, header }, at };
  }

  /** The headers of [from, to]; a block that the endpoint doesn't have is `head_behind`. */
  async headers(from: number, to: number): Promise<BlockHeader[]> {
    return this.headersAt(Array.from({ length: to - from + 1 }, (_, i) => from + i));
  }

  /**
   * The wanted logs of each block, by block hash, which a node that doesn't have the block refuses.
   * Where the bloom proves absence, nothing is asked; where it says "maybe" and the answer is empty, the block's logs must
   * explain every bit of its bloom, else some are missing here (`bad_data`).
   */
  async blockLogs(
    headers: readonly BlockHeader[],
    filter: LogFilter,
    options: { readonly bloomProvesAbsence: boolean },
  ): Promise<ChainLog[][]> {
    const asked = headers.filter(
      (h) => !options.bloomProvesAbsence || isEmptyBloom(h.logsBloom) || mayHold(h, filter),
    );
    const replies = await this.send(asked.map((h) => logsCall({ blockHash: h.hash, ...wanted(filter) })));
    const found = new Map<string, ChainLog[]>();
    for (const [i, header] of asked.entries()) {
      const logs = this.read('eth_getLogs', replies[i]!, parseLogs);
      this.assertLogsOf(
        logs,
        filter,
        (log) => log.blockHash === header.hash && log.blockNumber === header.number,
      );
      if (!logs.length && !isEmptyBloom(header.logsBloom) && mayHold(header, filter))
        await this.proveAbsence(header, filter);
      found.set(
        header.hash,
        logs.sort(byPosition).map((log) => ({ ...log, blockTimestamp: header.timestamp })),
      );
    }
    return headers.map((header) => found.get(header.hash) ?? []);
  }

  /**
   * The wanted logs of blocks [from, to], in order. The header of `to` comes in the same batch: a node that doesn't have
   * that block answers "empty" wrongly, or clamps the range in silence. A refused range shrinks this endpoint's `range`.
   */
  async rangeLogs(from: number, to: number, filter: LogFilter): Promise<ChainLog[]> {
    const query = { fromBlock: toQuantity(from), toBlock: toQuantity(to), ...wanted(filter) };
    const [logsReply, headerReply] = await this.sendRange(from, to, [logsCall(query), blockCall(to)]);
    const logs = this.read('eth_getLogs', logsReply!, parseLogs).sort(byPosition);
    const last = this.headerAt(headerReply!, to);
    if (!last)
      throw this.error(
        'head_behind',
        'eth_getLogs',
        `doesn't have block ${to}: its answer may be incomplete`,
      );
    this.range.grow(to - from + 1);
    this.assertLogsOf(logs, filter, (log) => log.blockNumber >= from && log.blockNumber <= to);
    return this.timestamped(logs, last);
  }

  /** Calls back on every new head, if the endpoint can tell; else null. */
  onNewHead(listener: () => void): (() => void) | null {
    return this.transport.onNewHead(listener);
  }

  close(): void {
    this.transport.close();
  }

  private async sendRange(from: number, to: number, calls: readonly RpcCall[]): Promise<RpcReply[]> {
    const tooMuch: RpcErrorKind[] = ['suggested_range', 'range_limit', 'result_cap', 'timeout'];
    const shrinkOn = (error: unknown) => {
      if (error instanceof RpcError && tooMuch.includes(error.kind)) this.range.shrink(to - from + 1, error);
    };
    const replies = await this.send(calls).catch((error: unknown) => {
      shrinkOn(error);
      throw error;
    });
    if ('error' in replies[0]!) shrinkOn(replies[0].error);
    return replies;
  }

  /** An empty answer where the bloom says "maybe" is believed only if the block's other logs explain the bloom. */
  private async proveAbsence(header: BlockHeader, filter: LogFilter): Promise<void> {
    const [reply] = await this.send([logsCall({ blockHash: header.hash })]);
    const all = this.read('eth_getLogs', reply!, parseLogs);
    const wantedOnes = all.some((log) => isWanted(log, filter));
    if (wantedOnes || !explainsBloom(all, header.logsBloom)) {
      const message = `its logs of block ${header.number} are incomplete: the block's bloom promises more`;
      throw this.error('bad_data', 'eth_getLogs', message);
    }
  }

  /** Gives every log its block's time: from the log where the node tells it, else from headers, in batches. */
  private async timestamped(logs: readonly RpcLog[], last: BlockHeader): Promise<ChainLog[]> {
    const hashes = new Map<number, string>([[last.number, last.hash]]);
    for (const { blockNumber, blockHash } of logs) {
      if ((hashes.get(blockNumber) ?? blockHash) !== blockHash) {
        throw this.error('bad_data', 'eth_getLogs', `two hashes for block ${blockNumber}`);
      }
      hashes.set(blockNumber, blockHash);
    }
    const without = [
      ...new Set(logs.filter((l) => l.blockTimestamp === undefined).map((l) => l.blockNumber)),
    ];
    const headers = await this.headersAt(without.filter((number) => number !== last.number));
    const times = new Map([...headers, last].map((header) => [header.hash, header.timestamp]));
    return logs.map((log) => {
      const blockTimestamp = log.blockTimestamp ?? times.get(log.blockHash);
      if (blockTimestamp !== undefined) return { ...log, blockTimestamp };
      throw this.error('bad_data', 'eth_getLogs', `block ${log.blockNumber} has another hash than its logs`);
    });
  }

  private async headersAt(numbers: readonly number[]): Promise<BlockHeader[]> {
    const replies = await this.send(numbers.map(blockCall));
    return numbers.map((number, i) => {
      const header = this.headerAt(replies[i]!, number);
      if (!header) throw this.error('head_behind', 'eth_getBlockByNumber', `doesn't have block ${number}`);
      return header;
    });
  }

  private async oneHeader(number: number): Promise<BlockHeader | null> {
    const [reply] = await this.send([blockCall(number)]);
    return this.headerAt(reply!, number);
  }

  private header(reply: RpcReply): BlockHeader | null {
    return this.read('eth_getBlockByNumber', reply, parseHeader);
  }

  private headerAt(reply: RpcReply, number: number): BlockHeader | null {
    const header = this.header(reply);
    if (header && header.number !== number) {
      throw this.error(
        'bad_data',
        'eth_getBlockByNumber',
        `answered block ${header.number} for block ${number}`,
      );
    }
    return header;
  }

  private assertLogsOf(logs: readonly RpcLog[], filter: LogFilter, inPlace: (log: RpcLog) => boolean): void {
    const stray = logs.find((log) => !inPlace(log) || !isWanted(log, filter));
    if (!stray) return;
    const message = `answered a log that wasn't asked for: block ${stray.blockNumber} (${stray.blockHash}), ${stray.address}`;
    throw this.error('bad_data', 'eth_getLogs', message);
  }

  private async send(calls: readonly RpcCall[]): Promise<RpcReply[]> {
    const replies: RpcReply[] = [];
    for (let i = 0; i < calls.length; i += BATCH_CALLS) {
      replies.push(...(await this.transport.send(calls.slice(i, i + BATCH_CALLS))));
    }
    return replies;
  }

  private read<T>(method: string, reply: RpcReply, parse: (result: unknown) => T): T {
    if ('error' in reply) throw reply.error;
    try {
      return parse(reply.result);
    } catch (error) {
      if (error instanceof MalformedValue) throw this.error('bad_data', method, error.message);
      throw error;
    }
  }

  private error(kind: RpcErrorKind, method: string, message: string): RpcError {
    return new RpcError({ kind, host: this.host, method, message });
  }
}

function blockCall(block: number | string): RpcCall {
  return {
    method: 'eth_getBlockByNumber',
    params: [typeof block === 'number' ? toQuantity(block) : block, false],
  };
}

function logsCall(query: object): RpcCall {
  return { method: 'eth_getLogs', params: [query] };
}

function wanted(filter: LogFilter): object {
  return { address: filter.addresses, topics: [filter.topics] };
}

function isWanted(log: RpcLog, filter: LogFilter): boolean {
  return filter.addresses.includes(log.address) && filter.topics.includes(log.topics[0] ?? '');
}

function mayHold(header: BlockHeader, filter: LogFilter): boolean {
  const may = (value: string) => bloomMayContain(header.logsBloom, value);
  return filter.addresses.some(may) && filter.topics.some(may);
}
