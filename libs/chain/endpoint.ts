import type { ChainAnswer } from '#libs/events/chain-values.js';
import type { ChainLog } from '#libs/events/log.js';
import { AnswerReader, blockCall, chainIdCall } from './answer-reader.js';
import type { BlockHeader } from './block-header.js';
import { bloomIsSaturated, explainsBloom } from './bloom.js';
import type { RpcCall, RpcReply } from './json-rpc.js';
import { bloomVerdict, filterParams, isWanted, type LogFilter } from './log-filter.js';
import { LogRange } from './log-range.js';
import { type Anchor, assertWanted, RangeReader } from './range-reader.js';
import { RpcError, type RpcErrorKind } from './rpc-error.js';
import { byPosition, parseLogs, type RpcLog } from './rpc-log.js';
import { type RequestLimits, type RequestObserver, RpcConnection } from './rpc-transport.js';
import { parseAnswer, type TransactionAnswers, transactionCall } from './transaction.js';

export type { Anchor, LogFilter };

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

/** The wanted logs of one block. */
export interface BlockLogs {
  /** In order, with the block's time. */
  readonly logs: ChainLog[];
  /** False when there are none and only the node's word stands for it: its log index may lag behind its headers. */
  readonly proven: boolean;
}

/** Failures of a request for the tag that would befall any request. */
const saysNothingOfTag: ReadonlySet<RpcErrorKind> = new Set(['auth', 'rate_limit', 'timeout']);

/** Refusals to give all logs of a block: some endpoints want an address, some cap answers. They say nothing of the wanted logs. */
const refusesWholeBlocks: ReadonlySet<RpcErrorKind> = new Set([
  'bad_endpoint',
  'range_limit',
  'result_cap',
  'suggested_range',
  'timeout',
]);

/** One RPC endpoint of a chain. All methods throw RpcError. */
export class Endpoint {
  /** How many blocks one request for logs may span here. */
  readonly range: LogRange;
  private readonly connection: RpcConnection;
  private readonly answers: AnswerReader;
  private readonly ranges: RangeReader;

  /**
   * @param batchSize blocks per request for logs at most.
   * @param expectedChainId chain that logs read by range, and first blocks, must be of; unset: any.
   * @throws TypeError when the URL isn't one.
   */
  constructor(
    url: string,
    batchSize: number,
    limits: Partial<RequestLimits> = {},
    onRequest?: RequestObserver,
    private readonly expectedChainId?: number,
  ) {
    this.range = new LogRange(batchSize);
    this.connection = new RpcConnection(url, limits, onRequest);
    this.answers = new AnswerReader(this.connection);
    this.ranges = new RangeReader(this.connection, this.answers, expectedChainId);
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
    const [reply] = await this.connection.send([chainIdCall]);
    return this.answers.chainId(reply!);
  }

  /**
   * Whether the node knows the `finalized` tag. One that answers `latest` but refuses `finalized` or has null for it doesn't;
   * a failure that says nothing of the tag is thrown.
   */
  async knowsFinalizedTag(): Promise<boolean> {
    const [head, tagged] = await this.connection.send([blockCall('latest'), blockCall('finalized')]);
    if (!this.answers.header(head!)) throw this.blockError('head_behind', 'shows no latest block');
    if ('result' in tagged!) return this.answers.header(tagged) !== null;
    if (saysNothingOfTag.has(tagged!.error.kind)) throw tagged!.error;
    return false;
  }

  /** Head, final block and the headers at some heights, in one batch. */
  async observe(heights: readonly number[], finality: FinalityRule): Promise<ChainView> {
    const tags = finality.kind === 'tag' ? ['latest', 'finalized'] : ['latest'];
    const replies = await this.connection.send([...tags, ...heights].map(blockCall));
    const [head, tagged] = tags.map((_, i) => this.answers.header(replies[i]!));
    if (!head) throw this.blockError('head_behind', 'shows no latest block');
    this.ranges.sawHead(head);
    if (finality.kind === 'tag' && !tagged) throw this.blockError('head_behind', 'shows no finalized block');
    const at = new Map(
      heights.map((height, i) => [height, this.answers.headerAt(replies[tags.length + i]!, height)]),
    );
    const number =
      finality.kind === 'tag' ? tagged!.number : Math.max(0, head.number - finality.confirmations);
    const header =
      tagged ?? at.get(number) ?? (number === head.number ? head : await this.answers.headerOrNull(number));
    return { head, finalized: { number, header }, at };
  }

