import type { StatedSource, Statement } from '#libs/broker/messages.js';
import { type EventDefinition, UndecodableLog } from '#libs/events/event.js';
import type { ChainLog } from '#libs/events/log.js';
import { eventByName } from '#libs/events/registry.js';
import type { EventRow } from './event-rows.js';
import type { KeptLog } from './kept-logs.js';
import type { DecodedLogs } from './store-history.js';

/** Names of the statement's events that this build doesn't know. */
export function unknownEvents(statement: Statement): string[] {
  if (statement.kind === 'finality') return [];
  return [...new Set(statement.sources.map((s) => s.event))].filter((name) => !eventByName(name));
}

/**
 * Decodes a statement's logs as the events of its sources. A log that carries an event's topic but is broken is kept
 * aside with the reason, the others go on; a log of none of the events is passed over.
 */
export function decodeLogs(
  chainId: number,
  sources: readonly StatedSource[],
  logs: readonly ChainLog[],
): DecodedLogs {
  const bySource = new Map<string, EventDefinition[]>();
  for (const { address, event } of sources) {
    const definition = eventByName(event);
    if (!definition) continue;
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

function decodeOne(event: EventDefinition, chainId: number, log: ChainLog): EventRow | KeptLog | null {
  try {
    const values = event.decode(log);
    return values && { event, chainId, log, values };
  } catch (error) {
    if (!(error instanceof UndecodableLog)) throw error;
    return { chainId, event: event.name, log, reason: error.message };
  }
}
