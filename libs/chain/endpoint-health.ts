import type { Logger } from '#libs/telemetry/logger.js';
import { OutageLog } from '#libs/telemetry/outage-log.js';
import type { Endpoint } from './endpoint.js';
import { HistoryDepth } from './history-depth.js';
import type { RpcError, RpcErrorKind } from './rpc-error.js';

/** Rests after failures, doubling from the first to the last, ± 25 % so that processes don't march in step. */
const REST_MS = { first: 500, last: 30_000 };
/** Rests after what only a person, or a long time, changes: a missing key, a method that isn't served, another chain. */
const LASTING_REST_MS = { first: 30_000, last: 300_000 };
/** An endpoint may ask for a longer rest, but not for ever. */
const RETRY_AFTER_MAX_MS = 300_000;
/** Who was behind is asked last for this long. */
const BEHIND_MS = 5_000;
/** Also an endpoint that never failed shows its chain again after this long: its name may lead elsewhere by then. */
const VERIFIED_MS = 600_000;

/** The endpoint itself is well: it was asked for too much, for something old, or is some blocks late. */
const notIll: ReadonlySet<RpcErrorKind> = new Set([
  'head_behind',
  'archive',
  'range_limit',
  'suggested_range',
  'result_cap',
]);

const lasting: ReadonlySet<RpcErrorKind> = new Set(['auth', 'bad_endpoint', 'wrong_chain']);

/** How an endpoint fares, for status and metrics. */
export interface EndpointStatus {
  readonly host: string;
  /** False from a failure on until it has done some work that began later. */
  readonly healthy: boolean;
  /** The last failure, while it isn't healthy. */
  readonly reason: string | null;
  /** Blocks per request for logs that it is asked for now, as learned from its refusals. */
  readonly rangeSize: number;
  /** False from a refusal of old blocks on until it has served as old ones: it is good for news then. */
  readonly servesHistory: boolean;
}

/** What is known of an endpoint's health. Moments are in ms of the clock. */
export class EndpointHealth {
  private readonly history = new HistoryDepth();
  /** Failures in a row: the rest is as long as they are many. */
  private failures = 0;
  /** Failures of all time. */
  private allFailures = 0;
  private restUntil = 0;
  private behindUntil = 0;
  private lastError: RpcError | null = null;
  private verifiedSession: number | null = null;
  private verifiedUntil = 0;
  private verifying: Promise<void> | null = null;
  private readonly outage: OutageLog;

  constructor(
    readonly endpoint: Endpoint,
    private readonly logger: Logger,
    private readonly now: () => number,
  ) {
    this.outage = new OutageLog(logger, `${endpoint.host} answers again`);
  }

  /** True when it lately lacked blocks that it was asked for. */
  get isBehind(): boolean {
    return this.now() < this.behindUntil;
  }

  /**
   * Why it is left alone now: it rests after this failure, or refuses blocks as old; null when it may be asked.
   * @param from oldest block that will be asked for, where it matters.
   */
  hindrance(from: number | undefined): RpcError | null {
    if (this.lastError && this.now() < this.restUntil) return this.lastError;
    return from === undefined ? null : this.history.refusal(from, this.now());
  }

  /** Whether the node that answers has shown that it is of the configured chain. */
  get isVerified(): boolean {
    return this.verifiedSession === this.endpoint.session && this.now() < this.verifiedUntil;
  }

  /** Verifies it; who asks meanwhile waits for the same answer: whoever comes back from a failure is asked one thing first. */
  verifyOnce(verify: () => Promise<void>): Promise<void> {
    this.verifying ??= verify().finally(() => {
      this.verifying = null;
    });
    return this.verifying;
  }

  /** What work notes when it begins, to say with its success: of failures since then its success says nothing. */
  get failuresSoFar(): number {
    return this.allFailures;
  }

  /** It showed its chain. @param since `failuresSoFar` when it was asked: after a failure it must show it again. */
  verified(since: number): void {
    if (since < this.allFailures) return;
    this.verifiedSession = this.endpoint.session;
    this.verifiedUntil = this.now() + VERIFIED_MS;
  }

  /**
   * It did work, which ends a rest only when the work began after the failure: requests that were under way when one was refused
   * would else send the next ones into a refusal at once, against the wish of the endpoint.
   * @param since `failuresSoFar` when the work began. @param from oldest block that it served, where it matters.
   */
  succeeded(since: number, from: number | undefined): void {
    if (from !== undefined) this.history.served(from);
    if (since < this.allFailures) return;
    this.outage.ended();
    this.failures = 0;
    this.lastError = null;
  }

  /** @param from oldest block that was asked for, where it matters. */
  failed(error: RpcError, from?: number): void {
    if (error.kind === 'head_behind') this.behindUntil = this.now() + BEHIND_MS;
    if (error.kind === 'archive' && from !== undefined) this.refusedHistory(from, error);
    if (notIll.has(error.kind)) return;
    this.outage.failed(error.message, error.kind);
    const wanted = Math.min(error.retryAfterMs ?? 0, RETRY_AFTER_MAX_MS);
    this.restUntil = Math.max(this.restUntil, this.now() + Math.max(wanted, this.nextRest(error.kind)));
    this.lastError = error;
    this.allFailures++;
    this.verifiedSession = null;
  }

  status(): EndpointStatus {
    const { endpoint, lastError } = this;
    return {
      host: endpoint.host,
      healthy: lastError === null,
      reason: lastError?.message ?? null,
      rangeSize: endpoint.range.size,
      servesHistory: !this.history.isShort,
    };
  }

  /** Milliseconds to rest after one more failure; 0 while it rests: requests that were under way together fail together. */
  private nextRest(kind: RpcErrorKind): number {
    const isLasting = lasting.has(kind);
    const isOfSort = this.lastError !== null && lasting.has(this.lastError.kind) === isLasting;
    if (isOfSort && this.now() < this.restUntil) return 0;
    if (!isOfSort) this.failures = 0;
    const { first, last } = isLasting ? LASTING_REST_MS : REST_MS;
    return Math.min(first * 2 ** this.failures++, last) * (0.75 + Math.random() / 2);
  }

  private refusedHistory(from: number, error: RpcError): void {
    if (!this.history.isShort)
      this.logger.warn(`${error.message} (asked for block ${from}); news may go on there`);
    this.history.refused(from, error, this.now());
  }
}
