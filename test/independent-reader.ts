import { dataLength, EventFragment, Interface, JsonRpcProvider, Network, toQuantity } from 'ethers';
import { Client } from 'pg';
import { hex, type KnownEvent, knownEvents } from './independent-events.js';

/*
 * Reads the chain and an event's table by itself and compares them. It imports nothing of the project, so that a mistake there
 * (decoding, names, conversions, ranges) can't hide here.
 */

export interface Comparison {
  readonly databaseUrl: string;
  readonly rpcUrl: string;
  readonly chainId: number;
  /** The contract. */
  readonly address: string;
  /** SocketBridge by default. */
  readonly event?: KnownEvent;
  /** Both inclusive. */
  readonly fromBlock: number;
  readonly toBlock: number;
  /** Blocks per eth_getLogs; default 1000. */
  readonly blocksPerRequest?: number;
}

export interface ComparisonResult {
  /** Events that the chain has in the range. */
  readonly rows: number;
  /** One readable line for each row that is missing, too much, or different, naming the columns; empty when the table equals the chain. */
  readonly differences: string[];
}

/** Columns of every event with what makes them text of one form: decimals, lower-case hex, unix seconds. */
const commonColumns = {
  chain_id: 'chain_id::text',
  block_number: 'block_number::text',
  block_hash: hex('block_hash'),
  block_timestamp: 'extract(epoch from block_timestamp)::numeric(20,6)::text',
  tx_hash: hex('tx_hash'),
  tx_index: 'tx_index::text',
  log_index: 'log_index::text',
  address: hex('address'),
  topics: `(select string_agg(${hex('t')}, ',' order by n) from unnest(topics) with ordinality as u(t, n))`,
  data: hex('data'),
} as const;

/** How the row came to be, not what the chain says. */
const bookkeeping = ['removed', 'revision', 'write_id'];

type Row = Readonly<Record<string, string>>;

interface RawLog {
  readonly address: string;
  readonly topics: readonly string[];
  readonly data: string;
  readonly blockNumber: string;
  readonly blockHash: string;
  readonly transactionHash: string;
  readonly transactionIndex: string;
  readonly logIndex: string;
}

/** Reads one event's logs and rows. */
interface EventReader extends KnownEvent {
  readonly fragment: EventFragment;
  readonly decoder: Interface;
}

function readerOf(event: KnownEvent): EventReader {
  const fragment = EventFragment.from(event.abi);
  return { ...event, fragment, decoder: new Interface([fragment]) };
}

/**
 * Compares the rows of an event's table that aren't removed with the chain's logs, as a multiset and in every column.
 * @throws Error when the RPC is another chain, the chain changes under the reader, or the table has a column that isn't compared.
 */
export async function compareTableWithChain(comparison: Comparison): Promise<ComparisonResult> {
  const { rpcUrl, chainId, fromBlock, toBlock, blocksPerRequest = 1000 } = comparison;
  const event = readerOf(comparison.event ?? knownEvents.SocketBridge);
  const network = Network.from(chainId);
  const provider = new JsonRpcProvider(rpcUrl, network, { staticNetwork: network, cacheTimeout: -1 });
  try {
    return await withClient(comparison.databaseUrl, async (client) => {
      await assertChain(provider, chainId);
      await assertColumns(client, event);
      const differences: string[] = [];
      let rows = 0;
      for (let from = fromBlock; from <= toBlock; from += blocksPerRequest) {
        const to = Math.min(toBlock, from + blocksPerRequest - 1);
        const expected = await chainRows(provider, event, comparison, from, to);
        const stored = await tableRows(client, event, comparison, from, to);
        differences.push(...differencesOf(expected, stored, event));
        rows += expected.length;
      }
      return { rows, differences };
    });
  } finally {
    provider.destroy();
  }
}

async function assertChain(provider: JsonRpcProvider, chainId: number): Promise<void> {
  const found = Number(await provider.send('eth_chainId', []));
  if (found !== chainId) throw new Error(`the RPC is chain ${found}, not ${chainId}`);
}

async function assertColumns(client: Client, { table, columns }: EventReader): Promise<void> {
  const { rows } = await client.query<{ column_name: string }>(
    'select column_name from information_schema.columns where table_schema = current_schema() and table_name = $1',
    [table],
  );
  if (!rows.length) throw new Error(`there is no table ${table}`);
  const known = new Set([...Object.keys(commonColumns), ...Object.keys(columns), ...bookkeeping]);
  const unknown = rows.map((row) => row.column_name).filter((name) => !known.has(name));
  if (unknown.length)
    throw new Error(`the independent reader doesn't compare ${unknown.join(', ')}: teach it`);
}

async function chainRows(
  provider: JsonRpcProvider,
  event: EventReader,
  { chainId, address }: Comparison,
  from: number,
  to: number,
): Promise<Row[]> {
  const filter = {
    address,
    topics: [event.fragment.topicHash],
    fromBlock: toQuantity(from),
    toBlock: toQuantity(to),
  };
  const all = (await provider.send('eth_getLogs', [filter])) as RawLog[];
  const logs = all.filter((log) => isOf(event, log));
  const times = await blockTimes(provider, [...new Set(logs.map((log) => log.blockHash))]);
  return logs.map((log) => rowOf(event, log, chainId, times.get(log.blockHash)!));
}

