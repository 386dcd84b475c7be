import { Draw } from './draw.js';
import { digestOf } from './identity.js';

/**
 * What can befall a request to a node, each as real nodes and the proxies before them do it. Most concern one request; those
 * that last stay for a while.
 *
 * | kinds | what happens |
 * | --- | --- |
 * | `http_429`, `http_429_retry_after`, `http_500`, `http_502`, `http_503` | that status, with a provider's body (HTTP only) |
 * | `timeout`, `reset` | no answer while the client waits · the connection is cut |
 * | `html_200`, `truncated_json` | a web page with status 200 (HTTP only) · half of the answer |
 * | `rate_limit_error` | status 200, and an error that asks for fewer requests |
 * | `batch_out_of_order`, `batch_as_object`, `batch_partly` | the answers in another order · one error object · some answers missing |
 * | `null_block`, `null_logs` | null for a block that is there, or for logs |
 * | `no_finalized_tag`, `null_finalized_tag` | the tag is refused · has no block |
 * | `range_limit`, `result_limit` | refused in a provider's words, by a limit that stays the same and is found by asking for less |
 * | `lying_suggestion` | refused, with a range that is too long, reversed, or not of what was asked |
 * | `head_backwards` | the request is answered by a node some blocks behind |
 * | `clamped_range`, `empty_beyond_head`, `error_beyond_head` | it is answered by a node that lacks some of the blocks asked for logs: it leaves them out · has no logs · refuses |
 * | `lagging_index` | logs of the newest unfinalized blocks are missing, though the node has the blocks |
 * | `other_block_hash` | logs of another branch than the headers before |
 * | `removed_logs` | logs with `removed: true` among the others |
 * | `behind` | lasts: the node is some blocks behind, and has no logs for hashes that it doesn't know |
 * | `old_branch` | lasts: the node stays on the branch that the last reorg replaced, until finality passes the fork at most |
 * | `wrong_chain` | lasts: the name leads to a node of another chain, with the same contract and events of its own |
 *
 * Nothing here states a wrong *final* log in a way that no reader could notice: all calls of one request see one node. (A
 * load balancer that splits a batch between nodes could; from one endpoint that can't be told from the truth.)
 */
export const faultKinds = [
  'http_429',
  'http_429_retry_after',
  'http_500',
  'http_502',
  'http_503',
  'timeout',
  'reset',
  'html_200',
  'truncated_json',
  'rate_limit_error',
  'batch_out_of_order',
  'batch_as_object',
  'batch_partly',
  'null_block',
  'null_logs',
  'no_finalized_tag',
  'null_finalized_tag',
  'range_limit',
  'result_limit',
  'lying_suggestion',
  'head_backwards',
  'clamped_range',
  'empty_beyond_head',
  'error_beyond_head',
  'lagging_index',
  'other_block_hash',
  'removed_logs',
  'behind',
  'old_branch',
  'wrong_chain',
] as const;

export type FaultKind = (typeof faultKinds)[number];

/** Chance of each kind for a request that it can befall, from 0 to 1; what isn't named doesn't happen. */
export type FaultRates = Partial<Readonly<Record<FaultKind, number>>>;

/** How the faults of an endpoint behave. */
export interface FaultOptions {
  /** Mean length in ms of those that last; each takes from half to one and a half of it. */
  readonly lastingMs?: number;
  /** Blocks per eth_getLogs that `range_limit` allows. */
  readonly maxRange?: number;
  /** Logs per answer that `result_limit` allows. */
  readonly maxResults?: number;
  /** How many blocks `behind` and `head_backwards` trail the head by at most. */
  readonly maxLag?: number;
}

/**
 * The faults of one endpoint: how likely each is, and how often each has happened. A request meets one of them at most, beside
 * the one that lasts; equal seeds draw the same for the same requests in the same order.
 */
export class Faults {
  /** May be set at any time; `{}` ends all of them, those that last included. */
  rates: FaultRates;
  readonly lastingMs: number;
  readonly maxRange: number;
  readonly maxResults: number;
  readonly maxLag: number;
  /** For what differs from one fault to the next of a kind. */
  readonly draw: Draw;
  readonly #counts = new Map<FaultKind, number>();

  constructor(seed: string, rates: FaultRates = {}, options: FaultOptions = {}) {
    this.rates = rates;
    this.lastingMs = options.lastingMs ?? 1_000;
    this.maxRange = options.maxRange ?? 100;
    this.maxResults = options.maxResults ?? 50;
    this.maxLag = options.maxLag ?? 5;
    this.draw = new Draw(Number.parseInt(digestOf(`faults:${seed}`, 6), 16));
  }

  /** How often each kind has changed an answer; one that lasts counts once. */
  get counts(): ReadonlyMap<FaultKind, number> {
    return this.#counts;
  }

  /** Whether a kind happens at all for now. */
  mayHappen(kind: FaultKind): boolean {
    return (this.rates[kind] ?? 0) > 0;
  }

  /** One of the kinds, each with the chance of its rate (in proportion, where they add up to more than 1), or none. */
  pick(possible: readonly FaultKind[]): FaultKind | undefined {
    const entries = possible.map((kind) => ({ kind, weight: this.rates[kind] ?? 0 }));
    const total = entries.reduce((sum, { weight }) => sum + weight, 0);
    return this.draw.chance(total) ? this.draw.pick(entries).kind : undefined;
  }

  /** Takes note that a fault has changed an answer. */
  happened(kind: FaultKind): void {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
  }
}
