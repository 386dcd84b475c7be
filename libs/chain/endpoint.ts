import type { ChainLog } from '#libs/events/log.js';
import { type BlockHeader, parseHeader } from './block-header.js';
import { explainsBloom } from './bloom.js';
import { MalformedValue, quantity, toQuantity } from './hex.js';
import type { RpcCall, RpcReply } from './json-rpc.js';
import { bloomVerdict, filterParams, isWanted, type LogFilter } from './log-filter.js';
import { LogRange } from './log-range.js';
import { RpcError, type RpcErrorKind } from './rpc-error.js';
import { byPosition, parseLogs, type RpcLog } from './rpc-log.js';
import { type RequestLimits, RpcConnection } from './rpc-transport.js';

export type { LogFilter };

/** When a block counts as final: by the node's `finalized` tag, or at a depth below the head. */
export type FinalityRule =
  | { readonly kind: 'tag' }
  | { readonly kind: 'depth'; readonly confirmations: number };

/** What an endpoint shows at one moment. */
export interface ChainView {
  readonly head: BlockHeader;
  /** The final block; its header is null when the endpoint doesn't have it. */
  readonly finalized: { readonly number: number; readonly header: BlockHeader | null };
  /** Headers at the heights asked for; null where the endpoint has none. */
  readonly at: ReadonlyMap<number, BlockHeader | null>;
}

/** Failures of a request for the tag that would befall any request. */
const saysNothingOfTag: ReadonlySet<RpcErrorKind> = new Set(['auth', 'rate_limit', 'timeout']);

/** One RPC endpoint of a chain. All methods throw RpcError. */
export class Endpoint {
  /** How many blocks one request for logs may span here. */
  readonly range: LogRange;
  private readonly connection: RpcConnection;

  /** @param batchSize blocks per request for logs at most. @throws TypeError when the URL isn't one. */
  constructor(url: string, batchSize: number, limits: Partial<RequestLimits> = {}) {
    this.range = new LogRange(batchSize);
    this.connection = new RpcConnection(url, limits);
  }

  /** Host and port; URLs may hold keys. */
  get host(): string {
    return this.connection.host;
  }

  /** Changes when another node may answer from now on: a WebSocket ended. */
  get session(): number {
    return this.connection.session;
  }

  /** The chain's id as the node says it. */
  async chainId(): Promise<number> {
    const [reply] = await this.connection.send([{ method: 'eth_chainId', params: [] }]);
    return this.read('eth_chainId', reply!, (result) => quantity(result, 'chain id'));
  }

  /**
   * Whether the node knows the `finalized` tag. One that answers `latest` but refuses `finalized` or has null for it doesn't;
   * a failure that says nothing of the tag is thrown.
   */
  async knowsFinalizedTag(): Promise<boolean> {
    const [head, tagged] = await this.connection.send([blockCall('latest'), blockCall('finalized')]);
    if (!this.header(head!)) throw this.blockError('head_behind', 'shows no latest block');
    if ('result' in tagged!) return this.header(tagged) !== null;
    if (saysNothingOfTag.has(tagged!.error.kind)) throw tagged!.error;
    return false;
  }

  /** Head, final block and the headers at some heights, in one batch. */
  async observe(heights: readonly number[], finality: FinalityRule): Promise<ChainView> {
    const tags = finality.kind === 'tag' ? ['latest', 'finalized'] : ['latest'];
    const replies = await this.connection.send([...tags, ...heights].map(blockCall));
    const [head, tagged] = tags.map((_, i) => this.header(replies[i]!));
    if (!head) throw this.blockError('head_behind', 'shows no latest block');
    if (finality.kind === 'tag' && !tagged) throw this.blockError('head_behind', 'shows no finalized block');
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
    const verdicts = headers.map((header) => ({ header, verdict: bloomVerdict(header, filter) }));
    const asked = verdicts.filter(({ verdict }) => verdict !== 'none' || !options.bloomProvesAbsence);
    const params = filterParams(filter);
    const replies = await this.connection.send(asked.map(({ header }) => logsOfBlock(header, params)));
    const found = new Map<string, ChainLog[]>();
    for (const [i, { header, verdict }] of asked.entries()) {
      const logs = this.logsOf(header, replies[i]!);
      this.assertWanted(logs, filter);
      if (!logs.length && verdict === 'maybe') await this.proveAbsence(header, filter);
      const blockTimestamp = header.timestamp;
      found.set(
        header.hash,
        logs.sort(byPosition).map((log) => ({ ...log, blockTimestamp })),
      );
    }
    return headers.map((header) => found.get(header.hash) ?? []);
  }

