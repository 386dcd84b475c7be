import { HttpTransport } from './http-transport.js';
import { BatchRefused, type RpcCall, type RpcReply } from './json-rpc.js';
import { RpcUrl } from './rpc-url.js';
import { WebSocketTransport } from './web-socket-transport.js';

/** A connection to one endpoint. */
export interface RpcTransport {
  /**
   * Sends the calls as one batch.
   * @returns a reply for each, in order.
   * @throws BatchRefused when the endpoint doesn't take as many at a time; RpcError when the request as a whole failed.
   */
  send(calls: readonly RpcCall[]): Promise<RpcReply[]>;
  /** Calls back on every new head, if the endpoint can tell; else null. */
  onNewHead(listener: () => void): (() => void) | null;
  /** Changes when another node may answer from now on: a connection ended. */
  readonly session: number;
  close(): void;
}

/** Bounds of one request. */
export interface RequestLimits {
  /** A request that takes longer has failed: a node that is asked for too much may never answer. */
  readonly timeoutMs: number;
  /** Bytes of an answer, unpacked. */
  readonly maxBytes: number;
}

const DEFAULT_LIMITS: RequestLimits = { timeoutMs: 15_000, maxBytes: 64 * 1024 * 1024 };

/** Calls per batch at most, until the endpoint refuses that. */
const BATCH_CALLS = 50;

/** Sends calls to one endpoint in batches as large as it takes. */
export class RpcConnection {
  readonly host: string;
  private readonly transport: RpcTransport;
  private batchCalls = BATCH_CALLS;

  /** @throws TypeError when it isn't a URL. */
  constructor(url: string, limits: Partial<RequestLimits> = {}) {
    const parsed = new RpcUrl(url);
    const all = { ...DEFAULT_LIMITS, ...limits };
    this.host = parsed.host;
    this.transport = /^wss?:/i.test(url)
      ? new WebSocketTransport(parsed, all)
      : new HttpTransport(parsed, all);
  }

  /** See `RpcTransport.session`. */
  get session(): number {
    return this.transport.session;
  }

  /**
   * Sends calls, more than one in batches one after the other.
   * @returns a reply for each, in order. @throws RpcError when a batch as a whole failed.
   */
  async send(calls: readonly RpcCall[]): Promise<RpcReply[]> {
    const replies: RpcReply[] = [];
    const before = this.batchCalls;
    while (replies.length < calls.length) {
      const part = calls.slice(replies.length, replies.length + this.batchCalls);
      try {
        replies.push(...(await this.transport.send(part)));
      } catch (error) {
        if (!(error instanceof BatchRefused)) throw error;
        this.batchCalls = Math.ceil(part.length / 2);
        continue;
      }
      // a single call is refused too: it wasn't the batch
      if (part.length === 1 && 'error' in replies.at(-1)!) this.batchCalls = before;
    }
    return replies;
  }

  /** See `RpcTransport.onNewHead`. */
  onNewHead(listener: () => void): (() => void) | null {
    return this.transport.onNewHead(listener);
  }

  close(): void {
    this.transport.close();
  }
}
