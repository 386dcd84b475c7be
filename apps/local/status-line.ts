import type { BackfillProgress, ProgressWatch } from '#apps/api/reads/progress.js';
import { approximateRows } from '#libs/database/chain-status.js';
import type { Database } from '#libs/database/database.js';

/** In a terminal the line is written over itself this often; elsewhere a new line is written more rarely. */
const TERMINAL_MS = 1_000;
const PLAIN_MS = 10_000;

/** Shows in one line how far the system is with its chains, until it is stopped. */
export function showStatus(
  { database, progress }: { database: Database; progress: ProgressWatch },
  chainIds: readonly number[],
  out: NodeJS.WriteStream,
): () => void {
  const terminal = out.isTTY === true;
  let busy = false;
  const timer = setInterval(
    async () => {
      if (busy) return;
      busy = true;
      const line = await statusLine(database, progress, chainIds).catch(
        (error: Error) => `no status: ${error.message}`,
      );
      out.write(
        terminal ? `\r\u001b[2K${line.slice(0, Math.max(20, (out.columns ?? 100) - 1))}` : `${line}\n`,
      );
      busy = false;
    },
    terminal ? TERMINAL_MS : PLAIN_MS,
  );
  return () => {
    clearInterval(timer);
    if (terminal) out.write('\n');
  };
}

async function statusLine(
  database: Database,
  progress: ProgressWatch,
  chainIds: readonly number[],
): Promise<string> {
  const statuses = (await progress.statuses()).filter((chain) => chainIds.includes(chain.chainId));
  if (!statuses.length) return 'waiting for the chain';
  const tables = [...new Set(database.events.all.map((event) => event.table))];
  const counts = await Promise.all(tables.map((table) => approximateRows(database.statements, table)));
  const total = counts.reduce((sum, n) => sum + n, 0);
  const chains = statuses.map((status) => {
    const history = historyWords(progress.progressOf(status));
    const words = `${status.name}: ${status.state}, head ${grouped(status.headBlock)}, ${history}`;
    return status.stateReason ? `${words} (${status.stateReason})` : words;
  });
  return [`${grouped(total)} events`, ...chains].join(' · ');
}

/** `history 42.1 %, 12,000 blocks/s, 3 min left` */
function historyWords({ fraction, blocksPerSecond, etaSeconds }: BackfillProgress): string {
  const words = `history ${Math.floor(fraction * 1_000) / 10} %`;
  if (!etaSeconds || !blocksPerSecond) return words;
  const left = etaSeconds < 90 ? `${Math.ceil(etaSeconds)} s` : `${Math.ceil(etaSeconds / 60)} min`;
  return `${words}, ${grouped(Math.round(blocksPerSecond))} blocks/s, ${left} left`;
}

function grouped(value: number | null): string {
  return value === null ? '–' : value.toLocaleString('en');
}
