import type { SimulatedChain } from './chain.js';
import { RpcError } from './rpc-error.js';
import { type Method, type ProviderOptions, rpcMethods, type Subscriber } from './rpc-methods.js';

interface Answer {
  readonly jsonrpc: '2.0';
  readonly id: unknown;
  readonly result?: unknown;
  readonly error?: { code: number; message: string; data?: unknown };
}

/** Speaks JSON-RPC 2.0 for a chain, whatever the transport. */
export class RpcDispatcher {
  readonly #methods: ReadonlyMap<string, Method>;
  readonly #maxBatch: number;

  constructor(chain: SimulatedChain, provider: ProviderOptions) {
    this.#methods = rpcMethods(chain, provider);
    this.#maxBatch = provider.maxBatch ?? Number.POSITIVE_INFINITY;
  }

  /**
   * Answers a request or a batch.
   * @param body JSON as it came in. @param subscriber the connection, if it can be written to later.
   * @returns JSON, or undefined when nothing is to be answered (notifications).
   */
  async answer(body: string, subscriber?: Subscriber): Promise<string | undefined> {
    let message: unknown;
    try {
      message = JSON.parse(body);
    } catch {
      return JSON.stringify(failure(null, -32700, 'parse error'));
    }
    if (!Array.isArray(message)) {
      const answer = await this.#answerOne(message, subscriber);
      return answer && JSON.stringify(answer);
    }
    if (message.length === 0) return JSON.stringify(failure(null, -32600, 'empty batch'));
    if (message.length > this.#maxBatch)
      return JSON.stringify(failure(null, -32600, `batch too large: ${this.#maxBatch} requests at most`));
    const answers = await Promise.all(message.map((request) => this.#answerOne(request, subscriber)));
    const said = answers.filter((answer) => answer !== undefined);
    return said.length > 0 ? JSON.stringify(said) : undefined;
  }

  async #answerOne(request: unknown, subscriber?: Subscriber): Promise<Answer | undefined> {
    if (typeof request !== 'object' || request === null || !('method' in request))
      return failure(null, -32600, 'invalid request');
    const { id, method: name, params = [] } = request as { id?: unknown; method: unknown; params?: unknown };
    const answer = this.#call(id ?? null, name, params, subscriber);
    return id === undefined ? undefined : answer;
  }

  #call(id: unknown, name: unknown, params: unknown, subscriber?: Subscriber): Answer {
    const method = typeof name === 'string' ? this.#methods.get(name) : undefined;
    if (!method) return failure(id, -32601, `the method ${String(name)} does not exist/is not available`);
    if (!Array.isArray(params)) return failure(id, -32602, 'invalid params: expected an array');
    try {
      return { jsonrpc: '2.0', id, result: method({ params, subscriber }) };
    } catch (error) {
      if (error instanceof RpcError) return failure(id, error.code, error.message, error.data);
      if (error instanceof RangeError) return failure(id, -32602, error.message);
      return failure(id, -32603, `internal error: ${(error as Error).message}`);
    }
  }
}

function failure(id: unknown, code: number, message: string, data?: unknown): Answer {
  return { jsonrpc: '2.0', id, error: { code, message, data } };
}
