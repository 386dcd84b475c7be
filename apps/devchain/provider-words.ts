import type { Draw } from './draw.js';
import { RpcError } from './rpc-error.js';

/** Refusals of real providers, word for word but for the numbers. */
const RANGE_REFUSALS: readonly ((limit: number, from: number, to: number) => RpcError)[] = [
  (limit) => new RpcError(-32614, `eth_getLogs is limited to a ${withCommas(limit)} range`),
  (limit, from, to) => new RpcError(-32602, `range ${to - from + 1} exceeds limit of ${limit}`),
  (limit) => new RpcError(-32602, `query exceeds max block range ${limit}`),
  (limit) => new RpcError(-32701, `exceed maximum block range: ${limit}`),
  (limit) =>
    new RpcError(
      -32047,
      `Invalid eth_getLogs request. 'fromBlock'-'toBlock' range too large. Max range: ${limit}`,
    ),
  (limit, from, to) =>
    new RpcError(-32602, 'Invalid params', {
      range: `the range ${from} - ${to} exceeds the range allowed for your plan (${to - from} > ${limit}).`,
    }),
  (limit) => new RpcError(-32005, `Maximum allowed number of requested blocks is ${limit}`),
  (limit, from, to) =>
    new RpcError(-32000, `requested too many blocks from ${from} to ${to}, maximum is set to ${limit}`),
  (limit) => new RpcError(-32602, `query block range exceeds server limit, narrow your filter: ${limit}`),
  (limit, from, to) =>
    new RpcError(-32000, `block range too large (${to - from + 1}), maximum allowed is ${limit} blocks`),
  (limit, from) =>
    new RpcError(
      -32600,
      `You can make eth_getLogs requests with up to a ${limit} block range. Based on your parameters, this block range should work: [${hex(from)}, ${hex(from + limit - 1)}]`,
    ),
  () => new RpcError(-32602, 'block range is too wide'),
];

const RESULT_REFUSALS: readonly ((limit: number) => RpcError)[] = [
  (limit) => new RpcError(-32005, `query returned more than ${limit} results`),
  (limit) => new RpcError(-32000, `logs matched by query exceeds limit of ${limit}`),
  () => new RpcError(-32602, 'query exceeds max results'),
  () => new RpcError(-32020, 'backend response too large'),
  (limit) => new RpcError(-32602, `More than ${limit} logs returned`),
  () => new RpcError(-32602, 'query returns too many logs'),
];

const SUGGESTIONS: readonly ((from: string, to: string) => RpcError)[] = [
  (from, to) =>
    new RpcError(
      -32005,
      `query returned more than 10000 results. Try with this block range [${from}, ${to}].`,
      { from, to, limit: 10000 },
    ),
  (from, to) =>
    new RpcError(
      -32602,
      `Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range and no limit on the response size, or you can request any block range with a cap of 10K logs in the response. Based on your parameters and the response size limit, this block range should work: [${from}, ${to}]`,
    ),
  (from, to) =>
    new RpcError(
      -32602,
      `query exceeds max results 20000, retry with the range ${Number(from)}-${Number(to)}`,
    ),
];

const RATE_REFUSALS: readonly (() => RpcError)[] = [
  () => new RpcError(-32005, 'rate limit exceeded'),
  () => new RpcError(-32000, 'throughput exceeded'),
  () => new RpcError(-32012, 'credits limited to 6000/sec'),
  () =>
    new RpcError(-32005, 'daily request count exceeded, request rate limited', {
      rate: { current_rps: 13.333, allowed_rps: 10, backoff_seconds: 0.5 },
    }),
  () =>
    new RpcError(
      429,
      'Your app has exceeded its compute units per second capacity. If you have retries enabled, you can safely ignore this message.',
    ),
];

/** Refuses a range as longer than `limit` blocks (both ends counted). */
export function rangeRefusal(draw: Draw, limit: number, from: number, to: number): RpcError {
  return RANGE_REFUSALS[draw.below(RANGE_REFUSALS.length)]!(limit, from, to);
}

/** Refuses an answer of more than `limit` logs. */
export function resultRefusal(draw: Draw, limit: number): RpcError {
  return RESULT_REFUSALS[draw.below(RESULT_REFUSALS.length)]!(limit);
}

/** Refuses a range with a suggestion that is of no use: as long as what was asked, longer, reversed, at its end, or elsewhere. */
export function lyingSuggestion(draw: Draw, from: number, to: number): RpcError {
  const lies: readonly (readonly [number, number])[] = [
    [from, to],
    [from, to + 1_000],
    [to, from],
    [to, to],
    [to + 1, to + 100],
    [Math.max(0, from - 100), from],
  ];
  const [first, last] = lies[draw.below(lies.length)]!;
  return SUGGESTIONS[draw.below(SUGGESTIONS.length)]!(hex(first), hex(last));
}

/** Asks for fewer requests. */
export function rateRefusal(draw: Draw): RpcError {
  return RATE_REFUSALS[draw.below(RATE_REFUSALS.length)]!();
}

/** What a proxy says instead of the node. */
export const HTML_PAGE =
  '<!DOCTYPE html>\n<html><head><title>Just a moment...</title></head><body><h1>Checking your browser</h1></body></html>\n';

function hex(height: number): string {
  return `0x${height.toString(16)}`;
}

function withCommas(value: number): string {
  return value.toLocaleString('en-US');
}
