import {
  type Broker,
  type Consumer,
  type Delivery,
  type Lane,
  LIVE_QUEUES,
  shortName,
} from '#libs/broker/broker.js';
import type { FinalStatement, NewsStatement, Statement } from '#libs/broker/messages.js';
import { applyNews, type DecodedNews } from '#libs/database/apply-news.js';
import type { Database } from '#libs/database/database.js';
import { decodeLogs, unknownEvents } from '#libs/database/decode-logs.js';
import { UnknownEvents } from '#libs/database/event-catalog.js';
import { ledgerId } from '#libs/database/ledger.js';
import { type DecodedFinal, storeHistory } from '#libs/database/store-history.js';
import type { Logger } from '#libs/telemetry/logger.js';
import { workerMetrics } from '#libs/telemetry/metrics.js';
import { DeliveryQueue, type StoringLane } from './delivery-queue.js';
import { LeftMessages } from './left-messages.js';
import { measureNews, measureQueues, measureStored, timed } from './worker-metrics.js';

/** Messages in a worker's hands per queue; with messages of 1 MB at most this bounds its memory. */
const HISTORY_PREFETCH = 64;
const LIVE_PREFETCH = 32;
/** A transaction takes messages up to this many bytes: some thousand rows, some 100 ms. */
const GROUP_BYTES = 4_000_000;

/** Stores what the queues bring, until it is stopped. */
export class Worker {
  private readonly queues: DeliveryQueue[] = [];
  private readonly consumers: Consumer[] = [];
  private readonly endMeasuring: () => void;
  private readonly left: LeftMessages;
  /** Id of the database's ledger; statements made for another database are void. */
  private ledger = '';

  private constructor(
    private readonly database: Database,
    private readonly broker: Broker,
    private readonly logger: Logger,
  ) {
    this.endMeasuring = measureQueues(broker);
    this.left = new LeftMessages(logger, () => database.events.all.map((event) => event.name));
  }

  /** Starts consuming both lanes. */
  static async start(parts: { database: Database; broker: Broker; logger: Logger }): Promise<Worker> {
    const worker = new Worker(parts.database, parts.broker, parts.logger);
    await worker.consume({ lane: 'history' }, HISTORY_PREFETCH, {
      groupSize: (waiting) => countWithin(waiting, GROUP_BYTES),
      store: (group) => worker.storeHistory(group),
      leave: (delivery, unknown) => worker.leaveHistory(delivery, unknown),
    });
    for (let index = 0; index < LIVE_QUEUES; index++) {
      const lane = { lane: 'live', index } as const;
      await worker.consume(lane, LIVE_PREFETCH, {
        groupSize: (waiting) => countWithin(ofFirstChain(waiting), GROUP_BYTES),
        store: (group) => worker.storeNews(group),
        leave: (delivery, unknown) => worker.leaveNews(shortName(lane), delivery, unknown),
      });
    }
    return worker;
  }

  /** Takes no more messages, finishes the transactions in hand; what isn't stored by then goes back to the queues. */
  async stop(): Promise<void> {
    await Promise.all(this.consumers.map((consumer) => consumer.stop()));
    await Promise.all(this.queues.map((queue) => queue.stop()));
    this.endMeasuring();
  }

  /** Which queues hold messages that were not stored for this long, and why, in words; null while all is well. */
  problem(patienceMs: number): string | null {
    const problems = [...this.queues.map((queue) => queue.problem(patienceMs)), this.left.problem];
    const found = problems.filter((problem) => problem !== null);
    return found.length ? found.join('; ') : null;
  }

  private async consume(lane: Lane, prefetch: number, how: Omit<StoringLane, 'name'>): Promise<void> {
    const queue = new DeliveryQueue({ name: shortName(lane), ...how }, this.logger);
    this.queues.push(queue);
    this.consumers.push(await this.broker.consume(lane, prefetch, (delivery) => queue.push(delivery)));
  }

  private leaveHistory(delivery: Delivery, unknown: UnknownEvents): boolean {
    this.left.note('history', unknown.events);
    workerMetrics.statements.inc({ lane: 'history', outcome: 'left' });
    delivery.passOn();
    return false;
  }

