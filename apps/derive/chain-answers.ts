import type { ChainClient } from '#libs/chain/chain-client.js';
import type { TransactionAnswers } from '#libs/chain/transaction.js';
import type { Derivation } from '#libs/database/derivation-plan.js';
import type { DerivedRow } from '#libs/database/derive-rows.js';
import { chainValues } from '#libs/events/chain-values.js';
import { type Column, isInLog } from '#libs/events/column.js';
import { whenAnswered } from '#libs/service/chain-command.js';
import type { ProgressLine } from '#libs/telemetry/progress-line.js';

/** Transactions asked for at a time. */
const TRANSACTIONS = 200;

/** What asks the chain. */
export interface ChainParts {
  readonly client: ChainClient;
  readonly progress: ProgressLine;
  readonly stop: AbortSignal;
}

/**
 * Asks the chain for what rows don't hold yet: only of rows that are in it, and only what a node says of the row's own block, since a
 * receipt of another one belongs to another execution.
 * @returns the rows with what was answered, and the number of those for which something is still missing.
 * @throws RpcUnavailable when no endpoint answers for a minute and a half.
 */
export async function valuesFromChain(
  { columns }: Derivation,
  rows: readonly DerivedRow[],
  parts: ChainParts,
): Promise<{ derived: readonly DerivedRow[]; unanswered: number }> {
  const asked = columns.filter((column) => !isInLog(column));
  const open = rows.filter(
    ({ row, values }) => !row.removed && asked.some((c) => values[c.property] === null),
  );
  if (!open.length) return { derived: rows, unanswered: 0 };
  const answers = await answersOf(open, asked, parts);
  let unanswered = 0;
  const filled = new Map(
    open.map((one) => {
      const answer = answers.get(one.row.txHash);
      const told = asked.filter(({ fromChain }) => answer?.[fromChain!] !== undefined);
      if (told.length < asked.length) unanswered++;
      const values = Object.fromEntries(told.map((c) => [c.property, answer![c.fromChain!]!]));
      return [one, { row: one.row, values: { ...one.values, ...values } }] as const;
    }),
  );
  return { derived: rows.map((one) => filled.get(one) ?? one), unanswered };
}

/** What is said of the rows' transactions in their own blocks, by hash. */
async function answersOf(
  rows: readonly DerivedRow[],
  columns: readonly Column[],
  parts: ChainParts,
): Promise<Map<string, TransactionAnswers>> {
  const wanted = new Set(columns.map((column) => chainValues[column.fromChain!].in));
  const rowByHash = new Map(rows.map(({ row }) => [row.txHash, row]));
  const answers = new Map<string, TransactionAnswers>();
  const take = (found: ReadonlyMap<string, TransactionAnswers>) => {
    for (const [hash, answer] of found)
      if (answer.blockHash === rowByHash.get(hash)!.blockHash) answers.set(hash, answer);
  };
  const hashes = [...rowByHash.keys()];
  for (let i = 0; i < hashes.length; i += TRANSACTIONS) {
    parts.stop.throwIfAborted();
    const some = hashes.slice(i, i + TRANSACTIONS);
    const from = Math.min(...some.map((hash) => rowByHash.get(hash)!.key[0]));
    take(await whenAnswered(parts, () => parts.client.use((e) => e.transactions(some, wanted), { from })));
    const missing = some.filter((hash) => !answers.has(hash));
    if (!missing.length) continue;
    // a node may have pruned what another one keeps, or be behind
    for (const { answer } of await parts.client.askAll((e) => e.transactions(missing, wanted)))
      if (answer) take(answer);
  }
  return answers;
}
