import { chainIdOf, readArguments, rpcUrlsOf, UsageError, wholeNumberOf } from '#libs/service/command.js';

const usage = `npm run verify -- --chain <id> [--from <block>] [--to <block>] [--rpc <URL>] [--repair]

  compares the stored rows of a chain, up to recorded finality, with what an RPC says
  --chain   the chain's id; default: CHAIN_ID
  --from    first block; default: the start blocks
  --to      last block; default: recorded finality
  --rpc     endpoints to ask, separated by commas; default: RPC_URLS, else the chain list's
  --repair  lets what differs be fetched and stored again, and takes away what is not in the chain`;

/** What is to be verified. */
export interface Request {
  readonly chainId: number;
  readonly from: number;
  /** Null: recorded finality. */
  readonly to: number | null;
  readonly rpcUrls: readonly string[] | undefined;
  readonly repair: boolean;
}

const options = {
  chain: { type: 'string' },
  from: { type: 'string' },
  to: { type: 'string' },
  rpc: { type: 'string' },
  repair: { type: 'boolean', default: false },
} as const;

/** Reads the command line. @throws UsageError */
export function requestOf(args: readonly string[], env: NodeJS.ProcessEnv): Request {
  const { chain, from, to, rpc, repair } = readArguments(args, options, usage).values;
  const request = {
    chainId: chainIdOf(chain, env, usage),
    from: from === undefined ? 0 : wholeNumberOf('--from', from, usage),
    to: to === undefined ? null : wholeNumberOf('--to', to, usage),
    rpcUrls: rpcUrlsOf(rpc, usage),
    repair: repair === true,
  };
  if (request.to !== null && request.to < request.from)
    throw new UsageError(`--from ${request.from} is above --to ${request.to}`, usage);
  return request;
}
