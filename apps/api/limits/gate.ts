import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { GraphQLError } from 'graphql';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import type { ApiLimits } from '#libs/config/api-config.js';
import { type AllowedOrigins, isAllowed } from '../origins.js';
import { Clients } from './clients.js';
import { ConnectionLimits } from './connection-limits.js';
import { Counted } from './counted.js';
import { answerRefusal } from './http-answer.js';
import { limits } from './limits.js';
import { refusal } from './refusals.js';
import { currentRequest, onBehalfOf, type RequestContext } from './request-context.js';

interface GateOptions {
  readonly limits: ApiLimits;
  readonly corsOrigins: AllowedOrigins;
  /** Requests that need no key: pages without data. */
  readonly isPublic: (request: IncomingMessage) => boolean;
}

/**
 * What every request passes, whatever it is for, but health, readiness and metrics: it gets an id, its client is known by key
 * or address, and what the client may not do is refused with a code.
 */
export class Gate {
  /** Open subscriptions, over whatever they come. */
  readonly subscriptions: Counted;
  private readonly clients: Clients;
  private readonly rate: RateLimiterMemory;
  private readonly webSockets: Counted;
  private readonly connections: ConnectionLimits;

  constructor(
    server: Server,
    private readonly options: GateOptions,
  ) {
    const own = options.limits;
    this.clients = new Clients(own.apiKeys, own.trustedProxies);
    this.subscriptions = new Counted(own.maxSubscriptionsPerClient, own.maxSubscriptions);
    this.webSockets = new Counted(own.maxConnectionsPerClient, own.maxConnections);
    this.rate = new RateLimiterMemory({
      points: own.requestsPerSecond * limits.rateWindowSeconds,
      duration: limits.rateWindowSeconds,
    });
    this.connections = new ConnectionLimits(
      server,
      this.clients,
      own.maxConnectionsPerClient,
      own.maxConnections,
    );
  }

  /** Lets a request through to `answer`, or answers it with why not. */
  async pass(request: IncomingMessage, response: ServerResponse, answer: () => void): Promise<void> {
    if (this.connections.isRefused(request.socket)) return;
    const requestId = requestIdOf(request);
    response.setHeader('x-request-id', requestId);
    const known = this.clientOf(request, request.headers);
    const client = known ?? this.clients.addressOf(request);
    const tooLarge = sizeProblem(request);
    // who guesses keys is counted, too
    const problem =
      (await this.rateProblem(client, tooLarge ? 1 : weightOf(request))) ??
      (known === null && !this.isOpen(request) ? unknownClient() : null) ??
      tooLarge ??
      // last: nothing of a request is parsed that is refused without it
      urlProblem(request) ??
      parameterProblem(request);
    if (!problem) return onBehalfOf({ requestId, client }, answer);
    this.letOriginRead(request, response);
    answerRefusal(response, problem, requestId);
  }

  /**
   * Lets a WebSocket be opened. Its key may still come with `connection_init` (a browser can't send headers): `webSocketClient`.
   * @returns a function to be called when it has closed, or why it is refused.
   */
  async openWebSocket(request: IncomingMessage): Promise<(() => void) | GraphQLError> {
    const address = this.clients.addressOf(request);
    const isWrong = this.clients.needKeys && this.clients.keyHolder(request.headers) === false;
    const problem = (await this.rateProblem(address)) ?? (isWrong ? unknownClient() : sizeProblem(request));
    if (problem) return problem;
    const opened = this.webSockets.open(address);
    if (typeof opened === 'function') return opened;
    const { perClient } = this.webSockets;
    return refusal('TOO_MANY_CONNECTIONS', `You have ${perClient} WebSockets open, more are not allowed.`, 5);
  }

  /** The client of a WebSocket, by the key in its headers or in the payload of its `connection_init`; null when it needs one. */
  webSocketClient(request: IncomingMessage, payload: unknown): string | null {
    const told = typeof payload === 'object' && payload !== null ? { ...payload } : {};
    return this.clientOf(request, { ...told, ...request.headers });
  }

  /** What one more operation of a WebSocket is done on behalf of, or why it is refused. @param size of it, in characters. */
  async operation(client: string, size: number): Promise<RequestContext | GraphQLError> {
    const requests = 1 + Math.floor(size / limits.bytesPerRequest);
    return (await this.rateProblem(client, requests)) ?? { requestId: randomUUID(), client };
  }

