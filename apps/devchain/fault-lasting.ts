import { SimulatedChain } from './chain.js';
import { type ChainView, LaggingView, type ServedChain } from './chain-view.js';
import type { FaultKind, Faults } from './faults.js';
import type { ProviderOptions } from './rpc-methods.js';

const LASTING = ['behind', 'old_branch', 'wrong_chain'] as const satisfies readonly FaultKind[];
type LastingKind = (typeof LASTING)[number];

/** What an endpoint shows while a fault lasts. */
interface Shown {
  readonly view: ChainView;
  readonly provider?: Partial<ProviderOptions>;
}

interface Episode {
  readonly kind: LastingKind;
  readonly endsAt: number;
  /** @returns undefined when the chain has outlived it. */
  readonly shown: () => Shown | undefined;
}

/** The faults of an endpoint that stay for a while, one at a time. */
export class LastingFaults {
  readonly #chain: ServedChain;
  readonly #faults: Faults;
  readonly #stopListening: () => void;
  /** The branch that the last reorg replaced, and where it forks off. */
  #replaced: { readonly branch: () => ChainView; readonly fork: number } | undefined;
  #before: () => ChainView;
  #episode: Episode | undefined;

  constructor(chain: ServedChain, faults: Faults) {
    this.#chain = chain;
    this.#faults = faults;
    this.#before = chain.snapshot();
    this.#stopListening = chain.onChange(({ fork, replaced }) => {
      if (replaced > 0) this.#replaced = { branch: this.#before, fork };
      this.#before = chain.snapshot();
    });
  }

  /** What lasts at this moment: goes on, or begins by chance. */
  now(): Shown | undefined {
    const shown = this.#episode && this.#isRunning(this.#episode) ? this.#episode.shown() : undefined;
    return shown ?? this.#begin()?.shown();
  }

  close(): void {
    this.#stopListening();
  }

  #isRunning({ kind, endsAt }: Episode): boolean {
    return this.#faults.mayHappen(kind) && performance.now() < endsAt;
  }

  #begin(): Episode | undefined {
    const faults = this.#faults;
    const kind = faults.pick(LASTING.filter((one) => faults.mayHappen(one) && this.#isPossible(one)));
    this.#episode = undefined;
    if (!kind) return undefined;
    faults.happened(kind);
    const endsAt = performance.now() + faults.lastingMs * (0.5 + faults.draw.uniform());
    this.#episode = { kind: kind as LastingKind, endsAt, shown: this.#shownBy(kind as LastingKind) };
    return this.#episode;
  }

  /** A node that kept to a dead branch through finality would be broken for good. */
  #isPossible(kind: LastingKind): boolean {
    return kind !== 'old_branch' || (!!this.#replaced && this.#chain.finalized <= this.#replaced.fork);
  }

  #shownBy(kind: LastingKind): Episode['shown'] {
    const chain = this.#chain;
    if (kind === 'behind') {
      const lag = 1 + this.#faults.draw.below(this.#faults.maxLag);
      return () => ({
        view: new LaggingView(chain, Math.max(0, chain.head - lag)),
        provider: { missingBlocks: 'empty' },
      });
    }
    if (kind === 'wrong_chain') {
      const view = otherChain(chain);
      return () => ({ view });
    }
    const { branch, fork } = this.#replaced!;
    const view = branch();
    return () => (chain.finalized <= fork ? { view } : undefined);
  }
}

/** A chain of the same height and time, whose events come from the same contract. */
function otherChain(chain: ServedChain): ChainView {
  const { chainId, address, head } = chain;
  return SimulatedChain.create({
    seed: 'the wrong chain',
    chainId: chainId + 1,
    address,
    head,
    blockTimeMs: 1,
    headTimestampMs: chain.block(head)!.timestamp * 1_000,
  });
}