  /**
   * The next worker in line may know the event. Who gets news for the second time gives them up: the one after may not know it
   * either, and news of other chains wait behind them. Their leader says them again; by then the lane is another worker's.
   */
  private leaveNews(queue: string, delivery: Delivery, unknown: UnknownEvents): boolean {
    this.left.note(queue, unknown.events);
    workerMetrics.statements.inc({ lane: 'live', outcome: 'left' });
    if (delivery.redelivered) {
      delivery.giveUp();
      return false;
    }
    delivery.passOn();
    return true;
  }

  /** Events without a folder are declared while the process runs: what isn't known is looked up before it is left. */
  private async assertKnown(statements: readonly Statement[]): Promise<void> {
    const { events, statements: executor } = this.database;
    const unknown = () => [...new Set(statements.flatMap((s) => unknownEvents(events, s)))];
    if (unknown().length) await events.load(executor);
    if (unknown().length) throw new UnknownEvents(unknown());
  }

  private async storeHistory(group: readonly Delivery[]): Promise<void> {
    const statements = await this.ofThisLedger(group.map((d) => d.statement as FinalStatement));
    if (!statements.length) return;
    await this.assertKnown(statements);
    const decoded = statements.map((statement): DecodedFinal => {
      return {
        statement,
        ...decodeLogs(this.database.events, statement.chainId, statement.sources, statement.logs),
      };
    });
    const stored = await timed('history', () => storeHistory(this.database, decoded));
    measureStored(stored);
    const { voided } = stored;
    workerMetrics.statements.inc({ lane: 'history', outcome: 'applied' }, statements.length - voided);
    if (voided) {
      workerMetrics.statements.inc({ lane: 'history', outcome: 'ignored' }, voided);
      this.logger.warn(`${voided} messages of history were read before a repair of their chain: ignored`);
    }
    if (stored.position !== null) this.broker.ring(stored.position);
  }

  private async storeNews(group: readonly Delivery[]): Promise<void> {
    const statements = await this.ofThisLedger(group.map((d) => d.statement as NewsStatement));
    if (!statements.length) return;
    await this.assertKnown(statements);
    const { chainId } = statements[0]!;
    const result = await timed('live', () =>
      applyNews(
        this.database,
        chainId,
        statements.map((s) => this.decodeNews(s)),
      ),
    );
    measureStored(result);
    measureNews(statements, result.verdicts);
    if (result.position !== null) this.broker.ring(result.position);
    if (result.conflicts) {
      this.logger.warn(
        { chainId },
        `${result.conflicts} logs claim keys of rows in other blocks: see conflicting_log`,
      );
    }
    if (result.verdicts.includes('refused')) {
      this.logger.warn(
        { chainId },
        'a statement does not fit the stored chain: its leader will take over from itself',
      );
    }
  }

  private decodeNews(statement: NewsStatement): DecodedNews {
    if (statement.kind === 'finality') return { statement };
    const logs = statement.blocks.flatMap((block) => block.logs);
    return { statement, ...decodeLogs(this.database.events, statement.chainId, statement.sources, logs) };
  }

  private async ofThisLedger<S extends Statement>(statements: readonly S[]): Promise<S[]> {
    if (statements.some((s) => s.ledger !== this.ledger))
      this.ledger = await ledgerId(this.database.statements);
    const ours = statements.filter((s) => s.ledger === this.ledger);
    if (ours.length < statements.length) {
      const ignored = statements.length - ours.length;
      this.logger.warn(`${ignored} messages were made for another database: ignored`);
    }
    return ours;
  }
}

/** How many deliveries from the first on stay within a number of bytes; at least one. */
function countWithin(waiting: readonly Delivery[], bytes: number): number {
  let sum = 0;
  const over = waiting.findIndex((delivery) => {
    sum += delivery.bytes;
    return sum > bytes;
  });
  return over < 0 ? waiting.length : Math.max(1, over);
}

/** The deliveries up to the first one of another chain: a transaction locks one lane only. */
function ofFirstChain(waiting: readonly Delivery[]): readonly Delivery[] {
  const other = waiting.findIndex((d) => d.statement.chainId !== waiting[0]!.statement.chainId);
  return other < 0 ? waiting : waiting.slice(0, other);
}
