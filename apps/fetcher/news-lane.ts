import { MESSAGE_TARGET_BYTES, type StatedBlock } from '#libs/broker/messages.js';
import type { BlockHeader } from '#libs/chain/block-header.js';
import type { ChainClient } from '#libs/chain/chain-client.js';
import type { Endpoint, FinalityRule, LogFilter } from '#libs/chain/endpoint.js';
import { type Decision, decide, type Seen } from './decide.js';
import { forkPoint } from './fork-point.js';
import { type Lead, WINDOW } from './lead.js';

/** Blocks of one batch of headers, and of one of logs. */
const BLOCKS_PER_BATCH = 50;
/** Batches in flight at a time when many blocks are to be said at once: a first start, or a return. */
const BATCHES_PER_STEP = 4;
/** Moves of finality are said at most this often (DESIGN §3.4). */
const FINALITY_INTERVAL_MS = 1_000;

/**
 * What a step came to. `said`: there may be more to say at once; `idle`: all is said; `full`: the workers are behind.
 * `replaced`: blocks of ours that the chain no longer has, 0 but for a reorg.
 */
export type Step =
  | { readonly outcome: 'idle' | 'full'; readonly head: BlockHeader | null }
  | { readonly outcome: 'said'; readonly head: BlockHeader; readonly replaced: number }
  | { readonly outcome: 'paused'; readonly head: BlockHeader; readonly reason: string };

/** How a chain is followed. */
export interface NewsOptions {
  readonly filter: LogFilter;
  readonly finality: () => FinalityRule;
  readonly bloomProvesAbsence: boolean;
}

/** Says a chain's news: looks at one endpoint's view at a time, decides, and states blocks or finality. */
export class NewsLane {
  private lastFinality = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly client: ChainClient,
    private readonly options: NewsOptions,
  ) {}

  /** One look at the chain and what follows from it. @throws RpcUnavailable, BrokerUnavailable */
  async step(lead: Lead): Promise<Step> {
    if (lead.unapplied >= WINDOW) return { outcome: 'full', head: null };
    const looked = await this.client.use((endpoint) => this.look(endpoint, lead));
    const { head, decision } = looked;
    if (decision.kind === 'pause') {
      return {
        outcome: 'paused',
        head,
        reason: `the RPC's head ${head.number} is behind ours ${lead.known.segment.top}`,
      };
    }
    if (decision.kind === 'advance') {
      lead.unproven.said(decision.above, staysAbove(lead, looked.blocks), looked.unproven);
      for (const piece of piecesOf(looked.blocks)) {
        // the first piece stands on the fork point, each later one on the tip of the one before
        await lead.advance(piece[0] === looked.blocks[0] ? decision.above : piece[0]!.number - 1, piece);
      }
      return { outcome: 'said', head, replaced: looked.replaced };
    }
    if (decision.kind === 'finality' && performance.now() - this.lastFinality >= FINALITY_INTERVAL_MS) {
      this.lastFinality = performance.now();
      const missed = await lead.unproven.lookAgain(this.client, this.options.filter, decision.number);
      if (missed !== null) {
        lead.restateFrom(missed);
        return { outcome: 'said', head, replaced: 0 };
      }
      await lead.finality(decision.number, decision.hash);
      return { outcome: 'said', head, replaced: 0 };
    }
    return { outcome: 'idle', head };
  }

  /** All of one step is read from one endpoint, so that it is one consistent view. */
  private async look(endpoint: Endpoint, lead: Lead) {
    const known = lead.known;
    const { segment, finalized } = known;
    const { top } = segment;
    const atFinality = finalized === null ? undefined : segment.hashAt(finalized);
    const heights = [top, ...(atFinality ? [finalized!] : [])].filter((n) => n >= 0);
    const view = await endpoint.observe([...new Set(heights)], this.options.finality());
    const head = view.head;
    if (atFinality) assertFinalBlock(endpoint, finalized!, atFinality, view.at.get(finalized!));
    const safe = safeBlock(endpoint, view);
    const fork = top < 0 ? -1 : await this.fork(endpoint, lead, head, view.at.get(top) ?? null);
    const seen: Seen = { head: head.number, safe, fork };
    const decision = decide(known, seen);
    const said = await this.blocks(endpoint, lead, decision, head);
    return { head, decision, replaced: top < 0 ? 0 : top - fork, ...said };
  }

  /** The highest height, at most the endpoint's head, where its hash equals ours; the recorded finality at least. */
  private async fork(
    endpoint: Endpoint,
    lead: Lead,
    head: BlockHeader,
    atTop: BlockHeader | null,
  ): Promise<number> {
    const { segment, finalized } = lead.known;
    const { top } = segment;
    if (head.number >= top && atTop?.hash === segment.hashAt(top)) return top;
    if (head.number <= top && head.hash === segment.hashAt(head.number)) return head.number;
    const floor = Math.max(finalized ?? -1, segment.bottom - 1);
    return forkPoint(segment, floor, Math.min(top, head.number), async (heights) => {
      const headers = await endpoint.headersAt(heights);
      return headers.map((header) => header.hash);
    });
  }

  /** The blocks that an `advance` states, parent-linked to what is stored below them, and which of them are empty without proof. */
  private async blocks(
    endpoint: Endpoint,
    lead: Lead,
    decision: Decision,
    head: BlockHeader,
  ): Promise<{ blocks: StatedBlock[]; unproven: number[] }> {
    if (decision.kind !== 'advance') return { blocks: [], unproven: [] };
    const { from, above } = decision;
    const to = Math.min(head.number, from + BLOCKS_PER_BATCH * BATCHES_PER_STEP - 1);
    const batches = batchesOf(from, to);
    const headers = (await Promise.all(batches.map((b) => endpoint.headers(b.from, b.to)))).flat();
    const parent = from - 1 <= above ? lead.known.segment.hashAt(from - 1) : undefined;
    assertLinked(endpoint, headers, parent);
    const { filter, bloomProvesAbsence } = this.options;
    const logs = await Promise.all(
      batches.map((b) => {
        const batch = headers.slice(b.from - from, b.to - from + 1);
        return endpoint.blockLogs(batch, filter, { bloomProvesAbsence });
      }),
    );
    const logsOf = logs.flat();
    const unproven = headers.filter((_, i) => !logsOf[i]!.proven);
    lead.unproven.assertNoneKnown(endpoint, unproven);
    const blocks = headers.map(({ number, hash, parentHash, timestamp }, i) => {
      return {
        number,
        hash,
        parentHash,
        timestamp,
        logs: logsOf[i]!.logs.map((log) => ({ ...log, topics: [...log.topics] })),
      };
    });
    return { blocks, unproven: unproven.map(({ number }) => number) };
  }
}

