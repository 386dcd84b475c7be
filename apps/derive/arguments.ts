import { type Column, isInLog } from '#libs/events/column.js';
import type { EventDefinition } from '#libs/events/event.js';
import { chainIdOf, readArguments, rpcUrlsOf, UsageError, wholeNumberOf } from '#libs/service/command.js';

const usage = `npm run derive -- --event <name> [--columns <a,b>] [--chain <id>] [--share <0.01 to 1>] [--parallel <n>] [--anew] [--rpc <URL>]

  fills columns of stored rows: from the raw logs that are stored with them, and what the logs don't say from the chain
  --event     whose rows
  --columns   which columns, separated by commas; default: all that may be null
  --chain     only rows of this chain; default: of all. Columns from the chain need it (or CHAIN_ID)
  --share     part of its time that it works, so that live events have the rest; default: 0.5
  --parallel  ranges of blocks at a time; default: 2
  --anew      from the beginning, where an earlier run was not finished
  --rpc       for columns from the chain: endpoints to ask, separated by commas; default: RPC_URLS, else the chain list's`;

/** What is to be derived, and how fast. */
export interface Request {
  readonly event: EventDefinition;
  readonly columns: readonly Column[];
  /** Null: all chains. There is one when columns are from the chain. */
  readonly chainId: number | null;
  readonly rpcUrls: readonly string[] | undefined;
  /** Part of the time that it works, up to 1. */
  readonly share: number;
  readonly parallel: number;
  readonly anew: boolean;
}

const options = {
  event: { type: 'string' },
  columns: { type: 'string' },
  chain: { type: 'string' },
  share: { type: 'string', default: '0.5' },
  parallel: { type: 'string', default: '2' },
  anew: { type: 'boolean', default: false },
  rpc: { type: 'string' },
} as const;

/** Reads the command line. @throws UsageError */
export function requestOf(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  events: readonly EventDefinition[],
): Request {
  const {
    event: name,
    columns: names,
    chain,
    share,
    parallel,
    anew,
    rpc,
  } = readArguments(args, options, usage).values;
  const event = eventOf(name, events);
  const columns = columnsOf(event, names);
  const asked = columns.filter((column) => !isInLog(column));
  const needsChain = asked.length > 0;
  if (needsChain && !(chain ?? env.CHAIN_ID?.trim()))
    throw new UsageError(
      `${asked.map((column) => column.property).join(', ')}: the chain is asked for it, so say which by --chain, or leave it out of --columns`,
      usage,
    );
  return {
    event,
    columns,
    chainId: needsChain || chain !== undefined ? chainIdOf(chain, env, usage) : null,
    rpcUrls: rpcUrlsOf(rpc, usage),
    share: shareOf(share),
    parallel: parallelOf(parallel),
    anew: anew === true,
  };
}

function eventOf(name: string | undefined, events: readonly EventDefinition[]): EventDefinition {
  const known = `there is ${events.map((event) => event.name).join(', ')}`;
  if (name === undefined) throw new UsageError(`--event is required: ${known}`, usage);
  const event = events.find((one) => one.name === name);
  if (!event) throw new UsageError(`there is no event ${shown(name)}: ${known}`, usage);
  return event;
}

function columnsOf(event: EventDefinition, names: string | undefined): readonly Column[] {
  const all = event.columns.map((column) => column.property).join(', ');
  if (names === undefined) {
    const nullable = event.columns.filter((column) => column.nullable);
    if (nullable.length) return nullable;
    throw new UsageError(
      `no column of ${event.name} may be null: say which to fill anew by --columns, of ${all}`,
      usage,
    );
  }
  const wanted = names.split(',').map((name) => name.trim());
  const unknown = wanted.filter(
    (name) => !event.columns.some((column) => column.property === name || column.name === name),
  );
  if (unknown.length)
    throw new UsageError(
      `${event.name} has no column ${unknown.map(shown).join(', ')}: there is ${all}`,
      usage,
    );
  return event.columns.filter(({ property, name }) => wanted.includes(property) || wanted.includes(name));
}

function shareOf(text: string): number {
  const share = /^(0\.\d{1,4}|1(\.0*)?)$/.test(text) ? Number(text) : Number.NaN;
  if (share >= 0.01) return share;
  throw new UsageError(`--share must be a number from 0.01 to 1, ${shown(text)} is not`, usage);
}

function parallelOf(text: string): number {
  const parallel = wholeNumberOf('--parallel', text, usage);
  if (parallel >= 1 && parallel <= 32) return parallel;
  throw new UsageError(`--parallel must be 1 to 32, not ${parallel}`, usage);
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}
