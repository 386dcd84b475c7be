import type { BlockRange, RpcErrorKind } from './rpc-error.js';

/** What the words of a provider's error mean. */
export interface Refusal {
  readonly kind: RpcErrorKind;
  /** Blocks per request that it allows (inclusive), if it states a number that is one. */
  readonly limit: number | undefined;
  /** Range that it says would work. */
  readonly suggested: BlockRange | undefined;
  /** Time that it asks us to wait. */
  readonly retryAfterMs: number | undefined;
}

/** Tried in order. Only the text tells: the codes are used for everything (−32005 for rate limits and for result caps). */
const rules: readonly (readonly [RpcErrorKind, readonly RegExp[]])[] = [
  [
    'auth',
    [
      /must authenticate|unauthorized|chain is not available on free plan/i,
      /invalid (?:api|project) ?(?:key|id)|api key (?:is )?(?:missing|required|invalid)/i,
    ],
  ],
  [
    'suggested_range',
    [
      /(?:block range should work:?|try with this block range|retry with the range)\s*\[?(?:0x[0-9a-f]+|\d+)/i,
    ],
  ],
  [
    'bad_endpoint',
    [
      // word for word only: "rate limit exceeded" is another matter
      /^limit exceeded$/i,
      /please specify an address|^method not found|does not exist\/is not available/i,
      /method (?:\S+ )?(?:is )?not (?:supported|available|allowed|whitelisted)/i,
    ],
  ],
  [
    'archive',
    [
      /archive requests require|missing trie node|no state available|no historical rpc|pruned history/i,
      /due to pruning|height is not available|historical state .* not available|has (?:either )?been pruned/i,
    ],
  ],
  [
    'head_behind',
    [
      /beyond (?:current )?head|after last accepted block|greater than latest block|unfinalized data/i,
      /(?:block|header(?: for hash)?) not found|could not find block|unknown block|not currently canonical/i,
      /invalid block height|requested block yet|not yet available|block .{0,30}(?:not yet|does not exist)/i,
    ],
  ],
  ['bad_data', [/receipts length mismatch/i]],
  [
    'range_limit',
    [
      /range (?:is )?too (?:wide|large|big)|is too large, max is|blocks distance|smaller than size/i,
      /limited to (?:a )?[\d,]+(?: ?- ?[\d,]+)?\s*blocks?|is limited to (?:a )?[\d,]+ range/i,
      /up to (?:a )?[\d,]+ blocks? range|ranges over [\d,]+|range [\d,]+ exceeds|max(?:imum)? (?:block )?range:? ?[\d,]+/i,
      /exceeds? (?:the |server )?(?:max(?:imum)? )?(?:block )?range|exceeds server limit|exceeded max allowed/i,
      /range (?:limit |threshold )?(?:exceed|allowed)|exceeds the range allowed|maximum is set to/i,
      /requested blocks is|requested too many blocks|at most [\d,]+ blocks|less than [\d,]+ blocks/i,
      /greater than [\d,]+ max|must not exceed [\d,]+ blocks|maximum allowed is [\d,]+ blocks|invalid block range/i,
    ],
  ],
  [
    'result_cap',
    [
      /more than [\d,]+ (?:results|logs)|exceeds limit of [\d,]+|max results|too many (?:logs|results|events)/i,
      /response (?:size )?(?:is )?(?:exceeded|too (?:big|large))|log response size|maximum response size/i,
    ],
  ],
  [
    'rate_limit',
    [
      /rate limit|rps limit|too many requests|max calls per sec|requests? per second|\b429\b|throttl|quota/i,
      /compute units per second|credits limited|request count exceeded|capacity limit|throughput exceeded/i,
    ],
  ],
  ['timeout', [/timed? ?out|deadline exceeded|canceled|took too long/i]],
];

/**
 * Reads an endpoint's error: its text, or the data beside it (some say the reason only there).
 * What no rule knows goes by the HTTP status: 429 is a rate limit, 401 and 403 are auth, all else is transient.
 */
export function readRefusal(message: string, data: unknown, httpStatus: number): Refusal {
  const text = data === undefined ? message : `${message} ${JSON.stringify(data)}`;
  const says = (pattern: RegExp) => pattern.test(message) || pattern.test(text);
  const kind = rules.find(([, patterns]) => patterns.some(says))?.[0] ?? kindOfStatus(httpStatus);
  return {
    kind,
    limit: kind === 'range_limit' || kind === 'suggested_range' ? limitNamed(text) : undefined,
    suggested: kind === 'suggested_range' ? rangeNamed(text) : undefined,
    retryAfterMs: kind === 'rate_limit' ? waitNamed(data) : undefined,
  };
}

function kindOfStatus(httpStatus: number): RpcErrorKind {
  if (httpStatus === 429) return 'rate_limit';
  return httpStatus === 401 || httpStatus === 403 ? 'auth' : 'transient';
}

/** A number that stands where a provider says how many blocks it allows, not how many were asked. */
const limitPatterns: readonly RegExp[] = [
  /(?:limited to|up to) (?:a )?(?:0 ?- ?)?([\d,]+)(k?) ?(?:blocks?)? range/i,
  /range (?:is )?too (?:wide|large)[^\d]*(?:\d+\), )?(?:max(?:imum)?(?: allowed)?(?: range)?(?: is|:)?|max is|limited to) ([\d,]+)(k?)/i,
  /(?:exceeds? )?max(?:imum)?(?: block)?(?: range)?:? ([\d,]+)(k?)$/i,
  /(?:maximum is set to|blocks is|blocks? distance:|exceeds limit of|narrow your filter:|smaller than size|greater than|range exceeds|at most|less than|must not exceed|maximum allowed is|ranges over) ([\d,]+)(k?)/i,
  // "(49999 > 2000)": asked, allowed
  /exceeds the range allowed[^(]*\(\d+ > ([\d,]+)(k?)\)/i,
];

function limitNamed(text: string): number | undefined {
  // "… up to a 2K block range and no limit on the response size, or …": an offer, no cap of the endpoint
  if (/response size/i.test(text)) return undefined;
  for (const pattern of limitPatterns) {
    const [, digits, thousands] = pattern.exec(text) ?? [];
    if (digits) return Number(digits.replaceAll(',', '')) * (thousands ? 1_000 : 1) || undefined;
  }
  return undefined;
}

function rangeNamed(text: string): BlockRange | undefined {
  const [, from, to] =
    /(?:should work:?|this block range|with the range)\s*\[?(0x[0-9a-f]+|\d+)\s*[,-]\s*(0x[0-9a-f]+|\d+)/i.exec(
      text,
    ) ?? [];
  return from && to ? { from: Number(from), to: Number(to) } : undefined;
}

/** Infura says in its error's data how long to wait. */
function waitNamed(data: unknown): number | undefined {
  const seconds = Number(
    (data as { rate?: { backoff_seconds?: unknown } } | null | undefined)?.rate?.backoff_seconds,
  );
  return seconds > 0 ? seconds * 1_000 : undefined;
}
