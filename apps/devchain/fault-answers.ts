import type { ChainView, ServedChain } from './chain-view.js';
import type { Injection, SeenRequest } from './fault-injector.js';
import type { FaultKind, Faults } from './faults.js';
import type { RpcRequest } from './json-rpc.js';
import { lyingSuggestion, rangeRefusal, resultRefusal } from './provider-words.js';
import { RpcError } from './rpc-error.js';
import { rpcMethods } from './rpc-methods.js';
import { heightOf } from './rpc-params.js';

/** What a call of eth_getLogs asks for: heights, both inclusive. */
interface AskedBlocks {
  readonly from: number;
  readonly to: number;
  readonly byHash: boolean;
  readonly filter: Readonly<Record<string, unknown>>;
}

/** A log as it is answered. */
interface AnsweredLog {
  readonly blockNumber: string;
  readonly [field: string]: unknown;
}

/** The blocks whose logs a call asks for; undefined when it asks for something else, or isn't well formed. */
export function askedBlocks(
  view: ChainView,
  { method, params: [parameter] }: RpcRequest,
): AskedBlocks | undefined {
  if (method !== 'eth_getLogs' || typeof parameter !== 'object' || parameter === null) return undefined;
  const filter = parameter as Record<string, unknown>;
  if (typeof filter.blockHash === 'string') {
    const height = view.blockByHash(filter.blockHash.toLowerCase())?.number;
    return height === undefined ? undefined : { from: height, to: height, byHash: true, filter };
  }
  try {
    const [from, to] = [filter.fromBlock, filter.toBlock].map((one) => heightOf(view, one ?? 'latest'));
    return from! <= to! ? { from: from!, to: to!, byHash: false, filter } : undefined;
  } catch {
    return undefined;
  }
}

/** Faults of what a single call is answered. */
export function alteredAnswer(
  kind: FaultKind,
  seen: SeenRequest,
  faults: Faults,
  chain: ServedChain,
): Injection | null {
  return (
    nullAnswer(kind, seen, faults) ?? refusal(kind, seen, faults) ?? otherLogs(kind, seen, faults, chain)
  );
}

function nullAnswer(kind: FaultKind, { calls }: SeenRequest, faults: Faults): Injection | null {
  const tags = calls.filter(({ params: [parameter] }) => parameter === 'finalized');
  switch (kind) {
    case 'null_block':
      return instead(
        kind,
        faults,
        calls.filter(({ method }) => /^eth_getBlockBy/.test(method)),
        () => null,
      );
    case 'null_logs':
      return instead(
        kind,
        faults,
        calls.filter(({ method }) => method === 'eth_getLogs'),
        () => null,
      );
    case 'null_finalized_tag':
      return instead(kind, faults, tags, () => null);
    case 'no_finalized_tag':
      return instead(kind, faults, tags, () => {
        throw new RpcError(-32603, 'strconv.ParseUint: parsing "finalized": invalid syntax');
      });
    default:
      return null;
  }
}

/** Answers one of some calls, if there are any, in another way. */
function instead(
  kind: FaultKind,
  faults: Faults,
  calls: readonly RpcRequest[],
  answer: () => unknown,
): Injection | null {
  if (!calls.length) return null;
  const hit = calls[faults.draw.below(calls.length)];
  return {
    answer: (call, truth) => {
      if (call !== hit) return truth();
      faults.happened(kind);
      return answer();
    },
  };
}

