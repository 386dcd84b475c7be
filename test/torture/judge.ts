import amqp from 'amqplib';
import { allQueues, shortName } from '#libs/broker/broker.js';
import { queueName } from '#libs/broker/names.js';
import { knownEvents } from '../independent-events.js';
import { compareTableWithChain } from '../independent-reader.js';
import { query } from '../services/query.js';
import type { System } from '../services/system.js';
import { until } from '../services/until.js';
import type { Listener } from './audience.js';
import { EVENTS, GATEWAY, type TorturedChain, type World } from './world.js';

/** So long the system may take to become equal to the chain once the faults have stopped. */
const PATIENCE_MS = 180_000;
/** Differences of one kind that are told. */
const TOLD = 5;

/** What is wrong, in words; none when all is as it must be. */
export type Findings = string[];

/**
 * Judges a system whose faults have stopped: tables against chains (by a reader that shares no code with the product), coverage,
 * streams against tables, positions, queues.
 */
export class Judge {
  constructor(
    private readonly world: World,
    private readonly system: System,
    private readonly prefix: string,
  ) {}

  async judge(listeners: readonly Listener[]): Promise<Findings> {
    const findings: Findings = [];
    for (const { miner } of this.world.chains) miner.stop();
    for (const tortured of this.world.chains) findings.push(...(await this.chain(tortured)));
    for (const listener of listeners) findings.push(...(await this.listener(listener)));
    findings.push(...(await this.positions()), ...(await this.queues()));
    return findings;
  }

  /** Number of rows that are in the chains, by event. */
  async rows(): Promise<ReadonlyMap<string, number>> {
    const counts = EVENTS.map(async (event) => {
      const sql = `select count(*) as n from ${knownEvents[event].table} where not removed`;
      return [event, await this.number(sql)] as const;
    });
    return new Map(await Promise.all(counts));
  }

  /** Transactions in which rows were taken back. */
  async reorgsThatTouchedRows(): Promise<number> {
    return this.number('select count(*) as n from feed_commit where rows_removed > 0');
  }

  private async chain({ chain, honest }: TorturedChain): Promise<Findings> {
    const { chainId } = chain;
    try {
      await this.system.untilCovered(chainId, 1, () => chain.head, PATIENCE_MS);
      await until(`finality of chain ${chainId}`, async () => {
        const sql = `select finalized_block as n from chain where chain_id = ${chainId}`;
        return (await this.number(sql)) === chain.finalized;
      });
    } catch (error) {
      const [state] = await query(
        this.system.databaseUrl,
        `select c.state, c.state_reason, c.head_block, c.finalized_block, c.last_processed_block, l.term, l.applied_seq,
         l.holder, (select array_agg(coverage::text) from source s where s.chain_id = c.chain_id) as coverage
         from chain c join chain_lane l using (chain_id) where chain_id = ${chainId}`,
      );
      return [
        `chain ${chainId} (head ${chain.head}, final ${chain.finalized}): ${(error as Error).message}; ${JSON.stringify(state)}`,
      ];
    }
    const findings: Findings = [];
    for (const event of EVENTS) {
      const { differences } = await compareTableWithChain({
        databaseUrl: this.system.databaseUrl,
        rpcUrl: honest.url,
        chainId,
        address: GATEWAY,
        event: knownEvents[event],
        fromBlock: 1,
        toBlock: chain.head,
      });
      findings.push(...told(`${event} of chain ${chainId}`, differences));
    }
    return findings;
  }

  /** What a stream made of it equals the table, and nothing was told twice. */
  private async listener({ name, event, sql, finality, subscriber }: Listener): Promise<Findings> {
    const final =
      finality === 'FINALIZED'
        ? 'and block_number <= (select finalized_block from chain c where c.chain_id = e.chain_id)'
        : '';
    const rows = await query<{ id: string; hash: string; revision: number }>(
      this.system.databaseUrl,
      `select chain_id || ':0x' || encode(tx_hash, 'hex') || ':' || log_index as id, '0x' || encode(block_hash, 'hex') as hash, revision
       from ${knownEvents[event].table} e where not removed and (${sql}) ${final}`,
    );
    const table = new Map(rows.map((row) => [row.id, row]));
    const differences = () => {
      const { events } = subscriber;
      const missing = rows.filter(({ id }) => !events.has(id)).map(({ id }) => `${id} missing`);
      const extra = [...events.keys()].filter((id) => !table.has(id)).map((id) => `${id} too much`);
      const other = rows
        .filter(({ id, hash }) => events.has(id) && events.get(id) !== hash)
        .map(({ id }) => `${id} of another block`);
      return [...missing, ...extra, ...other];
    };
    await until(`the stream of ${name} to equal the table`, () => differences().length === 0).catch(() => {});
    // a row that was taken back and revived is told again, once for each time; a final row is never taken back
    const mayRepeat = (id: string) => finality !== 'FINALIZED' && (table.get(id)?.revision ?? 2) > 1;
    const repeats = subscriber.repeats.filter((id) => !mayRepeat(id));
    return [
      ...told(`subscriber "${name}" (${subscriber.errors.slice(-2).join('; ')})`, differences()),
      ...told(`subscriber "${name}" heard twice`, repeats),
    ];
  }

  /** The commit log has every position from 1 to the counter. */
  private async positions(): Promise<Findings> {
    const [row] = await query<{ n: string; low: string; high: string; counter: string }>(
      this.system.databaseUrl,
      `select count(*) as n, min(position) as low, max(position) as high, (select position from feed_counter) as counter from feed_commit`,
    );
    const { n, low, high, counter } = row!;
    const dense = n === counter && high === counter && low === '1';
    return dense
      ? []
      : [`positions have holes: ${n} entries from ${low} to ${high}, the counter is at ${counter}`];
  }

  private async queues(): Promise<Findings> {
    const connection = await amqp.connect(this.world.rabbit.url, { timeout: 5_000 });
    try {
      const channel = await connection.createChannel();
      const depths = async () => {
        const found: string[] = [];
        for (const queue of allQueues) {
          const { messageCount } = await channel.checkQueue(queueName(this.prefix, queue));
          if (messageCount) found.push(`${messageCount} messages left in ${shortName(queue)}`);
        }
        return found;
      };
      await until('the queues to be empty', async () => (await depths()).length === 0).catch(() => {});
      return await depths();
    } finally {
      await connection.close();
    }
  }

  private async number(statement: string): Promise<number> {
    const [row] = await query<{ n: string }>(this.system.databaseUrl, statement);
    return Number(row!.n);
  }
}

function told(who: string, all: readonly string[]): Findings {
  if (!all.length) return [];
  const more = all.length > TOLD ? ` and ${all.length - TOLD} more` : '';
  return [`${who}: ${all.slice(0, TOLD).join(', ')}${more}`];
}
