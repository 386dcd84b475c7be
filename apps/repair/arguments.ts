import { chainIdOf, readArguments, rpcUrlsOf } from '#libs/service/command.js';

const usage = `npm run repair -- --chain <id> [--rpc <URL>] [--yes]

  mends a chain that is halted: a reorg went below what is stored as final
  --chain  the chain's id; default: CHAIN_ID
  --rpc    endpoints to ask, separated by commas; default: RPC_URLS, else the chain list's
  --yes    do it; without it, it is only shown`;

/** Which chain is to be repaired, and whether for real. */
export interface Request {
  readonly chainId: number;
  readonly rpcUrls: readonly string[] | undefined;
  readonly yes: boolean;
}

const options = {
  chain: { type: 'string' },
  rpc: { type: 'string' },
  yes: { type: 'boolean', default: false },
} as const;

/** Reads the command line. @throws UsageError */
export function requestOf(args: readonly string[], env: NodeJS.ProcessEnv): Request {
  const { chain, rpc, yes } = readArguments(args, options, usage).values;
  return { chainId: chainIdOf(chain, env, usage), rpcUrls: rpcUrlsOf(rpc, usage), yes: yes === true };
}
