import { randomUUID } from 'node:crypto';
import { AbiCoder, id } from 'ethers';
import { type AdvanceStatement, MESSAGE_VERSION, type StatedBlock } from '#libs/broker/messages.js';
import { type AppliedNews, applyNews, type DecodedNews } from '#libs/database/apply-news.js';
import { Database } from '#libs/database/database.js';
import { decodeLogs } from '#libs/database/decode-logs.js';
import { type Leadership, takeOver } from '#libs/database/ledger.js';
import { migrate } from '#libs/database/migrate.js';
import { storeHistory } from '#libs/database/store-history.js';
import type { ChainLog } from '#libs/events/log.js';
import { socketBridge } from '#libs/events/socket-bridge/event.js';
import { createDatabase } from './postgres.js';
import { query } from './query.js';

export const CHAIN_ID = 7;
export const ADDRESS = `0x${'aa'.repeat(20)}`;
const source = { address: ADDRESS, event: 'SocketBridge' };

/** A log of a block as tests write it: a transaction's name, an index, and what may differ between two sightings. */
export interface TestLog {
  readonly tx: string;
  readonly index?: number;
  readonly amount?: bigint;
  readonly address?: string;
}

/** A block named by a letter of its branch, e.g. `block(5, 'a', [{tx: 't1'}])` is `5a`; its parent is `4a` unless said otherwise. */
export function block(
  number: number,
  branch: string,
  logs: readonly TestLog[] = [],
  parentBranch = branch,
): StatedBlock {
  const hash = hashOf(number, branch);
  return {
    number,
    hash,
    parentHash: hashOf(number - 1, parentBranch),
    timestamp: 1_700_000_000 + number,
    logs: logs.map((log) => ({ ...chainLog(log, number, hash), topics: [socketBridge.topic0] })),
  };
}

export function hashOf(number: number, branch: string): string {
  return id(`${number}${branch}`);
}

/** The log as the chain gives it. */
export function chainLog(
  { tx, index = 0, amount = 1n, address = ADDRESS }: TestLog,
  blockNumber: number,
  blockHash: string,
): ChainLog {
  const types = ['uint256', 'address', 'uint256', 'bytes32', 'address', 'address', 'bytes32'];
  const values = [amount, ADDRESS, 10n, id('Hop'), ADDRESS, ADDRESS, `0x${'00'.repeat(32)}`];
  return {
    address,
    topics: [socketBridge.topic0],
    data: AbiCoder.defaultAbiCoder().encode(types, values),
    blockNumber,
    blockHash,
    blockTimestamp: 1_700_000_000 + blockNumber,
    txHash: id(tx),
    txIndex: 0,
    logIndex: index,
  };
}

/** A migrated database and a leader's and worker's hand on it, without processes. */
export class LedgerFixture {
  private constructor(
    readonly database: Database,
    readonly url: string,
    private readonly drop: () => Promise<void>,
  ) {}

  static async create(postgresUrl: string): Promise<LedgerFixture> {
    const { url, drop } = await createDatabase(postgresUrl);
    const database = Database.open(url);
    await migrate(database);
    return new LedgerFixture(database, url, drop);
  }

  async close(): Promise<void> {
    await this.database.close();
    await this.drop();
  }

  /** Takes the lead, if need be by letting the running lease end first. */
  async lead(): Promise<Leadership> {
    await query(this.url, "update chain_lane set expires_at = '-infinity'");
    const claim = { chainId: CHAIN_ID, chainName: 'Test', holder: randomUUID() };
    return (await takeOver(this.database, { ...claim, sources: [{ ...source, startBlock: 1 }] }))!;
  }

  /** Applies `advance` statements and moves of finality in one transaction, numbered from `seq` on. */
  apply(term: number, seq: number, ...news: (Advance | Finality)[]): Promise<AppliedNews> {
    const statements = news.map((n, i) => this.decoded(term, seq + i, n));
    return applyNews(this.database, CHAIN_ID, statements);
  }

  /** Stores one history statement. @param term of the leader that read it. */
  async history(from: number, to: number, blocks: readonly StatedBlock[], term?: number) {
    const logs = blocks.flatMap((b) => b.logs);
    const statement = { chainId: CHAIN_ID, term, sources: [source], from, to };
    return storeHistory(this.database, [
      { statement, ...decodeLogs(this.database.events, CHAIN_ID, [source], logs) },
    ]);
  }

  /** Rows as `tx-hash-prefix@block r<revision>` with ` removed`, by key; see `rowName`. */
  async rows(): Promise<string[]> {
    const rows = await query<{ tx: string; n: string; hash: string; revision: string; removed: boolean }>(
      this.url,
      `select '0x' || encode(tx_hash, 'hex') as tx, block_number as n, '0x' || encode(block_hash, 'hex') as hash, revision, removed
       from socket_bridge_event order by block_number, tx_hash, log_index`,
    );
    return rows.map(
      (r) => `${r.tx.slice(0, 10)}@${r.n}${r.hash.slice(2, 8)} r${r.revision}${r.removed ? ' removed' : ''}`,
    );
  }

  async coverage(): Promise<string> {
    const [row] = await query<{ coverage: string }>(
      this.url,
      'select coverage::text as coverage from source',
    );
    return row!.coverage;
  }

  private decoded(term: number, seq: number, news: Advance | Finality): DecodedNews {
    const head = { version: MESSAGE_VERSION, ledger: randomUUID(), chainId: CHAIN_ID, term, seq } as const;
    if ('final' in news)
      return { statement: { ...head, kind: 'finality', number: news.final, hash: news.hash } };
    const statement: AdvanceStatement = {
      ...head,
      kind: 'advance',
      above: news.above,
      sources: [source],
      blocks: news.blocks,
    };
    const logs = news.blocks.flatMap((b) => b.logs);
    return { statement, ...decodeLogs(this.database.events, CHAIN_ID, [source], logs) };
  }
}

export interface Advance {
  readonly above: number;
  readonly blocks: StatedBlock[];
}
export interface Finality {
  readonly final: number;
  readonly hash: string;
}

/** How `LedgerFixture.rows` names a row. */
export function rowName(tx: string, number: number, branch: string, revision = 0, removed = false): string {
  return `${id(tx).slice(0, 10)}@${number}${hashOf(number, branch).slice(2, 8)} r${revision}${removed ? ' removed' : ''}`;
}