function refusal(kind: FaultKind, { calls, view }: SeenRequest, faults: Faults): Injection | null {
  const { draw, maxRange, maxResults } = faults;
  const shortest = { range_limit: maxRange + 1, result_limit: 2, lying_suggestion: 2 }[kind as string];
  if (shortest === undefined) return null;
  const asked = new Map(
    calls.flatMap((call) => {
      const blocks = askedBlocks(view, call);
      return blocks && blocks.to - blocks.from + 1 >= shortest ? [[call, blocks] as const] : [];
    }),
  );
  if (!asked.size) return null;
  const refuse = (error: RpcError): never => {
    faults.happened(kind);
    throw error;
  };
  return {
    answer: (call, truth) => {
      const blocks = asked.get(call);
      if (!blocks) return truth();
      if (kind === 'range_limit') refuse(rangeRefusal(draw, maxRange, blocks.from, blocks.to));
      if (kind === 'lying_suggestion') refuse(lyingSuggestion(draw, blocks.from, blocks.to));
      const logs = truth() as AnsweredLog[];
      return logs.length > maxResults ? refuse(resultRefusal(draw, maxResults)) : logs;
    },
  };
}

function otherLogs(kind: FaultKind, seen: SeenRequest, faults: Faults, chain: ServedChain): Injection | null {
  const alter = alterations[kind];
  if (!alter || !seen.calls.some(({ method }) => method === 'eth_getLogs')) return null;
  let counted = false;
  return {
    answer: (call, truth) => {
      const asked = askedBlocks(seen.view, call);
      const logs = truth();
      if (!asked || !Array.isArray(logs)) return logs;
      const altered = alter(logs as AnsweredLog[], asked, seen.view, faults, chain);
      if (altered && !counted) faults.happened(kind);
      counted ||= !!altered;
      return altered ?? logs;
    },
  };
}

/** @returns null to leave the logs as they are. */
type Alteration = (
  logs: readonly AnsweredLog[],
  asked: AskedBlocks,
  view: ChainView,
  faults: Faults,
  chain: ServedChain,
) => unknown[] | null;

const alterations: Partial<Record<FaultKind, Alteration>> = {
  lagging_index: (logs, _, { head, finalized }, { draw, maxLag }) => {
    const indexed = Math.max(finalized, head - 1 - draw.below(maxLag));
    const kept = logs.filter(({ blockNumber }) => Number(blockNumber) <= indexed);
    return kept.length < logs.length ? kept : null;
  },
  other_block_hash: (logs, asked, view, { draw }, chain) => {
    const branch = siblingOf(asked, view, draw.below(1_000), chain, chain.finalized);
    const other = branch && logsOn(branch, asked);
    return other && JSON.stringify(other) !== JSON.stringify(logs) ? other : null;
  },
  removed_logs: (logs, asked, view, { draw }, chain) => {
    // marked as they are they may be of any age
    const branch = siblingOf({ ...asked, to: asked.from }, view, draw.below(1_000), chain, 0);
    const gone = (branch ? logsOn(branch, asked) : []).filter(
      ({ blockHash }) => !view.blockByHash(blockHash as string),
    );
    // what was removed and is there again is told twice
    // rather one of a block that has no others: there no second hash gives it away
    const alone = gone.filter(
      ({ blockNumber }) =>
        Number(blockNumber) !== asked.to && !logs.some((log) => log.blockNumber === blockNumber),
    );
    const from = alone.length ? alone : gone;
    const removed = from[draw.below(from.length)] ?? logs.at(-1);
    return removed ? [{ ...removed, removed: true }, ...logs] : null;
  },
};

/** A branch of the chain that differs in the newest of the blocks asked for; undefined when none lies above `above`. */
function siblingOf(
  { to }: AskedBlocks,
  view: ChainView,
  which: number,
  chain: ServedChain,
  above: number,
): ChainView | undefined {
  const highest = Math.min(to, view.head, chain.head);
  return highest > above ? chain.sibling(chain.head - highest + 1, which) : undefined;
}

/** The logs that a call would get on another branch. */
function logsOn(branch: ChainView, { from, to, filter }: AskedBlocks): AnsweredLog[] {
  const { blockHash, ...rest } = filter;
  const heights = { fromBlock: `0x${from.toString(16)}`, toBlock: `0x${to.toString(16)}` };
  const search = rpcMethods(branch, {}).get('eth_getLogs')!;
  return search({ params: [{ ...rest, ...heights }] }) as AnsweredLog[];
}