/** Whether the log is one that the event's declaration can have made; anybody else's contract may emit anything under its topic. */
function isOf({ fragment, decoder }: EventReader, log: RawLog): boolean {
  const inData = fragment.inputs.filter((input) => !input.indexed);
  if (log.topics.length !== 1 + fragment.inputs.length - inData.length) return false;
  const isFixed = inData.every(({ type }) => !/^(bytes|string)$|]$/.test(type));
  if (isFixed && dataLength(log.data) !== inData.length * 32) return false;
  try {
    // ethers reports a broken word only to those who look at it
    decoder.decodeEventLog(fragment, log.data, log.topics).toArray();
    return true;
  } catch {
    return false;
  }
}

/** Unix seconds of blocks by their hash; ethers puts the requests into batches. */
async function blockTimes(
  provider: JsonRpcProvider,
  hashes: readonly string[],
): Promise<Map<string, number>> {
  const times = new Map<string, number>();
  await Promise.all(
    hashes.map(async (hash) => {
      const block = (await provider.send('eth_getBlockByHash', [hash, false])) as {
        timestamp: string;
      } | null;
      if (!block) throw new Error(`the chain changed while it was read: block ${hash} is gone`);
      times.set(hash, Number(block.timestamp));
    }),
  );
  return times;
}

function rowOf({ fragment, decoder, columns }: EventReader, log: RawLog, chainId: number, time: number): Row {
  const args = decoder.decodeEventLog(fragment, log.data, log.topics);
  const own = Object.entries(columns).map(([name, column]) => [name, column.of(args)]);
  return {
    chain_id: String(chainId),
    block_number: String(BigInt(log.blockNumber)),
    block_hash: log.blockHash.toLowerCase(),
    block_timestamp: `${time}.000000`,
    // documented: a log without a transaction stands under its block's hash
    tx_hash: (/^0x0+$/.test(log.transactionHash) ? log.blockHash : log.transactionHash).toLowerCase(),
    tx_index: String(BigInt(log.transactionIndex)),
    log_index: String(BigInt(log.logIndex)),
    address: log.address.toLowerCase(),
    ...Object.fromEntries(own),
    topics: log.topics.join(',').toLowerCase(),
    data: log.data.toLowerCase(),
  };
}

async function tableRows(
  client: Client,
  { table, own = 'true', columns }: EventReader,
  { chainId, address }: Comparison,
  from: number,
  to: number,
): Promise<Row[]> {
  const common = Object.entries(commonColumns).map(([name, text]) => `${text} as ${name}`);
  const list = [...common, ...Object.entries(columns).map(([name, { sql }]) => `${sql} as ${name}`)];
  const { rows } = await client.query<Row>(
    `select ${list.join(', ')} from ${table}
     where ${own} and not removed and chain_id = $1 and address = $2 and block_number between $3 and $4`,
    [chainId, bytes(address), from, to],
  );
  return rows;
}

function differencesOf(expected: readonly Row[], found: readonly Row[], { columns }: EventReader): string[] {
  const names = [...Object.keys(commonColumns), ...Object.keys(columns)];
  const [wanted, stored] = [byKey(expected), byKey(found)];
  return [...new Set([...wanted.keys(), ...stored.keys()])].flatMap((key) => {
    const [chain = [], table = []] = [wanted.get(key), stored.get(key)];
    if (chain.length === 1 && table.length === 1) return changedColumns(key, names, chain[0]!, table[0]!);
    if (chain.length === table.length) return [];
    const count = Math.abs(chain.length - table.length);
    return [
      `${key}: ${count} ${chain.length > table.length ? 'missing in the table' : 'too many in the table'}`,
    ];
  });
}

function changedColumns(key: string, names: readonly string[], chain: Row, table: Row): string[] {
  const changed = names.filter((name) => chain[name] !== table[name]);
  if (changed.length === 0) return [];
  return [
    `${key}: ${changed.map((name) => `${name} is ${table[name]}, the chain says ${chain[name]}`).join('; ')}`,
  ];
}

/** A key has one row on either side, unless something is wrong. */
function byKey(rows: readonly Row[]): Map<string, Row[]> {
  return Map.groupBy(rows, (row) => `block ${row.block_number} tx ${row.tx_hash} log ${row.log_index}`);
}

/** One source of the ledger. */
export interface SourceCoverage {
  readonly address: string;
  readonly event: string;
  readonly startBlock: number;
  /** Covered blocks, both ends inclusive, ascending. */
  readonly ranges: readonly (readonly [from: number, to: number])[];
}

/** What the ledger (table `source`) says is stored of a chain. */
export async function coverageOf(ledger: {
  databaseUrl: string;
  chainId: number;
}): Promise<SourceCoverage[]> {
  return withClient(ledger.databaseUrl, async (client) => {
    const { rows } = await client.query<{
      address: string;
      event: string;
      start_block: string;
      ranges: string[][] | null;
    }>(
      `select ${hex('address')} as address, event, start_block,
         (select array_agg(array[lower(r)::text, (upper(r) - 1)::text] order by lower(r)) from unnest(coverage) r) as ranges
       from source where chain_id = $1 order by address, event`,
      [ledger.chainId],
    );
    return rows.map((row) => ({
      address: row.address,
      event: row.event,
      startBlock: Number(row.start_block),
      ranges: (row.ranges ?? []).map(([from, to]) => [Number(from), Number(to)] as const),
    }));
  });
}

/** Whether a source is covered from `from` to `to` (both inclusive) without a hole, and nowhere else. */
export function coversExactly(source: SourceCoverage, from: number, to: number): boolean {
  const [range, ...others] = source.ranges;
  return others.length === 0 && range?.[0] === from && range[1] === to;
}

async function withClient<T>(databaseUrl: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

function bytes(hexText: string): Buffer {
  return Buffer.from(hexText.slice(2), 'hex');
}
