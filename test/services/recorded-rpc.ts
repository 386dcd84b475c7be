import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

/** A call as it arrives. */
export interface ArrivedCall {
  readonly id: number;
  readonly method: string;
  readonly params: readonly unknown[];
}

/** What the server says to one request: a body as it is (text) or as JSON, or nothing at all, for ever (null). */
export interface RecordedAnswer {
  readonly body: unknown;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Answers one request: a batch (list) or a single call (object). */
export type Answering = (request: ArrivedCall | ArrivedCall[]) => RecordedAnswer | null;

/** What a call's answer is, by method; an Error becomes a JSON-RPC error with its message. */
export type Methods = Readonly<Record<string, (...params: never[]) => unknown>>;

/** A real HTTP and WebSocket server on one port that says what a test wrote down. */
export class RecordedRpc {
  /** All requests so far. */
  readonly requests: (ArrivedCall | ArrivedCall[])[] = [];
  private readonly sockets = new Set<WebSocket>();
  private readonly server = createServer((request, response) => {
    void this.hear(request).then((answer) => {
      if (!answer) return;
      response.writeHead(answer.status ?? 200, { 'content-type': 'application/json', ...answer.headers });
      response.end(textOf(answer));
    });
  });

  private constructor(
    /** What it answers from now on; may be exchanged. */
    public answering: Answering,
  ) {
    new WebSocketServer({ server: this.server }).on('connection', (socket) => {
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
      socket.on('message', (data) => {
        const answer = this.answerTo(String(data));
        if (answer) socket.send(textOf(answer));
      });
    });
  }

  static async start(answering: Answering, port = 0): Promise<RecordedRpc> {
    const rpc = new RecordedRpc(answering);
    rpc.server.listen(port, '127.0.0.1');
    await once(rpc.server, 'listening');
    return rpc;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get wsUrl(): string {
    return `ws://127.0.0.1:${this.port}`;
  }

  /** All calls of a method so far. */
  calls(method: string): ArrivedCall[] {
    return this.requests.flat().filter((call) => call.method === method);
  }

  /** Sends to every connected WebSocket. */
  tell(message: object): void {
    for (const socket of this.sockets) socket.send(JSON.stringify(message));
  }

  /** Cuts every WebSocket. */
  cut(): void {
    for (const socket of this.sockets) socket.terminate();
  }

  async stop(): Promise<void> {
    this.cut();
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }

  private async hear(request: IncomingMessage): Promise<RecordedAnswer | null> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    return this.answerTo(Buffer.concat(chunks).toString());
  }

  private answerTo(text: string): RecordedAnswer | null {
    const request = JSON.parse(text) as ArrivedCall | ArrivedCall[];
    this.requests.push(request);
    return this.answering(request);
  }
}

/** Answers as a node does: each call by its method, a batch by a list. */
export function byMethod(methods: Methods): Answering {
  const reply = ({ id, method, params }: ArrivedCall) => {
    const answer = methods[method] as ((...params: readonly unknown[]) => unknown) | undefined;
    const result = answer ? answer(...params) : new Error('Method not found');
    if (!(result instanceof Error)) return { jsonrpc: '2.0', id, result };
    return { jsonrpc: '2.0', id, error: { code: -32_000, message: result.message } };
  };
  return (request) => ({ body: Array.isArray(request) ? request.map(reply) : reply(request) });
}

function textOf({ body }: RecordedAnswer): string {
  return typeof body === 'string' ? body : JSON.stringify(body);
}
