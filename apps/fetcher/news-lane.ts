import { MESSAGE_TARGET_BYTES, type StatedBlock } from '#libs/broker/messages.js';
import type { BlockHeader } from '#libs/chain/block-header.js';
import { type ChainClient, RpcUnavailable } from '#libs/chain/chain-client.js';
import type { Endpoint, FinalityRule } from '#libs/chain/endpoint.js';
import { type Decision, decide, type Seen } from './decide.js';
import { forkPoint } from './fork-point.js';
import { type Lead, WINDOW } from './lead.js';
import type { HeldBlock } from './segment.js';
import type { WantedLogs } from './unproven-blocks.js';

/** Blocks of one batch of headers, and of one of logs. */
const BLOCKS_PER_BATCH = 50;
/** Batches in flight at a time when many blocks are to be said at once: a first start, or a return. */
const BATCHES_PER_STEP = 4;
/** A head that hasn't changed for this long may be that of a node that has stopped following: the next endpoint is asked, too. */
const STANDSTILL_MS = 15_000;
/** Moves of finality are said at most this often (DESIGN §3.4). */
const FINALITY_INTERVAL_MS = 1_000;

/**
 * What a step came to. `said`: there may be more to say at once; `idle`: all is said; `full`: the workers are behind.
 * `replaced`: blocks of ours that the chain no longer has, 0 but for a reorg.
 */
export type Step =
  | { readonly outcome: 'full' }
  | ({ readonly outcome: 'idle' } & Shown)
  | ({ readonly outcome: 'said'; readonly replaced: number } & Shown)
  | ({ readonly outcome: 'paused'; readonly reason: string } & Shown);

/** The endpoint's head, and the height of its final block. */
interface Shown {
  readonly head: BlockHeader;
  readonly final: number;
}

/** What makes an endpoint's head doubtful. */
type Doubt = 'is behind' | 'ends a shorter branch' | 'stands still';

/** What one endpoint shows, and what follows from it. */
interface Look extends Shown {
  readonly decision: Decision;
  /** Blocks of ours that the chain no longer has. */
  readonly replaced: number;
  readonly blocks: StatedBlock[];
  readonly unproven: readonly number[];
}

/** How a chain is followed. */
export interface NewsOptions extends WantedLogs {
  readonly finality: () => FinalityRule;
  readonly bloomProvesAbsence: boolean;
}

/** Says a chain's news: looks at one endpoint's view at a time, decides, and states blocks or finality. */
export class NewsLane {
  private lastFinality = Number.NEGATIVE_INFINITY;
  /** The head that was shown last when there was nothing to say, and when it came or was doubted (ms of the monotonic clock). */
  private lastHead = { hash: '', at: 0 };

  constructor(
    private readonly client: ChainClient,
    private readonly options: NewsOptions,
  ) {}

  /** One look at the chain and what follows from it. @throws RpcUnavailable, BrokerUnavailable */
  async step(lead: Lead): Promise<Step> {
    if (lead.unapplied >= WINDOW) return { outcome: 'full' };
    const looked = await this.lookForward(lead);
    if ('outcome' in looked) return looked;
    const { head, final, decision } = looked;
    if (decision.kind === 'advance') {
      lead.unproven.said(decision.above, staysAbove(lead, looked.blocks), looked.unproven);
      for (const piece of piecesOf(looked.blocks)) {
        // the first piece stands on the fork point, each later one on the tip of the one before
        await lead.advance(piece[0] === looked.blocks[0] ? decision.above : piece[0]!.number - 1, piece);
      }
      return { outcome: 'said', head, final, replaced: looked.replaced };
    }
    if (decision.kind === 'finality' && performance.now() - this.lastFinality >= FINALITY_INTERVAL_MS) {
      this.lastFinality = performance.now();
      if (await this.sayFinality(lead, decision)) return { outcome: 'said', head, final, replaced: 0 };
    }
    return { outcome: 'idle', head, final };
  }

