import type { ChainView } from './chain-view.js';
import { invalidParams } from './rpc-error.js';

const QUANTITY = /^0x(0|[1-9a-f][0-9a-f]{0,12})$/i;
const HASH = /^0x[0-9a-f]{64}$/i;
const ADDRESS = /^0x[0-9a-f]{40}$/i;

/**
 * The height that a block parameter means: a tag or a quantity, which may lie above the head.
 * @throws RpcError -32602
 */
export function heightOf(chain: ChainView, parameter: unknown): number {
  switch (parameter) {
    case 'latest':
    case 'pending':
      return chain.head;
    case 'safe':
      return chain.safe;
    case 'finalized':
      return chain.finalized;
    case 'earliest':
      return 0;
  }
  if (typeof parameter !== 'string' || !QUANTITY.test(parameter))
    throw invalidParams(
      `a block is latest, pending, safe, finalized, earliest or a hex quantity, not ${JSON.stringify(parameter)}`,
    );
  return Number.parseInt(parameter, 16);
}

/** A 32-byte hash in lower case. @throws RpcError -32602 */
export function hashParameter(parameter: unknown): string {
  if (typeof parameter !== 'string' || !HASH.test(parameter))
    throw invalidParams(`a hash is 0x and 64 hex digits, not ${JSON.stringify(parameter)}`);
  return parameter.toLowerCase();
}

/** A 20-byte address in lower case. @throws RpcError -32602 */
export function addressParameter(parameter: unknown): string {
  if (typeof parameter !== 'string' || !ADDRESS.test(parameter))
    throw invalidParams(`an address is 0x and 40 hex digits, not ${JSON.stringify(parameter)}`);
  return parameter.toLowerCase();
}

/** A parameter that must be an object. @throws RpcError -32602 */
export function objectParameter(parameter: unknown): Record<string, unknown> {
  if (typeof parameter !== 'object' || parameter === null || Array.isArray(parameter))
    throw invalidParams(`expected an object, not ${JSON.stringify(parameter)}`);
  return parameter as Record<string, unknown>;
}
