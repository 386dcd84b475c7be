import { chainById, chainNameOf } from '#libs/config/chains.js';
import { NATIVE_COIN, tokenOf } from '#libs/config/tokens.js';
import type { KnownChain } from '#libs/database/chain-status.js';
import type { Row } from '#libs/database/condition.js';
import { type Column, referenceField } from '#libs/events/column.js';
import type { EventDefinition } from '#libs/events/event.js';

/** A chain as a row names it. */
interface NamedChain {
  /** EIP-155 id. */
  readonly id: number;
  readonly name: string;
}

type Chains = ReadonlyMap<number, KnownChain>;

/** What the columns of a row refer to, by field name: chains with their names, tokens with symbol and decimals; null: unknown. */
export function referencesOf(
  event: EventDefinition,
  row: Row,
  chains: Chains,
): Record<string, object | null> {
  const found: Record<string, object | null> = {};
  for (const column of event.allColumns) {
    const field = referenceField(column);
    if (field === null) continue;
    found[field] =
      column.refersTo === 'token' ? tokenIn(event, row, column) : chainOf(event, row, column, chains);
  }
  return found;
}

function tokenIn(event: EventDefinition, row: Row, column: Column): object | null {
  const [token, chainId] = [row[column.property], chainIdOf(event, row, column)];
  return token === null || chainId === null ? null : tokenOf(chainId, token as string);
}

/** The chain whose own id a column holds is always there; one that it merely names may be none that anybody knows. */
function chainOf(event: EventDefinition, row: Row, column: Column, chains: Chains): NamedChain | null {
  const id = referredChain(row, column);
  if (id === null) return null;
  const name = chains.get(id)?.name ?? chainNameOf(id);
  if (name !== null) return { id, name };
  return event.columns.includes(column) ? null : { id, name: `Chain ${id}` };
}

/** A number that is no safe integer is no chain's id: rounded, it is still none. Null where the row names none. */
function referredChain(row: Row, column: Column): number | null {
  if (row[column.property] === null) return null;
  return Number(column.chainIdOf ? column.chainIdOf(row) : row[column.property]);
}

/** Id of the chain that the address in a column lives on; null where the row doesn't name it. */
function chainIdOf(event: EventDefinition, row: Row, { onChain }: Column): number | null {
  if (onChain === null) return row.chainId as number;
  return referredChain(row, event.columns.find((column) => column.property === onChain)!);
}

/** Columns of an event whose values have a page in a block explorer, besides the block and the transaction. */
export function linkedColumns(event: EventDefinition): Column[] {
  return event.allColumns.filter((column) => column.kind === 'address');
}

/**
 * URLs of a row's pages in the block explorers: `tx`, `block`, and one by the name of each column that holds an address.
 * Null where the chain's explorer isn't known, where there is no address, and for the native coin, which has no page.
 */
export function explorerLinksOf(event: EventDefinition, row: Row): Record<string, string | null> {
  const own = row.chainId as number;
  const links: Record<string, string | null> = {
    tx: page(own, 'tx', row.txHash as string),
    block: page(own, 'block', String(row.blockNumber)),
  };
  for (const column of linkedColumns(event)) {
    const address = row[column.property] as string | null;
    const kind = column.refersTo === 'token' ? 'token' : 'address';
    const on = chainIdOf(event, row, column);
    const hasPage = address !== null && address !== NATIVE_COIN && on !== null;
    links[column.property] = hasPage ? page(on, kind, address) : null;
  }
  return links;
}

function page(chainId: number, kind: 'tx' | 'block' | 'address' | 'token', of: string): string | null {
  const explorer = chainById(chainId)?.explorer;
  return explorer ? `${explorer}/${kind}/${of}` : null;
}
