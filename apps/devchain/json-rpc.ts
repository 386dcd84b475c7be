/** A call as it came in. */
export interface RpcRequest {
  readonly id?: unknown;
  readonly method: string;
  readonly params: readonly unknown[];
}

/** The answer to one call. */
export interface RpcAnswer {
  readonly jsonrpc: '2.0';
  readonly id: unknown;
  readonly result?: unknown;
  readonly error?: { code: number; message: string; data?: unknown };
}

/** What a server does with a request: answers it with JSON, has nothing to answer, or behaves as a broken one does. */
export type Outcome =
  | { readonly kind: 'json'; readonly text: string }
  | { readonly kind: 'nothing' }
  /** Over HTTP only. */
  | {
      readonly kind: 'http';
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: string;
    }
  | { readonly kind: 'silence' }
  | { readonly kind: 'cut' };

/** An error as an answer. */
export function failure(id: unknown, code: number, message: string, data?: unknown): RpcAnswer {
  return { jsonrpc: '2.0', id, error: { code, message, data } };
}
