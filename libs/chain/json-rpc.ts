import { readRefusal } from './refusal.js';
import { RpcError } from './rpc-error.js';
import type { RpcUrl } from './rpc-url.js';

/** One JSON-RPC call. */
export interface RpcCall {
  readonly method: string;
  readonly params: readonly unknown[];
}

/** What the endpoint answered to one call. */
export type RpcReply = { readonly result: unknown } | { readonly error: RpcError };

/** Where an answer comes from and what its transport says of it; over WebSocket the status is always 200. */
export interface AnswerSource {
  readonly url: RpcUrl;
  readonly status: number;
  readonly retryAfterMs?: number;
}

/** The endpoint didn't take the calls as one batch: fewer at a time may pass. */
export class BatchRefused extends RpcError {}

interface Answer {
  readonly id?: unknown;
  readonly result?: unknown;
  readonly error?: unknown;
  readonly message?: unknown;
}

/** Methods of some calls, each once, for errors. */
export function methodsOf(calls: readonly RpcCall[]): string {
  return [...new Set(calls.map((call) => call.method))].join('+');
}

/** The request for calls with ids from `firstId` on: a batch (JSON-RPC 2.0 §6), or an object for a single call. */
export function requestBody(calls: readonly RpcCall[], firstId: number): string {
  const requests = calls.map(({ method, params }, i) => ({
    jsonrpc: '2.0',
    id: firstId + i,
    method,
    params,
  }));
  return JSON.stringify(requests.length === 1 ? requests[0] : requests);
}

/** The ids that an answer (one object, or the list of a batch) carries; some servers make strings of them. */
export function idsOf(answer: unknown): number[] {
  const ids = answersOf(answer).map(({ id }) => (id === null || id === undefined ? Number.NaN : Number(id)));
  return ids.filter((id) => !Number.isNaN(id));
}

/**
 * Gives each call its reply. Answers may come in any order; a call without one gets an error.
 * @param answer parsed JSON of any shape.
 * @throws BatchRefused when the endpoint speaks of the batch, or answers it with a single object; RpcError when it refuses
 *   the request as a whole for another reason (a rate limit, a missing key).
 */
export function readReplies(
  calls: readonly RpcCall[],
  firstId: number,
  answer: unknown,
  source: AnswerSource,
): RpcReply[] {
  const answers = answersOf(answer);
  const isBatch = calls.length > 1;
  if (isBatch && (!Array.isArray(answer) || (answers.length === 1 && !idsOf(answer).length))) {
    throw wholeError(calls, answers[0], source);
  }
  const byId = new Map(answers.map((one) => [Number(one.id), one]));
  return calls.map((call, i) => {
    // an error without id can be meant for a single call only
    const one = byId.get(firstId + i) ?? (isBatch ? undefined : answers[0]);
    if (one && one.error == null && 'result' in one) return { result: one.result };
    const fields = errorFields(one, call.method, source);
    if (isBatch && speaksOfBatch(one)) throw new BatchRefused(fields);
    return { error: new RpcError(fields) };
  });
}

function answersOf(answer: unknown): Answer[] {
  const list = Array.isArray(answer) ? answer : [answer];
  return list.filter((one): one is Answer => typeof one === 'object' && one !== null);
}

/** Why a batch got one object for an answer. Reasons that fewer calls would meet too aren't the batch's. */
function wholeError(calls: readonly RpcCall[], answer: Answer | undefined, source: AnswerSource): RpcError {
  const fields = errorFields(answer, methodsOf(calls), source);
  const another = fields.kind !== 'transient' || source.status >= 500;
  return another && !speaksOfBatch(answer) ? new RpcError(fields) : new BatchRefused(fields);
}

function speaksOfBatch(answer: Answer | undefined): boolean {
  return /\bbatch/i.test(textOf(answer) ?? '');
}

function errorFields(answer: Answer | undefined, method: string, source: AnswerSource) {
  const { code, data } = fieldsOf(answer?.error);
  const text = textOf(answer) ?? `HTTP ${source.status}, no answer to this call`;
  const refusal = readRefusal(text, data, source.status);
  return {
    ...refusal,
    host: source.url.host,
    method,
    message: source.url.conceal(data === undefined ? text : `${text} ${JSON.stringify(data)}`),
    retryAfterMs: source.retryAfterMs ?? refusal.retryAfterMs,
    code: typeof code === 'number' ? code : undefined,
  };
}

/** The error's text: gateways before the node answer `{error: "…"}` or `{message: "…"}` instead of JSON-RPC. */
function textOf(answer: Answer | undefined): string | undefined {
  const candidates = [fieldsOf(answer?.error).message, answer?.error, answer?.message];
  return candidates.find((text): text is string => typeof text === 'string');
}

function fieldsOf(error: unknown): Record<string, unknown> {
  return typeof error === 'object' && error !== null ? (error as Record<string, unknown>) : {};
}
