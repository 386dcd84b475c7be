import { Client } from 'pg';
import type { Block } from '#apps/devchain/block.js';
import type { SimulatedChain } from '#apps/devchain/chain.js';
import { SOCKET_BRIDGE } from '#apps/devchain/socket-gateway.js';

/** Number of rows and a sum over their keys: equal for equal rows, in whatever order. */
interface Sum {
  readonly rows: number;
  readonly keys: bigint;
}

const NOTHING: Sum = { rows: 0, keys: 0n };

/** What one statement saw of a chain's ledger. */
interface Sample {
  readonly last: number | null;
  readonly final: number | null;
  /** Hash by height. */
  readonly segment: ReadonlyMap<number, string>;
  /** Rows through the lower of `last` and `final`. */
  readonly below: Sum;
  /** Rows above `final` through `last`, by height and hash. */
  readonly above: ReadonlyMap<string, Sum>;
}

const KEY_SUM =
  "sum(('x' || encode(substr(tx_hash, 1, 6), 'hex'))::bit(48)::bigint * 1000 + log_index)::text";

const SAMPLE = `
  with c as (select chain_id, last_processed_block as last, finalized_block as final from chain where chain_id = $1),
    r as (select e.* from socket_bridge_event e join c using (chain_id) where not removed and block_number <= c.last)
  select c.last, c.final,
    (select json_agg(json_build_array(number, '0x' || encode(hash, 'hex'))) from block b where b.chain_id = $1) as segment,
    (select json_build_array(count(*), ${KEY_SUM}) from r where block_number <= c.final) as below,
    (select json_agg(json_build_array(at, rows, keys)) from (
      select block_number || ' 0x' || encode(block_hash, 'hex') as at, count(*) as rows, ${KEY_SUM} as keys
      from r where block_number > coalesce(c.final, -1) group by 1) g) as above
  from c`;

/**
 * Watches `last_processed_block` of a simulated chain: in every snapshot the rows through it are the chain's, and it goes back no
 * further than to the last block that the stored chain kept.
 */
export class ProcessedWatch {
  /** What was wrong, in words. */
  readonly wrong: string[] = [];
  /** Values that were seen. */
  readonly seen = new Set<number>();
  /** How often it went back. */
  wentBack = 0;
  private readonly byHash = new Map<string, Sum>();
  /** Of final blocks: sums from block 0 through each. */
  private readonly through: Sum[] = [];
  private before: Sample | null = null;
  private stopped = false;
  private running: Promise<void> = Promise.resolve();

  /** @param addresses contracts that are followed, in lower case. */
  constructor(
    private readonly chain: SimulatedChain,
    private readonly databaseUrl: string,
    private readonly addresses: readonly string[],
  ) {
    this.learn(chain.finalized, chain.head);
    chain.onChange(({ fork, head }) => this.learn(fork, head));
  }

  start(): void {
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.running;
  }

  private async run(): Promise<void> {
    const client = new Client({ connectionString: this.databaseUrl });
    await client.connect();
    try {
      while (!this.stopped) {
        const { rows } = await client.query(SAMPLE, [this.chain.chainId]);
        if (rows[0]) this.take(sampleOf(rows[0]));
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    } catch (error) {
      this.wrong.push((error as Error).message);
    } finally {
      await client.end();
    }
  }

  private take(sample: Sample): void {
    if (sample.last !== null) this.seen.add(sample.last);
    const problem = this.rowProblem(sample) ?? this.backProblem(sample);
    if (problem) this.wrong.push(problem);
    this.before = sample;
  }

  private rowProblem({ last, final, segment, below, above }: Sample): string | null {
    if (last === null) return null;
    const end = Math.min(last, final ?? -1);
    if (!isSame(below, this.sumThrough(end)))
      return `of ${last}: ${below.rows} rows through ${end}, should be ${this.sumThrough(end).rows}`;
    const rest = new Map(above);
    for (let n = end + 1; n <= last; n++) {
      const hash = segment.get(n);
      const sum = hash === undefined ? undefined : this.byHash.get(hash);
      if (!sum) return `of ${last}: block ${n} (${hash}) is not stored, or no block of the chain`;
      const at = `${n} ${hash}`;
      if (!isSame(rest.get(at) ?? NOTHING, sum)) return `of ${last}: other rows in block ${at}`;
      rest.delete(at);
    }
    return rest.size ? `of ${last}: rows of other blocks: ${[...rest.keys()].join()}` : null;
  }

  private backProblem(now: Sample): string | null {
    const { before } = this;
    if (!before || before.last === null || (now.last ?? -1) >= before.last) return null;
    this.wentBack++;
    const isKept = (n: number) => n <= (now.final ?? -1) || now.segment.get(n) === before.segment.get(n);
    let kept = before.last;
    while (kept > (now.last ?? -1) && !isKept(kept)) kept--;
    return kept > (now.last ?? -1)
      ? `from ${before.last} back to ${now.last}, though block ${kept} stays`
      : null;
  }

  /** Remembers what is in blocks, as they may be gone when they are seen. */
  private learn(above: number, to: number): void {
    for (let n = above + 1; n <= to; n++) {
      const block = this.chain.block(n)!;
      this.byHash.set(block.hash, this.sumOf(block));
    }
  }

  private sumThrough(height: number): Sum {
    for (let n = this.through.length; n <= height; n++) {
      const last = this.through.at(-1) ?? NOTHING;
      const sum = this.sumOf(this.chain.block(n)!);
      this.through.push({ rows: last.rows + sum.rows, keys: last.keys + sum.keys });
    }
    return this.through[height] ?? NOTHING;
  }

  private sumOf({ transactions }: Block): Sum {
    const keys = transactions.flatMap(({ transaction, logs }) =>
      logs
        .filter(({ address, topics }) => topics[0] === SOCKET_BRIDGE && this.addresses.includes(address))
        .map(({ logIndex }) => BigInt(transaction.hash.slice(0, 14)) * 1000n + BigInt(logIndex)),
    );
    return { rows: keys.length, keys: keys.reduce((sum, key) => sum + key, 0n) };
  }
}

function sampleOf(row: Record<string, unknown>): Sample {
  const number = (value: unknown) => (value === null ? null : Number(value));
  const [rows, keys] = row.below as [number, string | null];
  const above = (row.above ?? []) as [at: string, rows: number, keys: string][];
  return {
    last: number(row.last),
    final: number(row.final),
    segment: new Map((row.segment ?? []) as [number, string][]),
    below: { rows, keys: BigInt(keys ?? 0) },
    above: new Map(above.map(([at, count, sum]) => [at, { rows: count, keys: BigInt(sum) }])),
  };
}

function isSame(a: Sum, b: Sum): boolean {
  return a.rows === b.rows && a.keys === b.keys;
}