  /**
   * The wanted logs of blocks [from, to], in order. The header of `to` comes in the same batch: a node that doesn't have
   * that block answers "empty" wrongly, or clamps the range in silence. A refused range shrinks this endpoint's `range`.
   */
  async rangeLogs(from: number, to: number, filter: LogFilter): Promise<ChainLog[]> {
    try {
      const logs = await this.logsOfRange(from, to, filter);
      this.range.grow(to - from + 1);
      return logs;
    } catch (error) {
      if (error instanceof RpcError && error.method.startsWith('eth_getLogs'))
        this.range.shrink(from, to, error);
      throw error;
    }
  }

  /** An error about a block that this endpoint showed, for a caller who finds that blocks don't fit together. */
  blockError(kind: RpcErrorKind, message: string): RpcError {
    return this.error(kind, 'eth_getBlockByNumber', message);
  }

  /** Calls back on every new head, if the endpoint can tell; else null. */
  onNewHead(listener: () => void): (() => void) | null {
    return this.connection.onNewHead(listener);
  }

  close(): void {
    this.connection.close();
  }

  private async logsOfRange(from: number, to: number, filter: LogFilter): Promise<ChainLog[]> {
    const query = { fromBlock: toQuantity(from), toBlock: toQuantity(to), ...filterParams(filter) };
    const calls = [{ method: 'eth_getLogs', params: [query] }, blockCall(to)];
    const [logsReply, headerReply] = await this.connection.send(calls);
    const logs = this.read('eth_getLogs', logsReply!, parseLogs).sort(byPosition);
    const last = this.headerAt(headerReply!, to);
    if (!last) {
      const message = `doesn't have block ${to}: its answer may be incomplete`;
      throw this.error('head_behind', 'eth_getLogs', message);
    }
    this.assertWanted(logs, filter);
    const outside = logs.find((log) => log.blockNumber < from || log.blockNumber > to);
    if (outside) {
      const message = `answered a log of block ${outside.blockNumber} for blocks ${from} to ${to}`;
      throw this.error('bad_data', 'eth_getLogs', message);
    }
    return this.timestamped(logs, last);
  }

  /** An empty answer where the bloom says "maybe" is believed only if the block's other logs explain the bloom. */
  private async proveAbsence(header: BlockHeader, filter: LogFilter): Promise<void> {
    const [reply] = await this.connection.send([logsOfBlock(header, {})]);
    const all = this.logsOf(header, reply!);
    if (explainsBloom(all, header.logsBloom) && !all.some((log) => isWanted(log, filter))) return;
    const message = `its logs of block ${header.number} are incomplete: the block's bloom promises more`;
    throw this.error('bad_data', 'eth_getLogs', message);
  }

  /** Reads the answer to a question by block hash; each log must be of that block. */
  private logsOf(header: BlockHeader, reply: RpcReply): RpcLog[] {
    const logs = this.read('eth_getLogs', reply, parseLogs);
    const { number, hash } = header;
    const stray = logs.find((log) => log.blockHash !== hash || log.blockNumber !== number);
    if (!stray) return logs;
    const message = `answered a log of block ${stray.blockNumber} (${stray.blockHash}) for block ${number} (${hash})`;
    throw this.error('bad_data', 'eth_getLogs', message);
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

  /** The headers at some heights; a block that the endpoint doesn't have is `head_behind`. */
  async headersAt(numbers: readonly number[]): Promise<BlockHeader[]> {
    const replies = await this.connection.send(numbers.map(blockCall));
    return numbers.map((number, i) => {
      const header = this.headerAt(replies[i]!, number);
      if (!header) throw this.blockError('head_behind', `doesn't have block ${number}`);
      return header;
    });
  }

  private async oneHeader(number: number): Promise<BlockHeader | null> {
    const [reply] = await this.connection.send([blockCall(number)]);
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

  private assertWanted(logs: readonly RpcLog[], filter: LogFilter): void {
    const stray = logs.find((log) => !isWanted(log, filter));
    if (!stray) return;
    const message = `answered a log that wasn't asked for: ${stray.address} ${stray.topics[0]} in block ${stray.blockNumber}`;
    throw this.error('bad_data', 'eth_getLogs', message);
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

function logsOfBlock(header: BlockHeader, params: object): RpcCall {
  return { method: 'eth_getLogs', params: [{ blockHash: header.hash, ...params }] };
}
