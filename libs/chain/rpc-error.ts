/**
 * What went wrong with a request, sorted by what to do about it:
 * auth, bad_endpoint: don't use this endpoint · archive: ask one with history · head_behind: it is behind, ask another or
 * wait · bad_data: inconsistent, ask another · suggested_range, range_limit, result_cap: ask for less · rate_limit: wait ·
 * timeout, transient: try again.
 */
export type RpcErrorKind =
  | 'auth'
  | 'suggested_range'
  | 'bad_endpoint'
  | 'archive'
  | 'head_behind'
  | 'bad_data'
  | 'range_limit'
  | 'result_cap'
  | 'rate_limit'
  | 'timeout'
  | 'transient';

/** A request to an RPC endpoint failed. Its message names the host, never the URL (which may hold a key). */
export class RpcError extends Error {
  override readonly name: string = 'RpcError';
  readonly kind: RpcErrorKind;
  readonly host: string;
  /** Time that the endpoint asked us to wait, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** JSON-RPC error code, when the endpoint gave one. */
  readonly code: number | undefined;

  constructor(fields: {
    kind: RpcErrorKind;
    host: string;
    method: string;
    message: string;
    retryAfterMs?: number;
    code?: number;
  }) {
    super(`${fields.host} ${fields.method}: ${fields.message.slice(0, 300)}`);
    this.kind = fields.kind;
    this.host = fields.host;
    this.retryAfterMs = fields.retryAfterMs;
    this.code = fields.code;
  }
}

/** Tried in order against message and data; the providers' texts are the only thing that tells (codes are used for everything). */
const rules: readonly (readonly [RpcErrorKind, RegExp])[] = [
  [
    'auth',
    /must authenticate|chain is not available on free plan|invalid (?:api|project) ?(?:key|id)|api key (?:is )?(?:missing|required|invalid)|unauthorized/i,
  ],
  [
    'suggested_range',
    /(?:block range should work:?|try with this block range|retry with the range)\s*\[?(?:0x[0-9a-f]+|\d+)/i,
  ],
  [
    'bad_endpoint',
    /^limit exceeded$|please specify an address|^method not found|method (?:\S+ )?(?:is )?not (?:supported|available|allowed|whitelisted)|does not exist\/is not available/i,
  ],
  [
    'archive',
    /archive requests require|missing trie node|no state available|no historical rpc|pruned history|due to pruning|height is not available|historical state .* not available|history has been pruned|has either been pruned/i,
  ],
  [
    'head_behind',
    /beyond (?:current )?head|after last accepted block|greater than latest block|unfinalized data|block not found|could not find block|unknown block|header (?:for hash )?not found|not currently canonical|invalid block height|requested block yet|not yet available|block .{0,30}(?:not yet|does not exist)/i,
  ],
  ['bad_data', /receipts length mismatch/i],
  [
    'range_limit',
    /(?:block|blocks|log|logs)?\s*range (?:is )?too (?:wide|large|big)|is limited to (?:a )?[\d,]+(?: ?- ?[\d,]+)?\s*(?:block|blocks)?\s*range|up to (?:a )?[\d,]+ blocks? range|ranges over [\d,]+|exceeds? (?:the |server |max(?:imum)? )?(?:block )?range|range [\d,]+ exceeds|exceed max(?:imum)? block range|max(?:imum)? (?:block )?range:? ?[\d,]+|block range (?:limit )?exceed|exceeds server limit|range (?:threshold )?(?:exceed|allowed)|maximum is set to|(?:number of )?requested blocks is|at most [\d,]+ blocks|blocks distance|less than [\d,]+ blocks|greater than [\d,]+ max|smaller than size|exceeded max allowed|invalid block range|exceeds the range allowed|must not exceed [\d,]+ blocks|maximum allowed is [\d,]+ blocks|limited to [\d,]+ blocks?|requested too many blocks|is too large, max is/i,
  ],
  [
    'result_cap',
    /more than [\d,]+ (?:results|logs)|exceeds limit of [\d,]+|max results|too many (?:logs|results|events)|response (?:size )?(?:is )?(?:exceeded|too (?:big|large))|log response size|maximum response size|backend response too large/i,
  ],
  [
    'rate_limit',
    /rate limit|too many requests|max calls per sec|compute units per second|credits limited|request count exceeded|requests? per second|capacity limit|throttl|quota|rps limit|throughput exceeded|429/i,
  ],
  ['timeout', /time(?:d)? ?out|timedout|deadline exceeded|canceled|took too long/i],
];

/** Kind of an error that an endpoint answered; what no rule knows is transient, and 429 always a rate limit. */
export function classify(message: string, data: unknown, httpStatus: number): RpcErrorKind {
  const text = data === undefined ? message : `${message} ${JSON.stringify(data)}`;
  const rule = rules.find(([, pattern]) => pattern.test(message) || pattern.test(text));
  if (rule) return rule[0];
  if (httpStatus === 429) return 'rate_limit';
  return httpStatus === 401 || httpStatus === 403 ? 'auth' : 'transient';
}
