import type { Logger } from '#libs/telemetry/logger.js';
import type { Endpoint } from './endpoint.js';
import type { RpcError, RpcErrorKind } from './rpc-error.js';

/** Rests after failures, doubling from the first to the last, ± 25 % so that processes don't march in step. */
const REST_FIRST_MS = 500;
const REST_LAST_MS = 30_000;
/** An endpoint may ask for a longer rest, but not for ever. */
const RETRY_AFTER_MAX_MS = 300_000;
/** Who was behind is asked last for this long. */
const BEHIND_MS = 5_000;

/** The endpoint itself is well: it was asked for too much, for something old, or is some blocks late. */
const notIll: ReadonlySet<RpcErrorKind> = new Set([
  'head_behind',
  'archive',
  'range_limit',
  'suggested_range',
  'result_cap',
]);

/** Nothing will be different in a second. */
const lasting: ReadonlySet<RpcErrorKind> = new Set(['auth', 'bad_endpoint']);

/** How an endpoint fares, for status and metrics. */
export interface EndpointStatus {
  readonly host: string;
  readonly healthy: boolean;
  /** The last failure, while it isn't healthy. */
  readonly reason: string | null;
}

/** What is known of an endpoint's health. Moments are in ms of the monotonic clock. */
export class EndpointHealth {
  private failures = 0;
  private restUntil = 0;
  private behindUntil = 0;
  private lastError: RpcError | null = null;
  private verifiedSession: number | null = null;
  private everVerified = false;

  constructor(
    readonly endpoint: Endpoint,
    private readonly logger: Logger,
  ) {}

  /** True while it is left alone after a failure. */
  get isResting(): boolean {
    return this.lastError !== null && performance.now() < this.restUntil;
  }

  /** True when it lately lacked blocks that it was asked for. */
  get isBehind(): boolean {
    return performance.now() < this.behindUntil;
  }

  /** The failure that it rests after. */
  get reason(): RpcError | null {
    return this.lastError;
  }

  /** Whether the node that answers has shown that it is of the configured chain. */
  get isVerified(): boolean {
    return this.verifiedSession === this.endpoint.session;
  }

  get wasEverVerified(): boolean {
    return this.everVerified;
  }

  verified(): void {
    this.verifiedSession = this.endpoint.session;
    this.everVerified = true;
  }

  succeeded(): void {
    if (this.lastError) this.logger.info(`${this.endpoint.host} answers again`);
    this.failures = 0;
    this.lastError = null;
  }

  failed(error: RpcError): void {
    if (error.kind === 'head_behind') this.behindUntil = performance.now() + BEHIND_MS;
    if (notIll.has(error.kind)) return;
    if (!this.lastError) this.logger.warn(error.message);
    this.lastError = error;
    this.verifiedSession = null;
    const rest = lasting.has(error.kind) ? REST_LAST_MS : REST_FIRST_MS * 2 ** this.failures;
    const jittered = Math.min(rest, REST_LAST_MS) * (0.75 + Math.random() / 2);
    const wanted = Math.min(error.retryAfterMs ?? 0, RETRY_AFTER_MAX_MS);
    this.restUntil = performance.now() + Math.max(wanted, jittered);
    this.failures++;
  }

  status(): EndpointStatus {
    const { host } = this.endpoint;
    return { host, healthy: this.lastError === null, reason: this.lastError?.message ?? null };
  }
}
