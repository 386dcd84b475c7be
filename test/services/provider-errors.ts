import { readFileSync } from 'node:fs';
import type { BlockRange, RpcErrorKind } from '#libs/chain/rpc-error.js';

/** What a provider says, how, and what it means. */
export interface ProviderError {
  readonly provider: string;
  readonly message: string;
  readonly data?: unknown;
  readonly http?: number;
  readonly kind: RpcErrorKind;
  readonly limit?: number;
  readonly suggested?: BlockRange;
}

/** Messages seen at real providers. */
export const providerErrors = JSON.parse(
  readFileSync(new URL('../fixtures/rpc-errors.json', import.meta.url), 'utf8'),
) as ProviderError[];
