import type { ChainView } from '#apps/devchain/chain-view.js';
import { type ProviderOptions, rpcMethods } from '#apps/devchain/rpc-methods.js';
import { byMethod, RecordedRpc } from './recorded-rpc.js';

/** Serves a simulated chain over HTTP and keeps what was asked; `answering` may be exchanged to hang, and put back. */
export function startSimulatedRpc(chain: ChainView, provider: ProviderOptions = {}): Promise<RecordedRpc> {
  const methods = [...rpcMethods(chain, provider)].map(([name, method]) => {
    const answer = (...params: readonly unknown[]) => {
      try {
        return method({ params });
      } catch (error) {
        return error;
      }
    };
    return [name, answer] as const;
  });
  return RecordedRpc.start(byMethod(Object.fromEntries(methods)));
}