  /** Says that a block is final, or one below it. @returns false when nothing could be said yet. @throws as `step` */
  private async sayFinality(lead: Lead, shown: HeldBlock): Promise<boolean> {
    try {
      await this.proveAndSay(lead, shown);
      return true;
    } catch (error) {
      const believedTo = error instanceof RpcUnavailable ? error.believedTo : undefined;
      if (believedTo === undefined) throw error;
      // no batches, and the final block lies too near the head; so will every later one
      const { segment, finalized } = lead.known;
      const deep = segment.lastBy(believedTo, shown.number);
      if (!deep || deep.number <= (finalized ?? -1)) return false;
      await this.proveAndSay(lead, deep);
      return true;
    }
  }

  /** Says that a block is final, unless one up to there turns out to have logs: then it must be said again first. */
  private async proveAndSay(lead: Lead, final: HeldBlock): Promise<void> {
    const missed = await lead.unproven.lookAgain(this.client, this.options, final, lead.known.segment);
    if (missed !== null) lead.restateFrom(missed);
    else await lead.finality(final.number, final.hash);
  }

  /**
   * A look at the first endpoint that there is no reason to doubt. A node that is late can't be told from a chain that stands still
   * or was cut short, but for what the others show: they are asked, and believed if they know better.
   */
  private async lookForward(lead: Lead): Promise<Look | Extract<Step, { outcome: 'paused' }>> {
    const doubtful = new Map<Doubt, Look>();
    try {
      return await this.client.use(async (endpoint) => {
        const look = await this.look(endpoint, lead);
        const doubt = this.doubt(look, lead);
        if (!doubt) return look;
        if (!doubtful.has(doubt)) doubtful.set(doubt, look);
        const { number } = look.head;
        throw endpoint.blockError(
          'head_behind',
          `its head ${number} ${doubt} (ours is ${lead.known.segment.top})`,
        );
      });
    } catch (error) {
      if (!(error instanceof RpcUnavailable)) throw error;
      const behind = doubtful.get('is behind');
      const look =
        doubtful.get('stands still') ?? (behind ? undefined : doubtful.get('ends a shorter branch'));
      if (look) return look;
      if (behind) return { outcome: 'paused', head: behind.head, final: behind.final, reason: error.message };
      throw error;
    }
  }

  /** Why another endpoint should be asked before this one is believed, or null. */
  private doubt({ head, decision, replaced }: Look, lead: Lead): Doubt | null {
    if (decision.kind === 'pause') return 'is behind';
    if (decision.kind === 'advance')
      return replaced && head.number < lead.known.segment.top ? 'ends a shorter branch' : null;
    const now = performance.now();
    const isNew = head.hash !== this.lastHead.hash;
    if (!isNew && now - this.lastHead.at < STANDSTILL_MS) return null;
    this.lastHead = { hash: head.hash, at: now };
    return isNew ? null : 'stands still';
  }

  /** All of one step is read from one endpoint, so that it is one consistent view. */
  private async look(endpoint: Endpoint, lead: Lead): Promise<Look> {
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
    const said = await this.blocks(endpoint, lead, decision, seen.safe, head);
    return { head, final: safe.number, decision, replaced: top < 0 ? 0 : top - fork, ...said };
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
    safe: Seen['safe'],
    head: BlockHeader,
  ): Promise<{ blocks: StatedBlock[]; unproven: number[] }> {
    if (decision.kind !== 'advance') return { blocks: [], unproven: [] };
    const { from, above } = decision;
    const to = Math.min(head.number, from + BLOCKS_PER_BATCH * BATCHES_PER_STEP - 1);
    const batches = batchesOf(from, to);
    const headers = (await Promise.all(batches.map((b) => endpoint.headers(b.from, b.to)))).flat();
    const parent = from - 1 <= above ? lead.known.segment.hashAt(from - 1) : undefined;
    assertLinked(endpoint, headers, parent);
    // a jump stands on nothing that is stored: its first block must be the one that was shown as final
    if (from === safe.number && headers[0]!.hash !== safe.hash) {
      const message = `shows block ${from} as ${headers[0]!.hash}, and showed it as ${safe.hash}`;
      throw endpoint.blockError('bad_data', message);
    }
    if (parent === undefined) await endpoint.assertOnChain(headers[0]!);
    const { filter, isWanted, bloomProvesAbsence } = this.options;
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
        logs: logsOf[i]!.logs.filter(isWanted).map((log) => ({ ...log, topics: [...log.topics] })),
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
