/** An error that a JSON-RPC caller is told of. */
export class RpcError extends Error {
  readonly code: number;
  readonly data: unknown;

  constructor(code: number, message: string, data?: unknown) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

/** The caller's parameters are wrong. */
export function invalidParams(reason: string): RpcError {
  return new RpcError(-32602, `invalid params: ${reason}`);
}