  /**
   * Makes sure that a block which was shown here is of the configured chain, where nothing that is stored tells: the name may have
   * led to another chain's node for a moment. The chain's id is asked for before and after the block, in case they don't travel together.
   */
  async assertOnChain({ number, hash }: Pick<BlockHeader, 'number' | 'hash'>): Promise<void> {
    const calls = [chainIdCall, blockCall(number), chainIdCall];
    const [before, reply, after] = await this.connection.send(calls);
    for (const id of [before!, after!]) this.answers.assertChain(id, this.expectedChainId);
    const shown = this.answers.headerAt(reply!, number);
    if (!shown) throw this.blockError('head_behind', `doesn't have block ${number}, which it has shown`);
    if (shown.hash === hash) return;
    throw this.blockError('bad_data', `shows block ${number} as ${shown.hash}, and showed it as ${hash}`);
  }

  /** The headers of [from, to]; a block that the endpoint doesn't have is `head_behind`. */
  async headers(from: number, to: number): Promise<BlockHeader[]> {
    return this.answers.headersAt(Array.from({ length: to - from + 1 }, (_, i) => from + i));
  }

  /** The headers at some heights; a block that the endpoint doesn't have is `head_behind`. */
  async headersAt(heights: readonly number[]): Promise<BlockHeader[]> {
    return this.answers.headersAt(heights);
  }

  /**
   * The wanted logs of each block, by block hash, which a node that doesn't have the block refuses.
   * Where the bloom proves absence, nothing is asked. Where it says "maybe" and the answer is empty, the node may have the
   * header and not yet the logs. Then the block's other logs must explain every bit of its bloom, else some are missing here
   * (`bad_data`); but where the bloom is saturated, or the node doesn't give whole blocks, the answer is taken and told to be
   * unproven: who takes it must ask again when the block is final.
   */
  async blockLogs(
    headers: readonly BlockHeader[],
    filter: LogFilter,
    options: { readonly bloomProvesAbsence: boolean },
  ): Promise<BlockLogs[]> {
    const verdicts = headers.map((header) => ({ header, verdict: bloomVerdict(header, filter) }));
    const asked = verdicts.filter(({ verdict }) => verdict !== 'none' || !options.bloomProvesAbsence);
    const params = filterParams(filter);
    const replies = await this.connection.send(asked.map(({ header }) => logsOfBlock(header, params)));
    const found = new Map<string, BlockLogs>();
    for (const [i, { header, verdict }] of asked.entries()) {
      const answered = this.logsOf(header, replies[i]!);
      assertWanted(this.answers, answered, filter);
      const blockTimestamp = header.timestamp;
      const logs = answered.sort(byPosition).map((log) => ({ ...log, blockTimestamp }));
      const proven = logs.length > 0 || (verdict === 'maybe' && (await this.provesAbsence(header, filter)));
      found.set(header.hash, { logs, proven });
    }
    return headers.map((header) => found.get(header.hash) ?? { logs: [], proven: true });
  }

  /**
   * The wanted logs of as many blocks from `from` on as it gives, at most to `last`. A refusal that taught a smaller range is
   * tried again at once.
   * @param anchor a block, not below `last`, that the endpoint must show; unset: any branch will do.
   * @returns the logs of [from, to], in order.
   */
  async logsFrom(
    from: number,
    last: number,
    filter: LogFilter,
    anchor?: Anchor,
  ): Promise<{ to: number; logs: ChainLog[] }> {
    for (;;) {
      const { size } = this.range;
      const to = Math.min(last, from + size - 1);
      try {
        return { to, logs: await this.rangeLogs(from, to, filter, anchor) };
      } catch (error) {
        if (this.range.size >= size) throw error;
      }
    }
  }

