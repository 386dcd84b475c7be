import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { metricsText, registry } from './metrics.js';
import { within } from './run-process.js';

/** Says what is wrong, in words for an operator, or null when all is well. */
export type Check = () => Promise<string | null> | string | null;

/** A check that takes longer has failed: whoever asks for readiness won't wait for ever. */
const CHECK_PATIENCE_MS = 2_000;

/** What a client may take its time with; what takes longer is answered 408 and cut. */
export const httpTimeouts = {
  /** To send a request's headers, since the connection was opened or the request before was done. */
  headersTimeout: 10_000,
  /** To send a whole request. */
  requestTimeout: 30_000,
  /** Nothing moves on the connection: a client that doesn't read its answer. Streams say something every 12 s. */
  idleTimeout: 120_000,
  /** How often the first two are looked at. */
  connectionsCheckingInterval: 2_000,
  /** Bytes of a request's headers, the URL included; more are answered 431. */
  maxHeaderSize: 16_384,
} as const;

/** How long a closing server leaves open connections. */
const LAST_MESSAGES_MS = 500;

/** Where a process listens. */
interface ListenOptions {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** Name of the setting that gives the port, for the error when it is taken. */
  readonly portVariable: string;
}

/**
 * The HTTP server that every process has, from its first moment on: `/healthz` (the process is alive), `/readyz` (it can do its
 * work; else 503 and the reasons in words), `/metrics` (Prometheus). Other requests go to the process's own handler.
 */
export class HealthServer {
  private readonly checks = new Map<string, Check>();
  /** Also those that became WebSockets, which the server itself no longer knows. */
  private readonly connections = new Set<Socket>();
  private handler: ((request: IncomingMessage, response: ServerResponse) => void) | null = null;

  private constructor(
    readonly server: Server,
    private readonly host: string,
  ) {
    server.on('request', (request, response) => this.answer(request, response));
    server.on('connection', (socket) => {
      this.connections.add(socket);
      socket.once('close', () => this.connections.delete(socket));
    });
  }

  /** @throws Error that names the setting when the port is taken. */
  static async listen({ host, port, portVariable }: ListenOptions): Promise<HealthServer> {
    const { idleTimeout, ...options } = httpTimeouts;
    const server = createServer(options);
    server.setTimeout(idleTimeout);
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => {
        const advice = `port ${port} of ${host} is taken: set ${portVariable} to another one, or to 0 for any`;
        reject(error.code === 'EADDRINUSE' ? new Error(advice) : error);
      });
      server.listen(port, host, resolve);
    });
    return new HealthServer(server, host);
  }

  /** `http://host:port` */
  get url(): string {
    const { port } = this.server.address() as AddressInfo;
    return `http://${this.host.includes(':') ? `[${this.host}]` : this.host}:${port}`;
  }

  /** Makes readiness depend on a check. @returns a function that takes it back. */
  check(name: string, check: Check): () => void {
    this.checks.set(name, check);
    return () => void this.checks.delete(name);
  }

  /** Answers everything but health, readiness and metrics. */
  handle(handler: (request: IncomingMessage, response: ServerResponse) => void): void {
    this.handler = handler;
  }

  /** Stops listening; connections that are open get a moment to take their last messages and are cut then. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    const cut = setTimeout(() => {
      for (const socket of this.connections) socket.destroy();
    }, LAST_MESSAGES_MS);
    await closed;
    clearTimeout(cut);
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url?.split('?')[0];
    if (path === '/healthz') say(response, 200, 'alive\n');
    else if (path === '/readyz') void this.answerReadiness(response);
    else if (path === '/metrics') void answerMetrics(response);
    else if (this.handler) this.handler(request, response);
    else say(response, 404, 'there is /healthz, /readyz and /metrics\n');
  }

  private async answerReadiness(response: ServerResponse): Promise<void> {
    const reasons = await Promise.all(
      [...this.checks].map(async ([name, check]) => {
        const reason = await outcome(check);
        return reason === null ? [] : [`${name}: ${reason}`];
      }),
    );
    const wrong = reasons.flat();
    if (wrong.length) say(response, 503, `not ready\n${wrong.join('\n')}\n`);
    else say(response, 200, 'ready\n');
  }
}

async function outcome(check: Check): Promise<string | null> {
  try {
    return await within(CHECK_PATIENCE_MS, 'no answer', check);
  } catch (error) {
    return (error as Error).message;
  }
}

async function answerMetrics(response: ServerResponse): Promise<void> {
  const text = await metricsText();
  response.writeHead(200, { 'content-type': registry.contentType }).end(text);
}

function say(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(text);
}
