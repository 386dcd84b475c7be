import type { ServedChain } from './chain-view.js';
import { FaultInjector, type Plan } from './fault-injector.js';
import type { Faults } from './faults.js';
import { failure, type Outcome, type RpcAnswer, type RpcRequest } from './json-rpc.js';
import { RpcError } from './rpc-error.js';
import { type Method, type ProviderOptions, rpcMethods, type Subscriber } from './rpc-methods.js';

/** A connection that a request came over. */
export interface Connection {
  readonly transport: 'http' | 'webSocket';
  /** Set where the connection can be written to later. */
  readonly subscriber?: Subscriber;
}

/** Speaks JSON-RPC 2.0 for a chain, whatever the transport; in the way that faults make it, if there are any. */
export class RpcDispatcher {
  readonly #methods: ReadonlyMap<string, Method>;
  readonly #provider: ProviderOptions;
  readonly #injector: FaultInjector | undefined;

  constructor(chain: ServedChain, provider: ProviderOptions, faults?: Faults) {
    this.#methods = rpcMethods(chain, provider);
    this.#provider = provider;
    this.#injector = faults && new FaultInjector(chain, faults);
  }

  /** What is done with a request or a batch. @param body JSON as it came in. */
  answer(body: string, connection: Connection): Outcome {
    let message: unknown;
    try {
      message = JSON.parse(body);
    } catch {
      return json(failure(null, -32700, 'parse error'));
    }
    const isBatch = Array.isArray(message);
    const requests: unknown[] = isBatch ? (message as unknown[]) : [message];
    if (requests.length === 0) return json(failure(null, -32600, 'empty batch'));
    const { maxBatch = Number.POSITIVE_INFINITY } = this.#provider;
    if (isBatch && requests.length > maxBatch)
      return json(failure(null, -32600, `batch too large: ${maxBatch} requests at most`));
    const plan = this.#plan(requests, isBatch, connection);
    if (plan?.instead) return plan.instead();
    const methods = plan ? rpcMethods(plan.view(), { ...this.#provider, ...plan.provider }) : this.#methods;
    const answers = requests
      .map((request) => answerTo(request, methods, connection.subscriber, plan?.answer))
      .filter((answer) => answer !== undefined);
    if (answers.length === 0) return { kind: 'nothing' };
    const whole = isBatch ? (plan?.reshape?.(answers) ?? answers) : answers[0];
    const { text } = json(whole);
    return { kind: 'json', text: plan?.garble?.(text) ?? text };
  }

  /** Ends what listens to the chain. */
  close(): void {
    this.#injector?.close();
  }

  /** What befalls a request; nothing does when it is no call of a client, but malformed or one that steers the chain. */
  #plan(requests: readonly unknown[], isBatch: boolean, { transport }: Connection): Plan | undefined {
    if (!this.#injector?.isActive) return undefined;
    const calls = requests.filter(isCall);
    const isClients =
      calls.length === requests.length && !calls.some(({ method }) => /^devchain_/.test(method));
    return isClients ? this.#injector.plan(calls, isBatch, transport) : undefined;
  }
}

function json(value: unknown): { kind: 'json'; text: string } {
  return { kind: 'json', text: JSON.stringify(value) };
}

function isCall(request: unknown): request is RpcRequest {
  const { method, params } = (request ?? {}) as { method?: unknown; params?: unknown };
  return typeof method === 'string' && Array.isArray(params);
}

/** @returns undefined for a notification. */
function answerTo(
  request: unknown,
  methods: ReadonlyMap<string, Method>,
  subscriber: Subscriber | undefined,
  alter: Plan['answer'],
): RpcAnswer | undefined {
  if (typeof request !== 'object' || request === null || !('method' in request))
    return failure(null, -32600, 'invalid request');
  const { id, method: name, params = [] } = request as { id?: unknown; method: unknown; params?: unknown };
  const method = typeof name === 'string' ? methods.get(name) : undefined;
  const answer = resultOf(id ?? null, () => {
    if (!method) throw new RpcError(-32601, `the method ${String(name)} does not exist/is not available`);
    if (!Array.isArray(params)) throw new RpcError(-32602, 'invalid params: expected an array');
    const truth = () => method({ params, subscriber });
    return alter ? alter(request as RpcRequest, truth) : truth();
  });
  return id === undefined ? undefined : answer;
}

function resultOf(id: unknown, call: () => unknown): RpcAnswer {
  try {
    return { jsonrpc: '2.0', id, result: call() };
  } catch (error) {
    if (error instanceof RpcError) return failure(id, error.code, error.message, error.data);
    if (error instanceof RangeError) return failure(id, -32602, error.message);
    return failure(id, -32603, `internal error: ${(error as Error).message}`);
  }
}
