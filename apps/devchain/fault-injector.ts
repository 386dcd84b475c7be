import type { ChainView, ServedChain } from './chain-view.js';
import { alteredAnswer } from './fault-answers.js';
import { LastingFaults } from './fault-lasting.js';
import { brokenTransport, reshapedBatch } from './fault-transport.js';
import { narrowView } from './fault-views.js';
import { type FaultKind, type Faults, faultKinds } from './faults.js';
import type { Outcome, RpcAnswer, RpcRequest } from './json-rpc.js';
import type { ProviderOptions } from './rpc-methods.js';

/** A request as a fault sees it. */
export interface SeenRequest {
  readonly calls: readonly RpcRequest[];
  readonly isBatch: boolean;
  readonly transport: 'http' | 'webSocket';
  /** What its calls are answered from, unless a fault shows another view. */
  readonly view: ChainView;
}

/** What a fault changes of how a request is answered; what it doesn't name stays. */
export interface Injection {
  /** Nothing is answered by the node. */
  readonly instead?: () => Outcome;
  /** Another view of the chain to answer from. */
  readonly view?: () => ChainView;
  readonly provider?: Partial<ProviderOptions>;
  /** In place of the true answer to one call; throws what the caller is told of. @returns the same value to leave it. */
  readonly answer?: (call: RpcRequest, truth: () => unknown) => unknown;
  /** In place of the answers to a batch. */
  readonly reshape?: (answers: readonly RpcAnswer[]) => unknown;
  /** In place of the text. */
  readonly garble?: (text: string) => string;
}

/** How one request is to be answered. */
export interface Plan extends Injection {
  readonly view: () => ChainView;
}

/** Decides for each request to one endpoint what befalls it. */
export class FaultInjector {
  readonly #faults: Faults;
  readonly #chain: ServedChain;
  readonly #lasting: LastingFaults;

  constructor(chain: ServedChain, faults: Faults) {
    this.#chain = chain;
    this.#faults = faults;
    this.#lasting = new LastingFaults(chain, faults);
  }

  /** Whether requests may be answered otherwise than by the node as it is. */
  get isActive(): boolean {
    return faultKinds.some((kind) => this.#faults.mayHappen(kind));
  }

  /** What befalls a request. */
  plan(calls: readonly RpcRequest[], isBatch: boolean, transport: SeenRequest['transport']): Plan {
    const lasting = this.#lasting.now();
    const seen: SeenRequest = { calls, isBatch, transport, view: lasting?.view ?? this.#chain };
    const possible = new Map<FaultKind, Injection>();
    for (const kind of faultKinds) {
      const injection = this.#faults.mayHappen(kind) ? this.#injection(kind, seen) : null;
      if (injection) possible.set(kind, injection);
    }
    const kind = this.#faults.pick([...possible.keys()]);
    const injection = kind ? possible.get(kind) : undefined;
    const provider = { ...lasting?.provider, ...injection?.provider };
    return { view: () => seen.view, ...injection, provider };
  }

  /** Ends what listens to the chain. */
  close(): void {
    this.#lasting.close();
  }

  #injection(kind: FaultKind, seen: SeenRequest): Injection | null {
    const faults = this.#faults;
    return (
      brokenTransport(kind, seen, faults) ??
      reshapedBatch(kind, seen, faults) ??
      alteredAnswer(kind, seen, faults, this.#chain) ??
      narrowView(kind, seen, faults)
    );
  }
}
