import type { Derivation, UnderivedRow } from '#libs/database/derivation-plan.js';
import type { DerivedRow, RowToDerive } from '#libs/database/derive-rows.js';
import { UndecodableLog } from '#libs/events/argument-reader.js';
import { isInLog } from '#libs/events/column.js';
import type { DecodedValues } from '#libs/events/event.js';

/** What rows are to hold, and those of which nobody knows it. */
export interface NewValues {
  readonly derived: DerivedRow[];
  readonly unreadable: UnderivedRow[];
}

/** Reads the columns that follow from the log; the others keep what they hold. A row that can't be read is left as a whole. */
export function valuesFromLogs({ event, columns }: Derivation, rows: readonly RowToDerive[]): NewValues {
  const read = columns.filter(isInLog);
  const found: NewValues = { derived: [], unreadable: [] };
  for (const row of rows) {
    const values = row.log ? decoded(() => event.decode(row.log!, read)) : {};
    if (typeof values !== 'string') found.derived.push({ row, values: { ...row.values, ...values } });
    else {
      const { txHash, logIndex, key } = row;
      found.unreadable.push({ txHash, logIndex, blockNumber: key[0], reason: values });
    }
  }
  return found;
}

/** The values, or why there are none. */
function decoded(decode: () => DecodedValues | null): DecodedValues | string {
  try {
    return decode() ?? 'the raw log is not one of this event';
  } catch (error) {
    if (error instanceof UndecodableLog) return error.message;
    throw error;
  }
}
