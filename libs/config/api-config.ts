import * as settings from './settings.js';
import type { EnvReader } from './variables.js';

/** Where a process listens. */
export interface HttpConfig {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Name of the variable that gives the port. */
  readonly portVariable: string;
}
export interface ApiConfig extends HttpConfig {
  /** Origins allowed by CORS; `localhost` means any page of this machine. */
  readonly corsOrigins: readonly string[] | 'localhost';
  /** A statement of the API is ended after this time. */
  readonly queryTimeoutMs: number;
  readonly limits: ApiLimits;
}
/** Whom the API serves, and how much of it one of them may have. */
export interface ApiLimits {
  /** Empty: none is needed. */
  readonly apiKeys: readonly string[];
  /** Addresses and networks whose `X-Forwarded-For` is believed. */
  readonly trustedProxies: readonly string[];
  readonly introspection: boolean;
  readonly graphiql: boolean;
  readonly requestsPerSecond: number;
  readonly maxConnections: number;
  readonly maxConnectionsPerClient: number;
  readonly maxSubscriptions: number;
  readonly maxSubscriptionsPerClient: number;
}

/**
 * What holds where the environment says nothing. A connection and its subscription take some 50 kB, so that the totals are some
 * 0.5 GB; an office behind one address has some 100 people.
 */
export const defaultApiLimits: ApiLimits = {
  apiKeys: [],
  trustedProxies: [],
  introspection: true,
  graphiql: true,
  requestsPerSecond: 100,
  maxConnections: 10_000,
  maxConnectionsPerClient: 500,
  maxSubscriptions: 10_000,
  maxSubscriptionsPerClient: 1_000,
};
/** Indexed reads take milliseconds; what takes longer than this keeps a connection from others. */
export const DEFAULT_QUERY_TIMEOUT_MS = 10_000;

/** Reads what an API needs beside what every process has. */
export const readApi = (env: EnvReader): ApiConfig => ({
  host: env.withDefault(settings.host, '127.0.0.1'),
  port: env.withDefault(settings.port, 4000),
  portVariable: settings.port.name,
  corsOrigins: env.optional(settings.corsOrigins) ?? 'localhost',
  queryTimeoutMs: env.withDefault(settings.queryTimeout, DEFAULT_QUERY_TIMEOUT_MS),
  limits: readApiLimits(env),
});

function readApiLimits(env: EnvReader): ApiLimits {
  const set = defaultApiLimits;
  return {
    apiKeys: env.optional(settings.apiKeys) ?? set.apiKeys,
    trustedProxies: env.optional(settings.trustedProxies) ?? set.trustedProxies,
    introspection: env.withDefault(settings.introspection, 'on') === 'on',
    graphiql: env.withDefault(settings.graphiql, 'on') === 'on',
    requestsPerSecond: env.withDefault(settings.requestsPerSecond, set.requestsPerSecond),
    maxConnections: env.withDefault(settings.maxConnections, set.maxConnections),
    maxConnectionsPerClient: env.withDefault(settings.maxConnectionsPerClient, set.maxConnectionsPerClient),
    maxSubscriptions: env.withDefault(settings.maxSubscriptions, set.maxSubscriptions),
    maxSubscriptionsPerClient: env.withDefault(
      settings.maxSubscriptionsPerClient,
      set.maxSubscriptionsPerClient,
    ),
  };
}
