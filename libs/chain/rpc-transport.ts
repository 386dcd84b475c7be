import WebSocket from 'ws';
import { urlHost } from '#libs/telemetry/redact.js';
import { classify, RpcError } from './rpc-error.js';

/** One call of a JSON-RPC batch. */
export interface RpcCall {
  readonly method: string;
  readonly params: readonly unknown[];
}

/** What the endpoint answered to one call. */
export type RpcReply = { readonly result: unknown } | { readonly error: RpcError };

/** A connection to one endpoint. */
export interface RpcTransport {
  /** Sends the calls as one batch. @returns a reply for each, in order. @throws RpcError when the batch as a whole failed. */
  send(calls: readonly RpcCall[]): Promise<RpcReply[]>;
  /** Calls back on every new head, if the endpoint can tell; else null. */
  onNewHead(listener: () => void): (() => void) | null;
  close(): void;
}

/** A request that takes longer has failed: a node that is asked for too much may never answer. */
const TIMEOUT_MS = 20_000;
const RECONNECT_MS = 2_000;

/** Opens the transport that a URL's scheme asks for. */
export function openTransport(url: string): RpcTransport {
  return /^wss?:/i.test(url) ? new WebSocketTransport(url) : new HttpTransport(url);
}

class HttpTransport implements RpcTransport {
  private nextId = 1;
  private readonly host: string;
  private readonly url: string;
  private readonly headers: Record<string, string>;

  constructor(url: string) {
    this.host = urlHost(url);
    const { href, authorization } = withoutCredentials(url);
    this.url = href;
    this.headers = { 'content-type': 'application/json', ...(authorization && { authorization }) };
  }

  async send(calls: readonly RpcCall[]): Promise<RpcReply[]> {
    const first = this.nextId;
    this.nextId += calls.length;
    const response = await this.post(
      JSON.stringify(calls.map((call, i) => envelope(call, first + i))),
      calls,
    );
    const answer = parseJson(response.body);
    if (answer === undefined) throw this.failure(calls, response, `HTTP ${response.status}, not JSON`);
    const list = Array.isArray(answer) ? answer : [answer];
    return matchReplies(calls, first, list, this.host, response);
  }

  onNewHead(): null {
    return null;
  }

  close(): void {}

  private async post(body: string, calls: readonly RpcCall[]): Promise<HttpAnswer> {
    try {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      const response = await fetch(this.url, { method: 'POST', headers: this.headers, body, signal });
      return {
        status: response.status,
        retryAfterMs: retryAfter(response.headers.get('retry-after')),
        body: await response.text(),
      };
    } catch (error) {
      const timedOut = (error as Error).name === 'TimeoutError';
      const cause = (error as { cause?: { code?: string } }).cause?.code ?? (error as Error).name;
      const message = timedOut ? `no answer within ${TIMEOUT_MS / 1_000} s` : `can't be reached (${cause})`;
      throw new RpcError({
        kind: timedOut ? 'timeout' : 'transient',
        host: this.host,
        method: methodsOf(calls),
        message,
      });
    }
  }

  private failure(calls: readonly RpcCall[], answer: HttpAnswer, message: string): RpcError {
    return new RpcError({
      kind: classify(message, undefined, answer.status),
      host: this.host,
      method: methodsOf(calls),
      message,
      retryAfterMs: answer.retryAfterMs,
    });
  }
}

interface HttpAnswer {
  readonly status: number;
  readonly retryAfterMs: number | undefined;
  readonly body: string;
}

/** A WebSocket that connects when it is needed and again after it broke, and listens to new heads while somebody wants them. */
class WebSocketTransport implements RpcTransport {
  private readonly host: string;
  private socket: Promise<WebSocket> | null = null;
  private nextId = 1;
  private closed = false;
  private readonly pending = new Map<number, (answer: unknown[] | null) => void>();
  private readonly listeners = new Set<() => void>();

  constructor(private readonly url: string) {
    this.host = urlHost(url);
  }

  async send(calls: readonly RpcCall[]): Promise<RpcReply[]> {
    const socket = await this.connected(calls);
    const first = this.nextId;
    this.nextId += calls.length;
    const answer = await new Promise<unknown[] | null | 'timeout'>((resolve) => {
      const timer = setTimeout(() => resolve('timeout'), TIMEOUT_MS);
      this.pending.set(first, (value) => {
        clearTimeout(timer);
        resolve(value);
      });
      socket.send(JSON.stringify(calls.map((call, i) => envelope(call, first + i))));
    });
    this.pending.delete(first);
    if (answer === 'timeout')
      throw this.failure(calls, 'timeout', `no answer within ${TIMEOUT_MS / 1_000} s`);
    if (!answer) throw this.failure(calls, 'transient', 'the connection broke');
    return matchReplies(calls, first, answer, this.host, { status: 200, retryAfterMs: undefined });
  }

