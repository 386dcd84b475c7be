import type { KnownChain } from '#libs/database/chain-status.js';
import type { Row } from '#libs/database/condition.js';
import type { EventDefinition } from '#libs/events/event.js';
import { explorerLinksOf, referencesOf } from './references.js';

/** Whether a block may still be replaced. */
export enum Finality {
  UNFINALIZED = 'UNFINALIZED',
  FINALIZED = 'FINALIZED',
}

/** What a message of the live feed says about a row. */
export enum ChangeType {
  ADDED = 'ADDED',
  REMOVED = 'REMOVED',
  FINALIZED = 'FINALIZED',
}

/** The id of a row for clients. */
function eventId(row: Row): string {
  return `${row.chainId}:${row.txHash}:${row.logIndex}`;
}

/** Reads an id; null when it isn't one. */
export function parseEventId(id: string): { chainId: number; txHash: string; logIndex: number } | null {
  const match = /^(\d{1,16}):(0x[0-9a-f]{64}):(\d{1,16})$/i.exec(id);
  if (!match) return null;
  const [chainId, logIndex] = [Number(match[1]), Number(match[3])];
  if (!Number.isSafeInteger(chainId) || !Number.isSafeInteger(logIndex)) return null;
  return { chainId, txHash: match[2]!.toLowerCase(), logIndex };
}

/**
 * A row as clients see it: its columns, and beside them `id`, `finality`, what columns refer to (`chain`, `toChain`,
 * `tokenInfo`, …) and `explorerLinks`. @param known whether it is known to be final.
 */
export function nodeOf(
  event: EventDefinition,
  row: Row,
  chains: ReadonlyMap<number, KnownChain>,
  known = false,
): object {
  const finalized = chains.get(row.chainId as number)?.finalizedBlock ?? -1;
  return {
    ...row,
    id: eventId(row),
    finality: known || (row.blockNumber as number) <= finalized ? Finality.FINALIZED : Finality.UNFINALIZED,
    ...referencesOf(event, row, chains),
    explorerLinks: explorerLinksOf(event, row),
  };
}
