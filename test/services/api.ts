import { type Client, createClient } from 'graphql-ws';
import { pino } from 'pino';
import WebSocket from 'ws';
import { type ApiOptions, type RunningApi, startApi } from '#apps/api/server.js';
import { type ApiLimits, defaultApiLimits } from '#libs/config/api-config.js';
import { databaseProblem } from '#libs/database/migrate.js';
import { HealthServer } from '#libs/telemetry/health-server.js';

/** A doorbell without a broker. */
export class Doorbell {
  private readonly listeners = new Set<(position: number) => void>();

  ring(position: number | null): void {
    if (position !== null) for (const listener of this.listeners) listener(position);
  }

  async onRing(listener: (position: number) => void): Promise<() => Promise<void>> {
    this.listeners.add(listener);
    return async () => void this.listeners.delete(listener);
  }
}

/** Starts an API, unless told otherwise with an HTTP server of its own on a free port. */
export async function startTestApi(
  parts: Pick<ApiOptions, 'database'> &
    Partial<Omit<ApiOptions, 'limits'>> & { port?: number; limits?: Partial<ApiLimits> },
): Promise<RunningApi> {
  const { port = 0, limits, ...options } = parts;
  const http = options.http ?? (await HealthServer.listen({ host: '127.0.0.1', port, portVariable: 'PORT' }));
  http.check('postgres', () => databaseProblem(parts.database));
  const logger = pino({ level: 'silent' });
  const api = await startApi({
    broker: new Doorbell(),
    logger,
    corsOrigins: 'localhost',
    ...options,
    http,
    limits: { ...defaultApiLimits, ...limits },
  });
  return { ...api, close: () => Promise.all([api.close(), http.close()]).then(() => {}) };
}

/** A GraphQL answer as a client sees it. */
export interface Answer {
  // biome-ignore lint/suspicious/noExplicitAny: answers are read by tests that know what they asked for
  readonly data?: any;
  readonly errors?: readonly { message: string; extensions?: { code?: string } }[];
}

/** Asks by HTTP POST. */
export async function ask(url: string, query: string, variables: object = {}): Promise<Answer> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  return (await response.json()) as Answer;
}

/** Asks for data and throws the first error instead. */
// biome-ignore lint/suspicious/noExplicitAny: see Answer
export async function askData(url: string, query: string, variables: object = {}): Promise<any> {
  const { data, errors } = await ask(url, query, variables);
  if (errors?.length) throw new Error(JSON.stringify(errors));
  return data;
}

/** What a subscription to SocketBridge events asks for. */
export interface FollowVariables {
  readonly where?: object;
  readonly since?: string;
  readonly finality?: 'UNFINALIZED' | 'FINALIZED';
  readonly includeHistory?: boolean;
  readonly batchSize?: number;
}

export interface Change {
  readonly type: 'ADDED' | 'REMOVED' | 'FINALIZED';
  readonly node: {
    readonly id: string;
    readonly blockNumber: number;
    readonly blockHash: string;
    readonly amount: string;
  };
}

export interface Message {
  readonly cursor: string;
  readonly changes: readonly Change[];
}

const subscription = `subscription ($where: SocketBridgeEventWhere, $since: FeedCursor, $finality: Finality, $includeHistory: Boolean, $batchSize: Int) {
  socketBridgeEvents(where: $where, since: $since, finality: $finality, includeHistory: $includeHistory, batchSize: $batchSize) {
    cursor changes { type node { id blockNumber blockHash amount } }
  }
}`;

/** One subscription over a WebSocket of its own. */
export class Follower {
  readonly messages: Message[] = [];
  /** Set when it ended by itself: the errors that the server told, or the close event. */
  ended: unknown = null;
  private readonly client: Client;

  /** @param take is called with each message. */
  constructor(url: string, variables: FollowVariables, take: (message: Message) => void = () => {}) {
    this.client = createClient({
      url: `${url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      retryAttempts: 0,
    });
    this.client.subscribe<{ socketBridgeEvents: Message }>(
      { query: subscription, variables: { ...variables } },
      {
        next: ({ data, errors }) => {
          if (!data) {
            this.ended = errors;
            return;
          }
          this.messages.push(data.socketBridgeEvents);
          take(data.socketBridgeEvents);
        },
        error: (error) => {
          this.ended ??= error;
        },
        complete: () => {
          this.ended ??= 'complete';
        },
      },
    );
  }

  get changes(): Change[] {
    return this.messages.flatMap((message) => message.changes);
  }

  /** Cuts the connection. */
  async close(): Promise<void> {
    await this.client.dispose();
  }
}
