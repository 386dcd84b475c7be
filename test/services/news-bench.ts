import { pino } from 'pino';
import { Lead } from '#apps/fetcher/lead.js';
import { NewsLane, type Step } from '#apps/fetcher/news-lane.js';
import type { Broker } from '#libs/broker/broker.js';
import type { AdvanceStatement, FinalityStatement } from '#libs/broker/messages.js';
import { ChainClient } from '#libs/chain/chain-client.js';
import type { Leadership } from '#libs/database/ledger.js';
import { FILTER } from './recorded-blocks.js';
import { type Answering, RecordedRpc } from './recorded-rpc.js';
import { until } from './until.js';

export type Said = AdvanceStatement | FinalityStatement;

/** A leader that follows recorded nodes of chain 7 and whose statements go nowhere. */
export interface NewsBench {
  readonly said: readonly Said[];
  readonly rpcs: readonly RecordedRpc[];
  /** Takes one step. @throws as `NewsLane.step`. */
  step(): Promise<Step>;
  /** Lets everything that was said be applied. */
  applyAll(): void;
  /** Takes steps, and lets all be applied, until finality at this height is said. */
  untilFinal(height: number): Promise<unknown>;
  /** The same, until this block is said. */
  untilSaid(height: number): Promise<unknown>;
  close(): Promise<void>;
}

/** @param taken what the leader finds stored; nothing by default. */
export async function newsBench(
  nodes: readonly Answering[],
  taken: Partial<Leadership> = {},
): Promise<NewsBench> {
  const rpcs = await Promise.all(nodes.map((answering) => RecordedRpc.start(answering)));
  const urls = rpcs.map(({ url }) => url);
  const client = new ChainClient({ chainId: 7, urls, batchSize: 100, logger: pino({ level: 'silent' }) });
  const said: Said[] = [];
  const broker = { publish: async (_: unknown, statement: Said) => void said.push(statement) };
  const sources = [{ address: FILTER.addresses[0]!, event: 'Wanted' }];
  const lead = new Lead(7, sources, broker as unknown as Broker, {
    ledger: 'a',
    term: 1,
    segment: new Map(),
    finalizedBlock: null,
    emptyHeights: [],
    sources: [],
    ...taken,
  });
  const news = new NewsLane(client, {
    filter: FILTER,
    isWanted: () => true,
    finality: () => ({ kind: 'tag' }),
    bloomProvesAbsence: true,
  });
  const applyAll = () => void lead.progressed({ appliedSeq: said.length } as never);
  const untilIs = (what: string, is: (one: Said) => boolean) =>
    until(what, async () => {
      await news.step(lead).catch(() => {});
      applyAll();
      return said.some(is);
    });
  return {
    said,
    rpcs,
    applyAll,
    step: () => news.step(lead),
    untilFinal: (height) =>
      untilIs(`finality ${height}`, (one) => one.kind === 'finality' && one.number === height),
    untilSaid: (height) =>
      untilIs(`block ${height}`, (one) => one.kind === 'advance' && one.blocks.at(-1)!.number === height),
    async close() {
      client.close();
      await Promise.all(rpcs.map((rpc) => rpc.stop()));
    },
  };
}
