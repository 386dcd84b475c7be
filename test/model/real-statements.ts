import { id } from 'ethers';
import {
  MESSAGE_VERSION,
  type Statement as Message,
  parseStatement,
  serializeStatement,
} from '#libs/broker/messages.js';
import type { DecodedNews } from '#libs/database/apply-news.js';
import { decodeLogs } from '#libs/database/decode-logs.js';
import { EventCatalog } from '#libs/database/event-catalog.js';
import type { DecodedFinal } from '#libs/database/store-history.js';
import type { ChainLog } from '#libs/events/log.js';
import { CHAIN_ID, chainLog } from '../services/ledger-fixture.js';
import { type Block, type Final, type Log, type News, SOURCES, type Source } from './statements.js';

/** Of the registry. */
const catalog = new EventCatalog();
const LEDGER = '00000000-0000-4000-8000-000000000000';
const addresses: Readonly<Record<Source, string>> = { A: `0x${'aa'.repeat(20)}`, B: `0x${'bb'.repeat(20)}` };

/** The model's names of what has a hash in the real world, by hash. */
const names = new Map<string, string>();
const hashes = new Map<string, string>();

export function hashOf(name: string): string {
  const known = hashes.get(name);
  if (known) return known;
  const hash = id(name);
  hashes.set(name, hash);
  names.set(hash, name);
  return hash;
}

export function nameOf(hash: string): string {
  return names.get(hash)!;
}

export function sourceOf(address: string): Source {
  return SOURCES.find((source) => addresses[source] === address)!;
}

export function statedSource(source: Source): { address: string; event: string } {
  return { address: addresses[source], event: 'SocketBridge' };
}

/** Work on the same statement gives the same, and a statement is told again and again. */
function once<K extends object, V>(make: (key: K) => V): (key: K) => V {
  const made = new WeakMap<K, V>();
  return (key) => {
    const known = made.get(key) ?? make(key);
    made.set(key, known);
    return known;
  };
}

/** The message that a fetcher would send, as a worker reads and decodes it. */
export const realNews = once(newsOf);

export const realFinal = once(finalOf);

const realLog = once(logOf);

function newsOf(news: News): DecodedNews {
  const { term, seq } = news;
  const head = { version: MESSAGE_VERSION, ledger: LEDGER, chainId: CHAIN_ID, term, seq } as const;
  if (news.kind === 'finality') {
    const { number } = news;
    return { statement: received({ ...head, kind: 'finality', number, hash: hashOf(news.hash) }) };
  }
  const sources = news.sources.map(statedSource);
  const blocks = news.blocks.map(statedBlock);
  const statement = received({ ...head, kind: 'advance', above: news.above, sources, blocks });
  return {
    statement,
    ...decodeLogs(
      catalog,
      CHAIN_ID,
      sources,
      statement.blocks.flatMap((b) => b.logs),
    ),
  };
}

function finalOf({ sources, from, to, logs }: Final): DecodedFinal {
  const head = { version: MESSAGE_VERSION, ledger: LEDGER, chainId: CHAIN_ID } as const;
  const stated = sources.map(statedSource);
  const statement = received({ ...head, kind: 'final', sources: stated, from, to, logs: logs.map(realLog) });
  return { statement, ...decodeLogs(catalog, CHAIN_ID, stated, statement.logs) };
}

function received<M extends Message>(message: M): M {
  const result = parseStatement(serializeStatement(message));
  if ('reason' in result) throw new Error(`no message of the protocol: ${result.reason}`);
  return result.statement as M;
}

function statedBlock({ number, hash, parent, logs }: Block) {
  return {
    number,
    hash: hashOf(hash),
    parentHash: hashOf(parent ?? 'nothing'),
    timestamp: 1_700_000_000 + number,
    logs: logs.map(realLog),
  };
}

function logOf({ key, source, value, number, hash }: Log): ChainLog & { topics: string[] } {
  const [tx, index] = key.split('.') as [string, string];
  hashOf(tx);
  const told = { tx, index: Number(index), amount: BigInt(value), address: addresses[source] };
  const real = chainLog(told, number, hashOf(hash));
  return { ...real, topics: [...real.topics] };
}
