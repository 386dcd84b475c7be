import { storedBlocks } from '#apps/api/progress.js';
import { approximateRows, chainStatuses } from '#libs/database/chain-status.js';
import type { Database } from '#libs/database/database.js';
import { events } from '#libs/events/registry.js';

/** In a terminal the line is written over itself this often; elsewhere a new line is written more rarely. */
const TERMINAL_MS = 1_000;
const PLAIN_MS = 10_000;

/** Shows in one line how far the system is, until it is stopped. */
export function showStatus(database: Database, chainId: number, out: NodeJS.WriteStream): () => void {
  const terminal = out.isTTY === true;
  let busy = false;
  const timer = setInterval(
    async () => {
      if (busy) return;
      busy = true;
      const line = await statusLine(database, chainId).catch((error: Error) => `no status: ${error.message}`);
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

async function statusLine(database: Database, chainId: number): Promise<string> {
  const status = (await chainStatuses(database.statements)).find((chain) => chain.chainId === chainId);
  if (!status) return 'waiting for the chain';
  const { wanted, stored } = storedBlocks(status);
  const history = wanted ? Math.floor((stored / wanted) * 1_000) / 10 : 0;
  const counts = await Promise.all(events.map((event) => approximateRows(database.statements, event.table)));
  const total = counts.reduce((sum, n) => sum + n, 0);
  const parts = [
    `${status.name}: ${status.state}`,
    `head ${grouped(status.headBlock)}`,
    `history ${history} %`,
    `${grouped(total)} events`,
  ];
  return [...parts, ...(status.stateReason ? [status.stateReason] : [])].join(' · ');
}

function grouped(value: number | null): string {
  return value === null ? '–' : value.toLocaleString('en');
}
