import * as settings from '#libs/config/settings.js';
import {
  decimal,
  EnvReader,
  type ReadVariable,
  text,
  type Variable,
  variablesReadBy,
  wholeNumber,
} from '#libs/config/variables.js';
import type { LogLevel } from '#libs/telemetry/logger.js';
import type { ChainOptions } from './chain-state.js';
import { type FaultKind, type FaultRates, faultKinds } from './faults.js';

export interface DevchainSettings {
  readonly host: string;
  readonly port: number;
  /** Mean number of blocks between reorgs; 0: none. */
  readonly reorgEvery: number;
  /** Where the chain's state is kept; without one every start makes a new chain. */
  readonly stateFile: string | undefined;
  /** What befalls requests, and how often; empty: nothing. */
  readonly faults: FaultRates;
  readonly logLevel: LogLevel;
  readonly chain: ChainOptions;
}

const MOST = 1_000_000_000;
const chainId = { ...settings.chainId, description: 'Chain id that the simulator answers with.' };
const port = wholeNumber('PORT', 0, 65_535, 'Its port; 0 picks a free one.');
const reorgEvery = decimal('DEVCHAIN_REORG_EVERY', 0, MOST, 'Mean number of blocks between reorgs; 0: none.');
const stateFile = {
  ...text('DEVCHAIN_STATE_FILE', 'File that keeps the chain over a restart.'),
  unset: 'a new chain at every start',
};
const seed = text('DEVCHAIN_SEED', 'The same seed makes the same chain.');
const blockTimeMs = decimal('DEVCHAIN_BLOCK_TIME_MS', 1, 3_600_000, 'Milliseconds between blocks.');
const head = wholeNumber(
  'DEVCHAIN_HEAD',
  0,
  1_000 * MOST,
  'Height at the first start: how much history there is.',
);
const eventsPerBlock = decimal(
  'DEVCHAIN_EVENTS_PER_BLOCK',
  0,
  10_000,
  'Mean number of SocketBridge events in a block; all other events come in proportion.',
);
const finalityDepth = wholeNumber(
  'DEVCHAIN_FINALITY_DEPTH',
  0,
  MOST,
  'How far below the head blocks are final.',
);

const faults: Variable<FaultRates> = {
  name: 'DEVCHAIN_FAULTS',
  description:
    'What befalls requests to it, with the chance of each, as `http_429=0.05,behind=0.1`: for a look at how the monitor takes it. [faults.ts](../apps/devchain/faults.ts) says what each does.',
  rule: `fault=chance pairs, chances from 0 to 1, separated by commas; faults are ${faultKinds.join(', ')}`,
  unset: 'none',
  parse: parseFaults,
};

function parseFaults(value: string): FaultRates | undefined {
  const pairs = value.split(',').map((pair) => /^\s*(\w+)\s*=\s*(0|1|[01]?\.\d{1,9})\s*$/.exec(pair));
  const rates = pairs.map((pair) => [pair?.[1] as FaultKind, Number(pair?.[2])] as const);
  const isGood = rates.every(([kind, chance]) => faultKinds.includes(kind) && chance <= 1);
  return isGood ? Object.fromEntries(rates) : undefined;
}

/** The simulator's settings from environment variables. @throws ConfigError naming every bad variable. */
export function devchainSettings(env: Readonly<Record<string, string | undefined>>): DevchainSettings {
  const reader = new EnvReader(env);
  return reader.finish(readDevchain(reader));
}

/** The variables that the simulator reads, in order. */
export const devchainVariables = (): readonly ReadVariable[] => variablesReadBy(readDevchain);

function readDevchain(env: EnvReader): DevchainSettings {
  return {
    host: env.withDefault(settings.host, '127.0.0.1'),
    port: env.withDefault(port, 8545),
    logLevel: env.withDefault(settings.logLevel, 'info'),
    reorgEvery: env.withDefault(reorgEvery, 50),
    stateFile: env.optional(stateFile),
    faults: env.optional(faults) ?? {},
    chain: {
      chainId: env.withDefault(chainId, 1337),
      seed: env.withDefault(seed, 'event-monitor'),
      blockTimeMs: env.withDefault(blockTimeMs, 1_000),
      head: env.withDefault(head, 20_000),
      eventsPerBlock: env.withDefault(eventsPerBlock, 0.4),
      finalityDepth: env.withDefault(finalityDepth, 20),
    },
  };
}
