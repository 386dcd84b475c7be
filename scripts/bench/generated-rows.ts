import { type RawBuilder, sql } from 'kysely';
import { chains } from '#libs/config/chains.js';
import type { Database, SqlExecutor } from '#libs/database/database.js';
import type { Column } from '#libs/events/column.js';
import type { EventDefinition } from '#libs/events/event.js';

/** Rows are spread over this long, up to now. */
export const SPAN_DAYS = 730;
/** Rows of this last stretch are unfinalized. */
const UNFINALIZED_SECONDS = 900;
const CHAINS = 20;
const ROWS_PER_STATEMENT = 100_000;

/** Distinct values of a column, by kind; the frequency of the k-th goes with 1/k. */
const cardinality: Partial<Record<Column['kind'], number>> = {
  address: 100_000,
  bytes32: 1_000,
  text: 30,
  uint256: 40,
  safeInt: 40,
};

/**
 * Fills the table of an event with rows as years of following would leave them, by SQL: 20 chains of which each has a bit more than
 * half the rows of the one before (of a million, the rarest has about ten), few values that are frequent and many that are rare, a
 * thousandth of removed rows. Raw logs have the right size and no meaning. The table must be empty.
 */
export async function generateRows(
  database: Database,
  event: EventDefinition,
  rows: number,
  progress: (done: number) => void = () => {},
): Promise<void> {
  await insertChains(database.statements);
  for (let done = 0; done < rows; done += ROWS_PER_STATEMENT) {
    const to = Math.min(rows, done + ROWS_PER_STATEMENT);
    await database.transaction((tx) => insertRows(tx, event, { from: done, to, of: rows }));
    progress(to);
  }
  for (const table of ['chain', event.table])
    await sql`vacuum (analyze) ${sql.table(table)}`.execute(database.statements);
}

async function insertChains(executor: SqlExecutor): Promise<void> {
  for (const { id, name, blockTimeMs } of chains.slice(0, CHAINS)) {
    const finalized = sql`${blockAt(sql`now() - ${UNFINALIZED_SECONDS} * interval '1 second'`, sql`${blockTimeMs}::int`)}`;
    await sql`insert into chain (chain_id, name, state, finalized_block) values (${id}, ${name}, 'following', ${finalized})
      on conflict do nothing`.execute(executor);
  }
}

/** Height at a time, for a chain that makes a block every so many milliseconds. */
function blockAt(time: RawBuilder<unknown>, blockTimeMs: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`floor((extract(epoch from ${time}) - 1.6e9) * 1000 / ${blockTimeMs})::bigint`;
}

async function insertRows(
  tx: SqlExecutor,
  event: EventDefinition,
  { from, to, of }: { from: number; to: number; of: number },
): Promise<void> {
  const some = chains.slice(0, CHAINS);
  await sql`select setseed(${(from % 1e6) / 1e6})`.execute(tx);
  const values = event.allColumns.map((c) => sql`${columnSql(event, c)} as ${sql.ref(c.name)}`);
  const names = event.allColumns.map((c) => sql.ref(c.name));
  const step = (SPAN_DAYS * 86_400) / of;
  await sql`
    insert into ${sql.table(event.table)} (${sql.join(names)})
    select ${sql.join(values)} from (
      select i, (${some.map((c) => c.id)}::bigint[])[place] as chain_id, (${some.map((c) => c.blockTimeMs)}::int[])[place] as block_time,
        at, ${sql.join(event.columns.map((c) => sql`${ranked(c)} as ${sql.ref(`rank_${c.name}`)}`))}
      from (select i, date_trunc('second', now() - (${of} - i) * ${step}::float8 * interval '1 second') as at,
        least(${CHAINS}, 1 + floor(-ln(1 - random()) / 0.6))::int as place
        from generate_series(${from}::bigint + 1, ${to}::bigint) i) placed) r`.execute(tx);
}

/** A rank from 1 to the column's cardinality, of which small ones are frequent. */
function ranked(column: Column): RawBuilder<unknown> {
  return sql`floor(power(${cardinality[column.kind] ?? 1}::float8, random()))::bigint`;
}

function columnSql(event: EventDefinition, column: Column): RawBuilder<unknown> {
  const known = positionSql(event)[column.property];
  if (known) return known;
  const rank = sql.ref(`r.rank_${column.name}`);
  const hash = sql`sha256(convert_to(${column.name} || ${rank}, 'UTF8'))`;
  if (column.amountOf) return sql`floor(power(10::float8, random() * 24))::numeric(78,0)`;
  if (column.kind === 'address') return sql`substring(${hash} from 1 for 20)`;
  if (column.kind === 'text') return sql`(${texts(column)}::text[])[${rank}]`;
  if (column.kind === 'uint256' || column.kind === 'safeInt') return rank;
  if (column.kind === 'boolean') return sql`${rank} = 1`;
  return column.kind === 'timestamp' ? sql`r.at` : hash;
}

/** Texts as filters read them. */
function texts({ name, filter }: Column): string[] {
  const written = Array.from({ length: cardinality.text! }, (_, i) => `${name} ${i + 1}`);
  return filter ? written.map(filter.read) : written;
}

/** What every event has. */
function positionSql(event: EventDefinition): Readonly<Record<string, RawBuilder<unknown>>> {
  const height = blockAt(sql`r.at`, sql`r.block_time`);
  return {
    chainId: sql`r.chain_id`,
    blockNumber: height,
    blockHash: sql`sha256(convert_to('block' || r.chain_id || ':' || ${height}, 'UTF8'))`,
    blockTimestamp: sql`r.at`,
    txHash: sql`sha256(convert_to('transaction' || r.i, 'UTF8'))`,
    txIndex: sql`floor(power(300::float8, random()))::bigint - 1`,
    logIndex: sql`floor(power(900::float8, random()))::bigint - 1`,
    address: sql`decode(substring(${chains[0]!.contract} from 3), 'hex')`,
    topics: sql`array[decode(substring(${event.topic0} from 3), 'hex')]`,
    data: sql`sha256(int8send(r.i)) || sha256(int8send(r.i + 1)) || sha256(int8send(r.i + 2)) || sha256(int8send(r.i + 3))
      || sha256(int8send(r.i + 4)) || sha256(int8send(r.i + 5)) || sha256(int8send(r.i + 6))`,
    removed: sql`random() < 0.001`,
    revision: sql`0`,
    writeId: sql`r.i / 20`,
  };
}
