import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { spawnOwned } from '#apps/local/owned-process.js';

/** A local EVM chain. */
export interface Anvil {
  readonly url: string;
  readonly wsUrl: string;
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

const START_PATIENCE_MS = 30_000;

/** From the optional package (Linux on x64); elsewhere the one that is in the PATH. */
const packaged = fileURLToPath(new URL('../../node_modules/.bin/anvil', import.meta.url));

/**
 * Starts anvil with ten rich, unlocked accounts; it mines a block for each transaction. It ends with this process.
 * @param options.args more arguments, such as `['--block-time', '1']`.
 * @param options.port a free one by default; give the old one to start again at the same URL.
 * @throws Error with anvil's words when it doesn't come up.
 */
export async function startAnvil(options: { args?: readonly string[]; port?: number } = {}): Promise<Anvil> {
  const program = existsSync(packaged) ? packaged : 'anvil';
  const listen = ['--host', '127.0.0.1', '--port', String(options.port ?? 0)];
  const anvil = await spawnOwned(program, [...listen, ...(options.args ?? [])]);
  const listening = anvil.untilOutput(/Listening on 127\.0\.0\.1:(\d+)/, START_PATIENCE_MS);
  listening.catch(() => anvil.end('SIGKILL'));
  const [, port] = await listening;
  return {
    url: `http://127.0.0.1:${port}`,
    wsUrl: `ws://127.0.0.1:${port}`,
    port: Number(port),
    pid: anvil.pid,
    stop: () => anvil.end('SIGKILL'),
  };
}