/** The height above which what is held stays, since it stands on the last of these blocks; infinite when nothing does. */
function staysAbove(lead: Lead, blocks: readonly StatedBlock[]): number {
  const { number, hash } = blocks.at(-1)!;
  return lead.known.segment.hashAt(number) === hash ? number : Number.POSITIVE_INFINITY;
}

/** [from, to] in batches. */
function batchesOf(from: number, to: number): { from: number; to: number }[] {
  const batches: { from: number; to: number }[] = [];
  for (let first = from; first <= to; first += BLOCKS_PER_BATCH) {
    batches.push({ from: first, to: Math.min(to, first + BLOCKS_PER_BATCH - 1) });
  }
  return batches;
}

/** Blocks in pieces of about a message each; a block is never split. */
function piecesOf(blocks: StatedBlock[]): StatedBlock[][] {
  const pieces: StatedBlock[][] = [];
  let bytes = 0;
  for (const block of blocks) {
    const size = JSON.stringify(block).length;
    if (!pieces.length || bytes + size > MESSAGE_TARGET_BYTES) {
      pieces.push([]);
      bytes = 0;
    }
    pieces.at(-1)!.push(block);
    bytes += size;
  }
  return pieces;
}

function assertFinalBlock(
  endpoint: Endpoint,
  number: number,
  ours: string,
  theirs: BlockHeader | null | undefined,
): void {
  if (!theirs) throw endpoint.blockError('head_behind', `doesn't show block ${number}, which is final`);
  if (theirs.hash !== ours) {
    const message = `shows block ${number} as ${theirs.hash}, stored as final is ${ours}`;
    throw endpoint.blockError('other_final_block', message);
  }
}

function assertLinked(endpoint: Endpoint, headers: readonly BlockHeader[], parent: string | undefined): void {
  let expected = parent;
  for (const header of headers) {
    if (expected !== undefined && header.parentHash !== expected) {
      const message = `block ${header.number} is not a child of ${expected}: the chain changed while it was read`;
      throw endpoint.blockError('bad_data', message);
    }
    expected = header.hash;
  }
}

function safeBlock(
  endpoint: Endpoint,
  view: { head: BlockHeader; finalized: { number: number; header: BlockHeader | null } },
): { number: number; hash: string } {
  const { head, finalized } = view;
  if (finalized.header && finalized.number <= head.number) return finalized.header;
  const message = finalized.header
    ? `its final block ${finalized.number} is above its head ${head.number}`
    : `doesn't show block ${finalized.number}, which is final`;
  throw endpoint.blockError('head_behind', message);
}
