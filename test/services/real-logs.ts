import { readFileSync } from 'node:fs';
import { EventFragment } from 'ethers';
import type { ChainLog } from '#libs/events/log.js';
import { events } from '#libs/events/registry.js';

/** A value of an argument: whole numbers as decimal text, bytes in any letter case, lists, tuples by the names of their parts. */
type Told = string | boolean | readonly Told[] | { readonly [name: string]: Told };

/** A log of a real chain, with what two other libraries made of it. */
export interface RealLog {
  /** What is special about it. */
  readonly categories: readonly string[];
  readonly note: string | null;
  readonly chainId: number;
  /** Null: nobody can tell from its topic what it is. */
  readonly abi: string | null;
  readonly values: Readonly<Record<string, Told>> | null;
  readonly log: Omit<ChainLog, 'blockTimestamp'>;
}

/** Real logs of nine chains, of all kinds. */
export const realLogs = JSON.parse(
  readFileSync(new URL('../fixtures/real-logs.json', import.meta.url), 'utf8'),
) as readonly RealLog[];

/** Types and what is indexed, by which events are told apart. */
export function identityOf(abi: string): string {
  return EventFragment.from(abi).format('minimal').slice('event '.length);
}

/** The folder's event of this declaration. */
export function registered(abi: string) {
  return events.find(({ identity }) => identity === identityOf(abi));
}

/** A value as the project tells it in JSON: hex in lower case, of an indexed text its hash. */
export function asTold(value: Told): unknown {
  if (Array.isArray(value)) return value.map(asTold);
  if (typeof value === 'string') return /^0x[0-9a-f]*$/i.test(value) ? value.toLowerCase() : value;
  if (typeof value === 'boolean') return value;
  const parts = value as { readonly [name: string]: Told };
  if (parts.indexedHash) return asTold(parts.indexedHash);
  return Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, asTold(part)]));
}
