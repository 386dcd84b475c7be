import WebSocket from 'ws';
import { idsOf, methodsOf, type RpcCall, type RpcReply, readReplies, requestBody } from './json-rpc.js';
import { readRefusal } from './refusal.js';
import { RpcError, type RpcErrorKind } from './rpc-error.js';
import type { RequestLimits, RpcTransport } from './rpc-transport.js';
import type { RpcUrl } from './rpc-url.js';

/** Waits before a lost subscription is made again, doubling from the first to the last. */
const RESUBSCRIBE_FIRST_MS = 500;
const RESUBSCRIBE_LAST_MS = 30_000;

/** How often a connection must show that it lives: a half-open one would keep silent for ever. */
const PING_MS = 20_000;

/** What a batch that waits gets: the endpoint's answer, or why there is none. */
type Outcome = { readonly answer: unknown } | { readonly kind: RpcErrorKind; readonly message: string };

interface Waiting {
  readonly firstId: number;
  readonly count: number;
  readonly settle: (outcome: Outcome) => void;
}

/**
 * JSON-RPC over one WebSocket, which connects when it is needed and again after it broke; new heads are told while
 * somebody listens.
 */
export class WebSocketTransport implements RpcTransport {
  private socket: Promise<WebSocket> | null = null;
  private nextId = 1;
  private closed = false;
  private listening = false;
  private ended = 0;
  private readonly waiting = new Set<Waiting>();
  private readonly listeners = new Set<() => void>();

  constructor(
    private readonly url: RpcUrl,
    private readonly limits: RequestLimits,
  ) {}

  get session(): number {
    return this.ended;
  }

  async send(calls: readonly RpcCall[]): Promise<RpcReply[]> {
    return this.sendOver(await this.connected(calls), calls);
  }

  onNewHead(listener: () => void): () => void {
    this.listeners.add(listener);
    void this.listen();
    return () => this.listeners.delete(listener);
  }

  close(): void {
    this.closed = true;
    void this.socket?.then((socket) => socket.terminate()).catch(() => {});
  }

  private async sendOver(socket: WebSocket, calls: readonly RpcCall[]): Promise<RpcReply[]> {
    const firstId = this.nextId;
    this.nextId += calls.length;
    const outcome = await this.exchange(socket, firstId, calls);
    if ('answer' in outcome)
      return readReplies(calls, firstId, outcome.answer, { url: this.url, status: 200 });
    throw this.failure(calls, outcome.kind, outcome.message);
  }

  private async exchange(socket: WebSocket, firstId: number, calls: readonly RpcCall[]): Promise<Outcome> {
    const { timeoutMs } = this.limits;
    let timer: NodeJS.Timeout | undefined;
    let waiting: Waiting | undefined;
    try {
      return await new Promise<Outcome>((settle) => {
        waiting = { firstId, count: calls.length, settle };
        this.waiting.add(waiting);
        timer = setTimeout(() => {
          settle({ kind: 'timeout', message: `no answer within ${timeoutMs / 1_000} s` });
          // what comes later on this connection would come too late as well
          socket.terminate();
        }, timeoutMs);
        socket.send(requestBody(calls, firstId), (error) => {
          if (error) settle({ kind: 'transient', message: 'the connection broke' });
        });
      });
    } finally {
      clearTimeout(timer);
      if (waiting) this.waiting.delete(waiting);
    }
  }

  /** Keeps a subscription while there are listeners; who listens polls as well, so a lost one costs only latency. */
  private async listen(): Promise<void> {
    if (this.listening) return;
    this.listening = true;
    let wait = RESUBSCRIBE_FIRST_MS;
    while (!this.closed && this.listeners.size) {
      if (await this.subscribeUntilClosed()) wait = RESUBSCRIBE_FIRST_MS;
      const jittered = wait * (0.75 + Math.random() / 2);
      await new Promise((resolve) => setTimeout(resolve, jittered).unref());
      wait = Math.min(wait * 2, RESUBSCRIBE_LAST_MS);
    }
    this.listening = false;
  }

  /** @returns when the connection has ended, true; or at once false when there is no subscription to be had. */
  private async subscribeUntilClosed(): Promise<boolean> {
    const calls = [{ method: 'eth_subscribe', params: ['newHeads'] }];
    try {
      const socket = await this.connected(calls);
      const over = new Promise((resolve) => socket.once('close', resolve));
      const [reply] = await this.sendOver(socket, calls);
      if ('error' in reply!) return false;
      await over;
      return true;
    } catch {
      // whoever polls over this endpoint says so
      return false;
    }
  }

  private async connected(calls: readonly RpcCall[]): Promise<WebSocket> {
    if (this.closed) throw this.failure(calls, 'transient', 'closed');
    this.socket ??= this.connect();
    try {
      return await this.socket;
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      // ws tells a refused upgrade in words only: "Unexpected server response: 401"
      const status = Number(/server response: (\d+)/.exec(message)?.[1] ?? 0);
      const { kind } = readRefusal('', undefined, status);
      throw this.failure(calls, kind, `can't be reached (${code || message})`);
    }
  }

  private connect(): Promise<WebSocket> {
    const { timeoutMs, maxBytes } = this.limits;
    const { authorization } = this.url;
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(this.url.href, {
        handshakeTimeout: timeoutMs,
        maxPayload: maxBytes,
        ...(authorization && { headers: { authorization } }),
      });
      let why: Outcome = { kind: 'transient', message: 'the connection broke' };
      socket.once('open', () => resolve(socket));
      socket.on('error', (error) => {
        if ((error as { code?: string }).code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') {
          why = { kind: 'result_cap', message: `the answer is larger than ${maxBytes} bytes` };
        }
        reject(error);
      });
      socket.on('message', (data) => this.receive(String(data)));
      const stopPinging = keepAlive(socket);
      socket.once('close', () => {
        stopPinging();
        this.socket = null;
        this.ended++;
        this.settleAll(why);
      });
    });
  }

  private receive(text: string): void {
    let answer: unknown;
    try {
      answer = JSON.parse(text);
    } catch {
      this.settleAll({ kind: 'transient', message: "its answer isn't JSON" });
      return;
    }
    if ((answer as { method?: unknown } | null)?.method === 'eth_subscription') {
      for (const listener of this.listeners) listener();
      return;
    }
    const ids = idsOf(answer);
    // an answer without an id may be anyone's
    if (!ids.length) this.settleAll({ answer });
    for (const one of this.waiting) {
      if (ids.some((id) => id >= one.firstId && id < one.firstId + one.count)) one.settle({ answer });
    }
  }

  private settleAll(outcome: Outcome): void {
    for (const one of this.waiting) one.settle(outcome);
  }

  private failure(calls: readonly RpcCall[], kind: RpcErrorKind, message: string): RpcError {
    return new RpcError({
      kind,
      host: this.url.host,
      method: methodsOf(calls),
      message: this.url.conceal(message),
    });
  }
}

/** Ends a connection that doesn't answer pings. @returns a function that stops it. */
function keepAlive(socket: WebSocket): () => void {
  let alive = true;
  socket.on('pong', () => {
    alive = true;
  });
  const timer = setInterval(() => {
    if (!alive) return socket.terminate();
    alive = false;
    if (socket.readyState === WebSocket.OPEN) socket.ping();
  }, PING_MS).unref();
  return () => clearInterval(timer);
}