  /**
   * The wanted logs of blocks [from, to], in order (see `RangeReader`). A refused range shrinks this endpoint's `range`.
   */
  async rangeLogs(from: number, to: number, filter: LogFilter, anchor?: Anchor): Promise<ChainLog[]> {
    try {
      const logs = await this.ranges.logs(from, to, filter, anchor);
      this.range.grow(to - from + 1);
      return logs;
    } catch (error) {
      if (error instanceof RpcError && error.method.startsWith('eth_getLogs'))
        this.range.shrink(from, to, error);
      throw error;
    }
  }

  /**
   * What the node knows of some transactions, as far as wanted, in batches that go behind news where calls are capped; those that it
   * doesn't know are left out.
   */
  async transactions(
    hashes: readonly string[],
    wanted: ReadonlySet<ChainAnswer>,
  ): Promise<Map<string, TransactionAnswers>> {
    const kinds = [...wanted];
    const calls = hashes.flatMap((hash) => kinds.map((kind) => transactionCall(kind, hash)));
    const replies = await this.connection.send(calls, 'history');
    const known = new Map<string, TransactionAnswers>();
    for (const [i, hash] of hashes.entries()) {
      const answers = kinds.map((kind, k) => {
        const { method } = calls[i * kinds.length + k]!;
        return this.answers.read(method, replies[i * kinds.length + k]!, (value) =>
          parseAnswer(kind, hash, value),
        );
      });
      const [first] = answers;
      // between two answers the transaction may have moved to another block
      if (answers.every((one) => one !== null && one.blockHash === first!.blockHash))
        known.set(hash, Object.assign({}, ...answers));
    }
    return known;
  }

  /** An error about a block that this endpoint showed, for a caller who finds that blocks don't fit together. */
  blockError(kind: RpcErrorKind, message: string): RpcError {
    return this.answers.error(kind, 'eth_getBlockByNumber', message);
  }

  /** Calls back on every new head, if the endpoint can tell; else null. */
  onNewHead(listener: () => void): (() => void) | null {
    return this.connection.onNewHead(listener);
  }

  close(): void {
    this.connection.close();
  }

  /**
   * Whether the block's other logs explain its bloom, which proves that an empty answer was right. Not asked for where the
   * bloom is saturated.
   */
  private async provesAbsence(header: BlockHeader, filter: LogFilter): Promise<boolean> {
    if (bloomIsSaturated(header.logsBloom)) return false;
    const asked = this.connection.send([logsOfBlock(header, {})]);
    const [reply] = await asked.catch((error: RpcError): RpcReply[] => [{ error }]);
    if ('error' in reply! && refusesWholeBlocks.has(reply.error.kind)) return false;
    const all = this.logsOf(header, reply!);
    if (explainsBloom(all, header.logsBloom) && !all.some((log) => isWanted(log, filter))) return true;
    const message = `its logs of block ${header.number} are incomplete: the block's bloom promises more`;
    throw this.logsError('bad_data', message);
  }

  /** Reads the answer to a question by block hash; each log must be of that block. */
  private logsOf(header: BlockHeader, reply: RpcReply): RpcLog[] {
    const logs = this.answers.read('eth_getLogs', reply, parseLogs);
    const { number, hash } = header;
    const stray = logs.find((log) => log.blockHash !== hash || log.blockNumber !== number);
    if (!stray) return logs;
    const message = `answered a log of block ${stray.blockNumber} (${stray.blockHash}) for block ${number} (${hash})`;
    throw this.logsError('bad_data', message);
  }

  private logsError(kind: RpcErrorKind, message: string): RpcError {
    return this.answers.error(kind, 'eth_getLogs', message);
  }
}

function logsOfBlock(header: BlockHeader, params: object): RpcCall {
  return { method: 'eth_getLogs', params: [{ blockHash: header.hash, ...params }] };
}
