import { BatchSize } from './batch-size.js';
import { HttpTransport } from './http-transport.js';
import { BatchRefused, methodsOf, type RpcCall, type RpcReply } from './json-rpc.js';
import { RateLimiter, type Urgency } from './rate-limiter.js';
import { RpcError, type RpcErrorKind } from './rpc-error.js';
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

/** Bounds of the requests to one endpoint. */
export interface RequestLimits {
  /** A request that takes longer has failed: a node that is asked for too much may never answer. */
  readonly timeoutMs: number;
  /** Bytes of an answer, unpacked. */
  readonly maxBytes: number;
  /**
   * Calls per second at most, 1 or more; null: as many as there are. A batch of n counts n times, as it does for the providers:
   * they bill and limit calls, not HTTP requests.
   */
  readonly maxRps: number | null;
}

/** One request as it went, for metrics: the host only, since URLs may hold keys. */
export interface RequestReport {
  readonly host: string;
  /** Methods of its calls, each once, joined by `+`. */
  readonly methods: string;
  /** Calls in it: more than one make a batch. */
  readonly calls: number;
  /** From sending to the whole answer; waiting for the cap on requests isn't part of it. */
  readonly seconds: number;
  /** Why it failed, or the first of its calls that did; null: all were answered. */
  readonly error: RpcErrorKind | null;
}

/** Hears of every request, once it is answered or has failed. Must not throw. */
export type RequestObserver = (report: RequestReport) => void;

const DEFAULT_LIMITS: RequestLimits = { timeoutMs: 15_000, maxBytes: 64 * 1024 * 1024, maxRps: null };

/** Calls per batch at most. */
const BATCH_CALLS = 50;

/** Sends calls to one endpoint in batches as large as it takes. */
export class RpcConnection {
  readonly host: string;
  private readonly transport: RpcTransport;
  private readonly limiter: RateLimiter | null;
  private readonly batch: BatchSize;

  /** @throws TypeError when it isn't a URL. */
  constructor(
    url: string,
    limits: Partial<RequestLimits> = {},
    private readonly onRequest?: RequestObserver,
  ) {
    const parsed = new RpcUrl(url);
    const all = { ...DEFAULT_LIMITS, ...limits };
    this.host = parsed.host;
    this.limiter = all.maxRps === null ? null : new RateLimiter(all.maxRps);
    this.batch = new BatchSize(Math.min(BATCH_CALLS, this.limiter?.burst ?? BATCH_CALLS));
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
   * @param urgency what they are for: where requests are capped, news go first.
   * @returns a reply for each, in order. @throws RpcError when a batch as a whole failed.
   */
  async send(calls: readonly RpcCall[], urgency: Urgency = 'news'): Promise<RpcReply[]> {
    return (await this.sendTelling(calls, urgency)).replies;
  }

  /**
   * Sends calls as `send` does.
   * @returns besides the replies, how many calls from the first on were answered in one batch. What the endpoint takes at another moment
   *   says nothing of it: others who ask at the same time make batches larger and smaller.
   */
  async sendTelling(
    calls: readonly RpcCall[],
    urgency: Urgency,
  ): Promise<{ replies: RpcReply[]; together: number }> {
    const replies: RpcReply[] = [];
    let together = 0;
    this.batch.wanted(calls.length);
    const before = this.batch.size;
    while (replies.length < calls.length) {
      const part = calls.slice(replies.length, replies.length + this.batch.size);
      try {
        replies.push(...(await this.sendPart(part, urgency)));
      } catch (error) {
        if (!(error instanceof BatchRefused)) throw error;
        this.batch.refused(part.length);
        continue;
      }
      together ||= part.length;
      // a single call is refused too: it wasn't the batch
      if (part.length === 1 && 'error' in replies.at(-1)!) this.batch.restore(before);
    }
    return { replies, together };
  }

  /** See `RpcTransport.onNewHead`. */
  onNewHead(listener: () => void): (() => void) | null {
    return this.transport.onNewHead(listener);
  }

  close(): void {
    this.limiter?.close();
    this.transport.close();
  }

  private async sendPart(part: readonly RpcCall[], urgency: Urgency): Promise<RpcReply[]> {
    if (this.limiter && !(await this.limiter.take(part.length, urgency))) {
      throw new RpcError({ kind: 'transient', host: this.host, method: methodsOf(part), message: 'closed' });
    }
    const started = performance.now();
    try {
      const replies = await this.transport.send(part);
      const refused = replies.find((reply) => 'error' in reply);
      this.report(part, started, refused?.error.kind ?? null);
      return replies;
    } catch (error) {
      if (error instanceof RpcError) this.report(part, started, error.kind);
      throw error;
    }
  }

  private report(part: readonly RpcCall[], started: number, error: RpcErrorKind | null): void {
    const { host } = this;
    const seconds = (performance.now() - started) / 1_000;
    this.onRequest?.({ host, methods: methodsOf(part), calls: part.length, seconds, error });
  }
}
