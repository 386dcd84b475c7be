import type { StatedSource } from '#libs/broker/messages.js';
import type { ChainClient, RpcUnavailable } from '#libs/chain/chain-client.js';
import type { Endpoint } from '#libs/chain/endpoint.js';
import type { LogFilter } from '#libs/chain/log-filter.js';
import { compareRange, type Difference } from '#libs/database/compare-rows.js';
import type { Database } from '#libs/database/database.js';
import { type LedgerSource, readSources } from '#libs/database/ledger.js';
import { repairRange } from '#libs/database/repair-range.js';
import {
  forgetVerified,
  type RecordedFinality,
  recordedFinality,
  rememberVerified,
} from '#libs/database/verified.js';
import { whenAnswered } from '#libs/service/chain-command.js';
import type { ProgressLine } from '#libs/telemetry/progress-line.js';
import type { Findings } from './findings.js';
import { blocksWithin, type CoveredRange, nextCovered, withRange } from './plan.js';
import { lookAgain } from './second-look.js';

/** Differences of one range that are kept for its repair; of one with more the rest is told again by the next run. */
const KEPT = 20_000;

/** What a verification works with. */
export interface VerificationParts {
  readonly chainId: number;
  readonly client: ChainClient;
  readonly database: Database;
  /** Recorded finality when it began: every endpoint must show this block. */
  readonly finality: RecordedFinality;
  readonly findings: Findings;
  readonly progress: ProgressLine;
  readonly stop: AbortSignal;
}

/** Half-open ranges of blocks, ascending and disjoint. */
export type Ranges = readonly (readonly [from: number, to: number])[];

/** What was found in one range. */
interface Found {
  readonly differences: Difference[];
  readonly sources: Set<StatedSource>;
  lowest: number;
}

/** A repair took finality back below what is being verified. */
class FinalityTakenBack extends Error {
  override readonly name = 'FinalityTakenBack';
  constructor(chainId: number, now: number | null, wanted: number) {
    super(
      `chain ${chainId}: finality was taken back to ${now === null ? 'nothing' : `block ${now}`}, below block ${wanted}, which is to be verified: verify again`,
    );
  }
}

/** Compares what is stored of a chain with what an RPC says, range by range, in the order of blocks. */
export class Verification {
  /** Rows of the chain in what was compared. */
  rows = 0;
  /** Blocks that left coverage, by source: to be stored again. */
  readonly repaired = new Map<StatedSource, Ranges>();
  /** Differences that were left as they are. */
  left = 0;
  /** Half-open ranges found equal, by source: what is verified must have no hole. */
  private readonly equal = new Map<string, Ranges>();
  private readonly onOurChain = new Map<Endpoint, number>();

  constructor(private readonly parts: VerificationParts) {}

  /** Compares all covered blocks of [from, to]. @param repair whether what differs is to be repaired. @throws RpcUnavailable, FinalityTakenBack, AbortError */
  async run(from: number, to: number, { repair }: { repair: boolean }): Promise<void> {
    for (let at = from; at <= to; ) {
      this.parts.stop.throwIfAborted();
      const sources = await comparableSources(this.parts.database, this.parts.chainId);
      const range = nextCovered(sources, at, to);
      if (!range) return;
      const end = await this.compareFrom(range, repair);
      if (end === null) {
        await this.assertFinal(to);
        // it left coverage meanwhile, as the next plan knows
        continue;
      }
      this.show(sources, from, to, end);
      at = end + 1;
    }
  }

  /** A range that isn't final any more would be tried for ever. @throws FinalityTakenBack */
  private async assertFinal(to: number): Promise<void> {
    const { database, chainId } = this.parts;
    const now = await recordedFinality(database.statements, chainId);
    if (!now || now.number < to) throw new FinalityTakenBack(chainId, now?.number ?? null, to);
  }

  /** Compares as much of a range as an endpoint gives at once. @returns its last block; null when it is not covered any more. */
  private async compareFrom(range: CoveredRange, repair: boolean): Promise<number | null> {
    const { chainId, database, findings } = this.parts;
    const { sources, from } = range;
    const { to, logs } = await this.logs(from, range.to, this.parts.database.events.filterOf(sources));
    const found: Found = { differences: [], sources: new Set(), lowest: to };
    const rows = await compareRange(database, { chainId, sources, from, to, logs }, (difference) => {
      findings.add(difference);
      found.lowest = Math.min(found.lowest, difference.blockNumber);
      found.sources.add(difference.source);
      if (found.differences.length < KEPT) found.differences.push(difference);
    });
    if (rows === null) return null;
    this.rows += rows;
    if (!found.sources.size) {
      await this.remember(sources, from, to);
      return to;
    }
    // also where it is to be repaired: some of it may stay as it is
    await forgetVerified(database.statements, chainId, [...found.sources], found.lowest);
    if (repair) await this.repair({ sources, from, to }, found.differences);
    return to;
  }

