import {
  BatchRefused,
  methodsOf,
  type RpcCall,
  type RpcReply,
  readReplies,
  requestBody,
} from './json-rpc.js';
import { readRefusal } from './refusal.js';
import { RpcError, type RpcErrorKind } from './rpc-error.js';
import type { RequestLimits, RpcTransport } from './rpc-transport.js';
import type { RpcUrl } from './rpc-url.js';

/** Statuses with which servers refuse the form or size of a request: a batch may be why. */
const FORM_REFUSED = new Set([400, 405, 413, 415, 422]);

interface HttpAnswer {
  readonly status: number;
  readonly retryAfterMs: number | undefined;
  /** Parsed JSON; undefined when it isn't JSON. */
  readonly json: unknown;
}

class AnswerTooLarge extends Error {}

/** JSON-RPC over HTTP POST. Answers count whatever their status: providers put the reason into the body of a 4xx or 5xx. */
export class HttpTransport implements RpcTransport {
  readonly session = 0;
  private nextId = 1;
  private readonly closed = new AbortController();
  private readonly headers: Record<string, string>;

  constructor(
    private readonly url: RpcUrl,
    private readonly limits: RequestLimits,
  ) {
    const { authorization } = url;
    this.headers = { 'content-type': 'application/json', ...(authorization && { authorization }) };
  }

  async send(calls: readonly RpcCall[]): Promise<RpcReply[]> {
    const firstId = this.nextId;
    this.nextId += calls.length;
    const answer = await this.post(requestBody(calls, firstId), calls);
    const { status, retryAfterMs } = answer;
    if (answer.json !== undefined) {
      return readReplies(calls, firstId, answer.json, { url: this.url, status, retryAfterMs });
    }
    const message = `HTTP ${status}, its answer isn't JSON`;
    const { kind } = readRefusal('', undefined, status);
    const fields = { kind, host: this.url.host, method: methodsOf(calls), message, retryAfterMs };
    throw calls.length > 1 && FORM_REFUSED.has(status) ? new BatchRefused(fields) : new RpcError(fields);
  }

  onNewHead(): null {
    return null;
  }

  /** What is under way fails now: a node that hangs must not hold its asker up. */
  close(): void {
    this.closed.abort();
  }

  private async post(body: string, calls: readonly RpcCall[]): Promise<HttpAnswer> {
    const { timeoutMs, maxBytes } = this.limits;
    try {
      const signal = AbortSignal.any([AbortSignal.timeout(timeoutMs), this.closed.signal]);
      const response = await fetch(this.url.href, { method: 'POST', headers: this.headers, body, signal });
      return {
        status: response.status,
        retryAfterMs: retryAfter(response.headers.get('retry-after')),
        json: parseJson(await readText(response, maxBytes)),
      };
    } catch (error) {
      throw this.failure(calls, error as Error);
    }
  }

  private failure(calls: readonly RpcCall[], error: Error): RpcError {
    const [kind, message] = this.reason(error);
    return new RpcError({ kind, host: this.url.host, method: methodsOf(calls), message });
  }

  private reason(error: Error): [RpcErrorKind, string] {
    const { timeoutMs, maxBytes } = this.limits;
    if (this.closed.signal.aborted) return ['transient', 'closed'];
    if (error.name === 'TimeoutError') return ['timeout', `no answer within ${timeoutMs / 1_000} s`];
    if (error instanceof AnswerTooLarge) return ['result_cap', `the answer is larger than ${maxBytes} bytes`];
    const cause = error.cause as { code?: string; message?: string } | undefined;
    return [
      'transient',
      `can't be reached (${this.url.conceal(cause?.code || cause?.message || error.message)})`,
    ];
  }
}

/** Reads a body up to a size: what is larger doesn't get into memory. */
async function readText(response: Response, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > maxBytes) throw new AnswerTooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** `Retry-After` (RFC 9110 §10.2.3) in milliseconds: a number of seconds, or a date. */
function retryAfter(value: string | null): number | undefined {
  if (!value) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}