  /** Counts more requests of the current request's client. @returns RATE_LIMITED when they are too many. */
  async spend(requests: number): Promise<GraphQLError | null> {
    const client = currentRequest()?.client;
    return client !== undefined && requests > 0 ? this.rateProblem(client, requests) : null;
  }

  private clientOf(request: IncomingMessage, fields: Readonly<Record<string, unknown>>): string | null {
    if (!this.clients.needKeys) return this.clients.addressOf(request);
    return this.clients.keyHolder(fields) || null;
  }

  /** A preflight can't bring a key. */
  private isOpen(request: IncomingMessage): boolean {
    return request.method === 'OPTIONS' || this.options.isPublic(request);
  }

  private async rateProblem(client: string, requests = 1): Promise<GraphQLError | null> {
    try {
      await this.rate.consume(client, requests);
      return null;
    } catch (found) {
      if (!(found instanceof RateLimiterRes)) throw found;
      const seconds = Math.max(1, Math.ceil(found.msBeforeNext / 1_000));
      const { points, duration } = this.rate;
      return refusal(
        'RATE_LIMITED',
        `More than ${points} requests in ${duration} s (large ones count as several): go on in ${seconds} s.`,
        seconds,
      );
    }
  }

  /** What yoga's and REST's own answers tell browsers, told with a refusal, too. */
  private letOriginRead(request: IncomingMessage, response: ServerResponse): void {
    const { origin } = request.headers;
    if (!origin || !isAllowed(origin, this.options.corsOrigins)) return;
    response.setHeader('access-control-allow-origin', origin);
    response.setHeader('access-control-expose-headers', 'retry-after, x-request-id');
    response.setHeader('vary', 'origin');
  }
}

function unknownClient(): GraphQLError {
  return refusal(
    'UNAUTHENTICATED',
    'A valid API key is needed: send `Authorization: Bearer <key>` or `X-API-Key: <key>` (over WebSocket also in the payload of connection_init).',
  );
}

/** An id that came with the request, when it has the form of one; else a new one. */
function requestIdOf(request: IncomingMessage): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && /^[\w.:-]{1,100}$/.test(given) ? given : randomUUID();
}

/** As how many requests one counts. */
function weightOf({ url = '', headers }: IncomingMessage): number {
  const untold = headers['transfer-encoding'] === undefined ? 0 : limits.bodyBytes / 10;
  const bytes = url.length + Number(headers['content-length'] ?? untold);
  return 1 + Math.floor(bytes / limits.bytesPerRequest);
}

/** Yoga makes a URL of these two, and what it can't make is answered with a stack trace. */
function urlProblem({ url = '', headers }: IncomingMessage): GraphQLError | null {
  // without a host it takes the server's own address
  const host = headers.host || 'localhost';
  if (URL.canParse(`http://${host}${url}`)) return null;
  const [shownHost, shownUrl] = [host, url].map((text) => JSON.stringify(text.slice(0, 100)));
  return refusal(
    'BAD_REQUEST',
    `The header Host (${shownHost}) and the path (${shownUrl}) make no URL: send a name or an address, with a port or without, and a path that begins with "/".`,
  );
}

/** Yoga takes what of a GraphQL request's parameters is no JSON for an error of its own. */
function parameterProblem({ url = '' }: IncomingMessage): GraphQLError | null {
  const asked = URL.parse(`http://localhost${url}`);
  if (asked?.pathname !== '/graphql') return null;
  const bad = ['variables', 'extensions'].find((name) => !isJson(asked.searchParams.get(name) || 'null'));
  return bad ? refusal('BAD_REQUEST', `The parameter ${bad} is no JSON.`) : null;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function sizeProblem(request: IncomingMessage): GraphQLError | null {
  const url = request.url ?? '';
  if (url.length > limits.urlCharacters)
    return refusal(
      'URI_TOO_LONG',
      `The URL has ${url.length} characters, at most ${limits.urlCharacters} are allowed: shorten the filter, or ask GraphQL by POST.`,
    );
  const length = Number(request.headers['content-length'] ?? 0);
  if (length <= limits.bodyBytes) return null;
  return refusal(
    'REQUEST_ENTITY_TOO_LARGE',
    `The body has ${length} bytes, at most ${limits.bodyBytes} are allowed.`,
  );
}
