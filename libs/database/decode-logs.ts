import type { StatedSource, Statement } from '#libs/broker/messages.js';
import { UndecodableLog } from '#libs/events/argument-reader.js';
import type { EventDefinition } from '#libs/events/event.js';
import type { ChainLog } from '#libs/events/log.js';
import { type EventCatalog, UnknownEvents } from './event-catalog.js';
import type { EventRow } from './event-rows.js';
import type { KeptLog } from './kept-logs.js';
import type { DecodedLogs } from './store-history.js';

/** Names of the statement's events that a catalog doesn't know. */
export function unknownEvents(catalog: EventCatalog, statement: Statement): string[] {
  if (statement.kind === 'finality') return [];
  return [...new Set(statement.sources.map((s) => s.event))].filter((name) => !catalog.byName(name));
}

/**
 * Decodes a statement's logs as the events of its sources. A log that carries an event's topic but is broken is kept
 * aside with the reason, the others go on; a log of none of the events is passed over.
 * @throws UnknownEvents when the catalog doesn't know an event: its logs would count as stored.
 */
export function decodeLogs(
  catalog: EventCatalog,
  chainId: number,
  sources: readonly StatedSource[],
  logs: readonly ChainLog[],
): DecodedLogs {
  const bySource = new Map<string, EventDefinition[]>();
  for (const { address, event } of sources) {
    const definition = catalog.byName(event);
    if (!definition) throw new UnknownEvents([event]);
    const key = `${address} ${definition.topic0}`;
    bySource.set(key, [...(bySource.get(key) ?? []), definition]);
  }
  const rows: EventRow[] = [];
  const broken: KeptLog[] = [];
  for (const log of logs) {
    for (const event of bySource.get(`${log.address} ${log.topics[0]}`) ?? []) {
      const result = decodeOne(event, chainId, log);
      if (!result) continue;
      if ('values' in result) rows.push(result);
      else broken.push(result);
      break;
    }
  }
  return { rows, broken };
}

/** Decodes one log as an event: its row, the log with the reason why it is broken, or null when it isn't of the event. */
export function decodeOne(event: EventDefinition, chainId: number, log: ChainLog): EventRow | KeptLog | null {
  try {
    const values = event.decode(log);
    return values && { event, chainId, log, values };
  } catch (error) {
    if (!(error instanceof UndecodableLog)) throw error;
    return { chainId, event: event.name, log, reason: error.message };
  }
}
