import { LaggingView } from './chain-view.js';
import { askedBlocks } from './fault-answers.js';
import type { Injection, SeenRequest } from './fault-injector.js';
import type { FaultKind, Faults } from './faults.js';

/** Faults of a node behind a load balancer that doesn't have the newest blocks yet; all calls of the request go to it. */
export function narrowView(kind: FaultKind, seen: SeenRequest, faults: Faults): Injection | null {
  const behind = (head: () => number, missingBlocks?: 'empty' | 'error'): Injection => ({
    view: () => {
      faults.happened(kind);
      return new LaggingView(seen.view, Math.max(0, head()));
    },
    ...(missingBlocks && { provider: { missingBlocks } }),
  });
  const { view } = seen;
  switch (kind) {
    case 'head_backwards':
      return view.head > 0 ? behind(() => view.head - 1 - faults.draw.below(faults.maxLag)) : null;
    case 'clamped_range': {
      const range = askedRanges(seen).find(({ from, to }) => from < to);
      return range ? behind(() => range.from + faults.draw.below(range.to - range.from)) : null;
    }
    case 'empty_beyond_head':
    case 'error_beyond_head': {
      const [range] = askedRanges(seen);
      const missing = kind === 'empty_beyond_head' ? 'empty' : 'error';
      return range && range.from > 0 ? behind(() => range.from - 1, missing) : null;
    }
    default:
      return null;
  }
}

/** What a request asks for logs of, as far as the node has it. */
function askedRanges({ calls, view }: SeenRequest): { from: number; to: number }[] {
  return calls.flatMap((call) => {
    const asked = askedBlocks(view, call);
    return asked && asked.to <= view.head ? [asked] : [];
  });
}
