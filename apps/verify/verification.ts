import { type ChainClient, RpcUnavailable } from '#libs/chain/chain-client.js';
import type { Endpoint, LogFilter } from '#libs/chain/endpoint.js';
import { compareRange, type Difference } from '#libs/database/compare-rows.js';
import type { Database } from '#libs/database/database.js';
import { type LedgerSource, readSources } from '#libs/database/ledger.js';
import { repairRange } from '#libs/database/repair-range.js';
import { forgetVerified, type RecordedFinality, rememberVerified } from '#libs/database/verified.js';
import { eventByName } from '#libs/events/registry.js';
import type { ProgressLine } from '#libs/telemetry/progress-line.js';
import { pause } from '#libs/telemetry/run-process.js';
import type { Findings } from './findings.js';
import { blocksWithin, nextCovered, withRange } from './plan.js';
import { lookAgain } from './second-look.js';

/** Waits between tries while no endpoint answers, doubling; then the command gives up. */
const RETRY_MS = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000];
/** Differences of one range that are kept for its repair; a range with more is repaired in several runs. */
const KEPT_EXTRA = 20_000;

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

/** Blocks that left coverage, to be stored again: half-open ranges. */
export type Ranges = readonly (readonly [from: number, to: number])[];

/** Compares what is stored of a chain with what an RPC says, range by range, in the order of blocks. */
export class Verification {
  /** Rows of the chain in what was compared. */
  rows = 0;
  /** Blocks that left coverage. */
  repaired: Ranges = [];
  /** Rows that seem extra and were left, since that is not sure. */
  doubted = 0;
  /** Half-open ranges found equal, by source: what is verified must have no hole. */
  private readonly equal = new Map<string, Ranges>();
  private readonly onOurChain = new Map<Endpoint, number>();

  constructor(private readonly parts: VerificationParts) {}

  /** Compares all covered blocks of [from, to]. @param repair whether what differs is to be repaired. @throws RpcUnavailable, AbortError */
  async run(from: number, to: number, { repair }: { repair: boolean }): Promise<void> {
    const { chainId, database, stop } = this.parts;
    for (let at = from; at <= to; ) {
      stop.throwIfAborted();
      const sources = await readSources(database.statements, chainId);
      const range = nextCovered(sources, at, to);
      if (!range) return;
      const { to: end, logs } = await this.logs(range.from, range.to, filterOf(range.sources));
      const compared = { chainId, sources: range.sources, from: range.from, to: end, logs };
      const found: Difference[] = [];
      const rows = await compareRange(database, compared, (difference) => {
        this.parts.findings.add(difference);
        if (found.length < KEPT_EXTRA) found.push(difference);
      });
      // it left coverage meanwhile: the plan knows by now
      if (rows === null) continue;
      this.rows += rows;
      if (!found.length) await this.remember(range.sources, range.from, end);
      else if (repair) await this.repair(compared, found);
      else await this.forget(found);
      this.show(sources, from, to, end);
      at = end + 1;
    }
  }

  private async logs(from: number, last: number, filter: LogFilter) {
    const { client, stop, progress } = this.parts;
    for (const wait of [...RETRY_MS, null]) {
      try {
        return await client.use(
          async (endpoint) => {
            await this.assertOurChain(endpoint);
            return endpoint.logsFrom(from, last, filter);
          },
          { from },
        );
      } catch (error) {
        if (!(error instanceof RpcUnavailable) || wait === null || isOtherChain(error)) throw error;
        progress.show(`waiting: ${error.message}`);
        await pause(wait, stop);
        stop.throwIfAborted();
      }
    }
    throw new Error('unreachable');
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

  private async forget(found: readonly Difference[]): Promise<void> {
    const from = Math.min(...found.map((difference) => difference.blockNumber));
    await forgetVerified(
      this.parts.database.statements,
      this.parts.chainId,
      found.map((difference) => difference.source),
      from,
    );
  }

  private async repair(
    { sources, from, to }: { sources: readonly LedgerSource[]; from: number; to: number },
    found: readonly Difference[],
  ): Promise<void> {
    const { chainId, client, database, findings } = this.parts;
    const extra = found.filter((difference) => difference.kind === 'extra');
    const { gone, doubts } = extra.length
      ? await lookAgain(client, filterOf(sources), extra)
      : { gone: [], doubts: [] };
    this.doubted += extra.length - gone.length;
    if (doubts.length)
      findings.say(
        `blocks ${from} to ${to}: ${extra.length - gone.length} rows stay, for it is not sure that they are extra: ${doubts.join('; ')}`,
      );
    const wrong = found.filter((difference) => difference.kind !== 'extra' || gone.includes(difference));
    if (!wrong.length) return;
    const affected = sources.filter(({ address, event }) =>
      wrong.some(({ source }) => source.address === address && source.event === event),
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
      findings.say(`blocks ${from} to ${to} are not final any more: left as they are`);
      return;
    }
    this.repaired = withRange(this.repaired, [from, to + 1]);
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

/** What to ask the node for: every address with every event; logs of pairs that nobody wants are passed over. */
function filterOf(sources: readonly LedgerSource[]): LogFilter {
  return {
    addresses: [...new Set(sources.map((s) => s.address))],
    topics: [...new Set(sources.map((s) => eventByName(s.event)!.topic0))],
  };
}

/** Whether waiting is of no use. */
function isOtherChain(error: RpcUnavailable): boolean {
  return error.failures.every(({ kind }) => kind === 'other_final_block' || kind === 'wrong_chain');
}