  onNewHead(listener: () => void): () => void {
    this.listeners.add(listener);
    if (this.listeners.size === 1) void this.listen();
    return () => this.listeners.delete(listener);
  }

  close(): void {
    this.closed = true;
    void this.socket?.then((socket) => socket.terminate()).catch(() => {});
  }

  /** Keeps a subscription while there are listeners; polling goes on meanwhile, so a lost one costs only latency. */
  private async listen(): Promise<void> {
    while (!this.closed && this.listeners.size) {
      try {
        const [reply] = await this.send([{ method: 'eth_subscribe', params: ['newHeads'] }]);
        const socket = await this.socket!;
        if (reply && 'result' in reply) await new Promise((resolve) => socket.once('close', resolve));
      } catch {
        // said by whoever polls over this endpoint
      }
      await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS).unref());
    }
  }

  private async connected(calls: readonly RpcCall[]): Promise<WebSocket> {
    this.socket ??= this.connect();
    try {
      return await this.socket;
    } catch (error) {
      this.socket = null;
      throw this.failure(
        calls,
        'transient',
        `can't be reached (${(error as { code?: string }).code ?? 'refused'})`,
      );
    }
  }

  private connect(): Promise<WebSocket> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(this.url, { handshakeTimeout: TIMEOUT_MS, maxPayload: 256 * 1024 * 1024 });
      socket.once('open', () => resolve(socket));
      socket.on('error', reject);
      socket.on('message', (data) => this.receive(String(data)));
      socket.once('close', () => {
        this.socket = null;
        for (const settle of this.pending.values()) settle(null);
      });
    });
  }

  private receive(text: string): void {
    const answer = parseJson(text);
    if (isNotification(answer)) {
      for (const listener of this.listeners) listener();
      return;
    }
    const list = Array.isArray(answer) ? answer : [answer];
    const ids = list.map((item) => Number((item as { id?: unknown } | undefined)?.id));
    const first = Math.min(...ids);
    // a batch may come back in any order: its lowest id is the one that waits
    this.pending.get(first)?.(list);
  }

  private failure(calls: readonly RpcCall[], kind: 'timeout' | 'transient', message: string): RpcError {
    return new RpcError({ kind, host: this.host, method: methodsOf(calls), message });
  }
}

function envelope(call: RpcCall, id: number): object {
  return { jsonrpc: '2.0', id, method: call.method, params: call.params };
}

/** Answers may come in any order, or as a single error for the whole batch. */
function matchReplies(
  calls: readonly RpcCall[],
  firstId: number,
  answers: readonly unknown[],
  host: string,
  http: { status: number; retryAfterMs: number | undefined },
): RpcReply[] {
  const byId = new Map(answers.map((answer) => [Number((answer as { id?: unknown } | null)?.id), answer]));
  const whole = answers.length === 1 ? answers[0] : undefined;
  return calls.map((call, i) => {
    const answer = (byId.get(firstId + i) ?? whole) as { result?: unknown; error?: unknown } | undefined;
    if (answer && answer.error == null && 'result' in answer && byId.has(firstId + i))
      return { result: answer.result };
    return { error: errorOf(answer?.error, call, host, http) };
  });
}

function errorOf(
  error: unknown,
  call: RpcCall,
  host: string,
  http: { status: number; retryAfterMs: number | undefined },
): RpcError {
  const { message, data, code } = (typeof error === 'object' && error !== null ? error : {}) as Record<
    string,
    unknown
  >;
  const text = typeof message === 'string' ? message : `HTTP ${http.status}, no answer to this call`;
  return new RpcError({
    kind: classify(text, data, http.status),
    host,
    method: call.method,
    message: text,
    retryAfterMs: http.retryAfterMs,
    code: typeof code === 'number' ? code : undefined,
  });
}

function isNotification(answer: unknown): boolean {
  return (answer as { method?: unknown } | undefined)?.method === 'eth_subscription';
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** `Retry-After` in milliseconds: a number of seconds, or a date. */
function retryAfter(value: string | null): number | undefined {
  if (!value) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

/** fetch refuses URLs with credentials; they go into a header. */
function withoutCredentials(url: string): { href: string; authorization: string | undefined } {
  const parsed = new URL(url);
  const { username, password } = parsed;
  if (!username && !password) return { href: url, authorization: undefined };
  parsed.username = '';
  parsed.password = '';
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { href: parsed.href, authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}

function methodsOf(calls: readonly RpcCall[]): string {
  return [...new Set(calls.map((call) => call.method))].join('+');
}