  private async logs(from: number, last: number, filter: LogFilter) {
    const read = async (endpoint: Endpoint) => {
      await this.assertOurChain(endpoint);
      return endpoint.logsFrom(from, last, filter);
    };
    return whenAnswered(this.parts, () => this.parts.client.use(read, { from }), isOtherChain);
  }

  /** An RPC of a fork, or a chain that is halted, would make everything look wrong. */
  private async assertOurChain(endpoint: Endpoint): Promise<void> {
    if (this.onOurChain.get(endpoint) === endpoint.session) return;
    const { number, hash } = this.parts.finality;
    const [header] = await endpoint.headersAt([number]);
    if (header!.hash !== hash) {
      const message = `shows block ${number} as ${header!.hash}, stored as final is ${hash}`;
      throw endpoint.blockError('other_final_block', message);
    }
    this.onOurChain.set(endpoint, endpoint.session);
  }

  private async remember(sources: readonly LedgerSource[], from: number, to: number): Promise<void> {
    const verified = sources.map(({ address, event }) => {
      const key = `${address} ${event}`;
      const ranges = withRange(this.equal.get(key) ?? [], [from, to + 1]);
      this.equal.set(key, ranges);
      const [first, end] = ranges.find(([a, b]) => a <= from && from < b)!;
      return { address, event, from: first, to: end - 1 };
    });
    await rememberVerified(this.parts.database.statements, this.parts.chainId, verified);
  }

  private async repair(
    { sources, from, to }: { sources: readonly LedgerSource[]; from: number; to: number },
    found: readonly Difference[],
  ): Promise<void> {
    const { chainId, client, database, findings } = this.parts;
    const extra = found.filter((difference) => difference.kind === 'extra');
    const { gone, doubts } = extra.length
      ? await lookAgain(client, database.events.filterOf(sources), extra)
      : { gone: [], doubts: [] };
    this.left += extra.length - gone.length;
    if (doubts.length)
      findings.say(
        `blocks ${from} to ${to}: ${extra.length - gone.length} rows stay, for it is not sure that they are extra: ${doubts.join('; ')}`,
      );
    const wrong = found.filter((difference) => difference.kind !== 'extra' || gone.includes(difference));
    if (!wrong.length) return;
    const affected = sources.filter((source) =>
      wrong.some((difference) => isSame(difference.source, source)),
    );
    const done = await repairRange(database, {
      chainId,
      sources: affected,
      from,
      to,
      extra: gone.map(({ source, txHash, logIndex, blockHash }) => {
        return { event: source.event, txHash, logIndex, blockHash };
      }),
    });
    if (!done) {
      this.left += wrong.length;
      findings.say(`blocks ${from} to ${to} are not final any more: left as they are`);
      return;
    }
    for (const source of affected) {
      const same = [...this.repaired.keys()].find((known) => isSame(known, source)) ?? source;
      this.repaired.set(same, withRange(this.repaired.get(same) ?? [], [from, to + 1]));
    }
    const removed = done.removed ? `, ${done.removed} rows marked removed` : '';
    findings.say(`blocks ${from} to ${to}: to be fetched and stored again${removed}`);
  }

  private show(sources: readonly LedgerSource[], from: number, to: number, end: number): void {
    const { covered } = blocksWithin(sources, from, to);
    const done = covered ? blocksWithin(sources, from, end).covered / covered : 1;
    const { missing, extra, different } = this.parts.findings.counts;
    this.parts.progress.show(
      `block ${end}, ${Math.floor(done * 1_000) / 10} %: ${this.rows} rows compared, ${missing} missing, ${extra} extra, ${different} different`,
    );
  }
}

function isSame(a: StatedSource, b: StatedSource): boolean {
  return a.address === b.address && a.event === b.event;
}

/** The chain's followed sources, without those of events that a newer build than this one follows. */
export async function comparableSources(database: Database, chainId: number): Promise<LedgerSource[]> {
  const sources = await readSources(database.statements, chainId);
  return sources.filter((source) => database.events.byName(source.event));
}

/** Whether waiting is of no use. */
function isOtherChain(error: RpcUnavailable): boolean {
  return error.failures.every(({ kind }) => kind === 'other_final_block' || kind === 'wrong_chain');
}
