import type { LedgerSource, WantedSource } from '#libs/database/ledger.js';

/**
 * What a standby would follow otherwise than the chain's leader does, in words; null: nothing. Pure.
 * @param own what this process wants.
 * @param led what the ledger says that is wanted, which is what the leader wants.
 */
export function otherSettings(own: readonly WantedSource[], led: readonly LedgerSource[]): string | null {
  const ledByKey = new Map(led.map((source) => [keyOf(source), source]));
  const ownKeys = new Set(own.map(keyOf));
  const more = own.filter((source) => !ledByKey.has(keyOf(source)));
  const less = led.filter((source) => !ownKeys.has(keyOf(source)));
  const moved = own.filter((source) => {
    const known = ledByKey.get(keyOf(source));
    return known && !source.keepsStart && known.startBlock !== source.startBlock;
  });
  const words = [
    ...more.map((source) => `also ${nameOf(source)}`),
    ...less.map((source) => `not ${nameOf(source)}`),
    ...moved.map((source) => `${nameOf(source)} from block ${source.startBlock} on`),
  ];
  return words.length ? words.join(', ') : null;
}

function keyOf({ address, event }: { address: string; event: string }): string {
  return `${address} ${event}`;
}

function nameOf({ address, event }: { address: string; event: string }): string {
  return `${event}@${address}`;
}
