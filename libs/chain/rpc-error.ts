/**
 * What went wrong with a request, sorted by what to do about it:
 * auth, bad_endpoint, wrong_chain: don't use this endpoint · archive: ask one with history · head_behind: it is behind, ask another or
 * wait · bad_data: inconsistent, ask another · other_final_block: it shows another block at a height that is final for us ·
 * suggested_range, range_limit, result_cap: ask for less · rate_limit: wait · timeout, transient: try again.
 */
export type RpcErrorKind =
  | 'auth'
  | 'suggested_range'
  | 'bad_endpoint'
  | 'wrong_chain'
  | 'archive'
  | 'head_behind'
  | 'bad_data'
  | 'other_final_block'
  | 'range_limit'
  | 'result_cap'
  | 'rate_limit'
  | 'timeout'
  | 'transient';

/** Blocks `from` to `to`, both included. */
export interface BlockRange {
  readonly from: number;
  readonly to: number;
}

/** Provider texts are cut here; what they name is read before. */
const MESSAGE_LENGTH = 300;

/** A request to an RPC endpoint failed. Its message names the host, never the URL (which may hold a key). */
export class RpcError extends Error {
  override readonly name: string = 'RpcError';
  readonly kind: RpcErrorKind;
  readonly host: string;
  /** JSON-RPC method, or several joined by `+` when their batch failed. */
  readonly method: string;
  /** Time that the endpoint asked us to wait, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** JSON-RPC error code, when the endpoint gave one. */
  readonly code: number | undefined;
  /** Blocks per request that the endpoint allows, when it says so. */
  readonly limit: number | undefined;
  /** Range that the endpoint says would work: a hint only, see LogRange. */
  readonly suggested: BlockRange | undefined;
  /** Unix seconds: an endpoint without batches, which refuses nothing, would be believed about logs of blocks up to this time. */
  readonly believedTo: number | undefined;

  constructor(fields: {
    kind: RpcErrorKind;
    host: string;
    method: string;
    message: string;
    retryAfterMs?: number;
    code?: number;
    limit?: number;
    suggested?: BlockRange;
    believedTo?: number;
  }) {
    const message = fields.message.replace(/\s+/g, ' ').slice(0, MESSAGE_LENGTH);
    super(`${fields.host} ${fields.method}: ${message}`);
    this.kind = fields.kind;
    this.host = fields.host;
    this.method = fields.method;
    this.retryAfterMs = fields.retryAfterMs;
    this.code = fields.code;
    this.limit = fields.limit;
    this.suggested = fields.suggested;
    this.believedTo = fields.believedTo;
  }
}

/** What is said of an endpoint of another chain. */
export function wrongChainWords(configured: number, answered: number): string {
  return `is of chain ${answered}, not ${configured} as configured: mend RPC_URLS or the chain's id`;
}
