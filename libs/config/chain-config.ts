import type { ChainDefinition } from './chain-definition.js';
import {
  type ConfiguredSource,
  type Contract,
  type EventSyntax,
  readSources,
  type SourceDefaults,
} from './chain-sources.js';
import { chainById } from './chains.js';
import * as settings from './settings.js';
import type { EnvReader } from './variables.js';

/** Blocks per eth_getLogs to begin with; providers' own limits are learned. */
export const DEFAULT_BATCH_SIZE = 2_000;
/** What is followed where EVENTS says nothing. */
const DEFAULT_EVENTS = ['SocketBridge'];
/** Stands for the contract of a chain that isn't known. */
const NO_CONTRACT = `0x${'00'.repeat(20)}`;
/** Depth that counts as final for a chain that no list knows and whose node has no `finalized` tag (as indexers elsewhere take). */
const DEFAULT_CONFIRMATIONS = 64;
/** Some block times of every chain, and more than a broker or worker takes to be replaced. */
const DEFAULT_STALLED_AFTER_SECONDS = 60;
/** Chains that prove themselves to another one move finality in steps of up to an hour. */
const DEFAULT_FINALITY_STALLED_AFTER_SECONDS = 7_200;

/** One chain as its fetcher follows it. */
export interface ChainConfig {
  readonly chainId: number;
  readonly chainName: string;
  readonly rpcUrls: readonly string[];
  /** Calls per second to each endpoint at most; null: no cap. */
  readonly rpcMaxRps: number | null;
  /** Which events of which contracts; one at least. */
  readonly sources: readonly ConfiguredSource[];
  readonly startBlock: number | 'latest';
  readonly batchSize: number;
  readonly pollingIntervalMs: number;
  /** Set: finality is head − this. */
  readonly confirmations: number | null;
  /** Depth to use when the node has no `finalized` tag. */
  readonly fallbackConfirmations: number;
  readonly bloomProvesAbsence: boolean;
  /** Without progress for this long, though there is something to store, the chain is stuck. */
  readonly stalledAfterMs: number;
  /** The same for the final block, while the head moves. */
  readonly finalityStalledAfterMs: number;
}

/** What of a chain holds where the environment says nothing. */
type ChainDefaults = Pick<
  ChainDefinition,
  'id' | 'name' | 'rpcUrls' | 'startBlock' | 'blockTimeMs' | 'confirmations' | 'bloomProvesAbsence'
>;

/** A chain that the process brings along, and follows where the environment names none. */
export interface OwnChain extends Omit<ChainDefaults, 'rpcUrls'> {
  readonly contracts: readonly Contract[];
}

export const readStalledAfterMs = (env: EnvReader): number =>
  env.withDefault(settings.stalledAfter, DEFAULT_STALLED_AFTER_SECONDS) * 1_000;

/** Whether an environment says which chain to follow. */
export function isChainSet(env: Readonly<Record<string, string | undefined>>): boolean {
  return [settings.rpcUrls, settings.chainId, settings.chains].some(({ name }) => env[name]?.trim());
}

/** Reads every chain that the process follows. @param syntax how events are written. */
export function readChains(env: EnvReader, syntax: EventSyntax): readonly ChainConfig[] {
  const ids = readChainIds(env);
  const configs = ids.map((id) => {
    return readChain(env.ofChain({ id, alone: ids.length === 1 }), id, syntax);
  });
  // one environment may serve several processes with a chain each
  if (ids.length > 1) env.rejectOtherChains(ids as number[]);
  return configs;
}

/** Reads how the process's own chain is followed: every event of the registry where EVENTS says nothing. It has no endpoint yet. */
export function readOwnChain(env: EnvReader, syntax: EventSyntax, own: OwnChain): ChainConfig {
  const defaults = { contracts: own.contracts, events: syntax.known };
  return readSettings(
    env.ofChain({ id: own.id, alone: true }),
    own.id,
    syntax,
    { ...own, rpcUrls: [] },
    defaults,
  );
}

/** The chains of CHAINS, else that of CHAIN_ID; `[undefined]` where they are missing or bad. */
function readChainIds(env: EnvReader): readonly (number | undefined)[] {
  const id = env.optional({ ...settings.chainId, unset: 'required, or `CHAINS`' });
  const several = env.optional(settings.chains);
  if (!several) {
    if (!env.isSet(settings.chainId) && !env.isSet(settings.chains))
      env.reject(settings.chainId.name, `is required: ${settings.chainId.rule}; or CHAINS, for several`);
    return [id];
  }
  const ids = unique(several);
  if (id !== undefined && (ids.length > 1 || ids[0] !== id))
    env.reject(settings.chainId.name, `is ${id}, and CHAINS says ${ids.join(',')}: set one of them`);
  return ids;
}

/** @param id undefined: it is missing, so nothing else is said to be missing. */
function readChain(env: EnvReader, id: number | undefined, syntax: EventSyntax): ChainConfig {
  const known: ChainDefinition | undefined = id === undefined ? undefined : chainById(id);
  const contract = id === undefined ? NO_CONTRACT : known?.contract;
  const contracts = contract === undefined ? undefined : [{ address: contract, event: null }];
  return readSettings(env, id, syntax, known, { contracts, events: DEFAULT_EVENTS });
}

function readSettings(
  env: EnvReader,
  id: number | undefined,
  syntax: EventSyntax,
  known: Omit<ChainDefaults, 'id'> | undefined,
  followed: SourceDefaults,
): ChainConfig {
  return {
    chainId: id as number,
    chainName: env.withDefault(settings.chainName, known?.name ?? `Chain ${id}`),
    rpcUrls: unique(env.required(settings.rpcUrls, id === undefined ? [] : known?.rpcUrls)),
    // where the chain isn't known a contract isn't missed
    sources: readSources(env, syntax, followed),
    startBlock: env.required(settings.startBlock, id === undefined ? 0 : known?.startBlock),
    rpcMaxRps: env.optional(settings.rpcMaxRps) ?? null,
    batchSize: env.withDefault(settings.batchSize, DEFAULT_BATCH_SIZE),
    pollingIntervalMs: env.withDefault(settings.pollingInterval, defaultPolling(known?.blockTimeMs)),
    confirmations: env.optional(settings.confirmations) ?? null,
    fallbackConfirmations: known?.confirmations ?? DEFAULT_CONFIRMATIONS,
    bloomProvesAbsence: known?.bloomProvesAbsence ?? true,
    stalledAfterMs: readStalledAfterMs(env),
    finalityStalledAfterMs:
      env.withDefault(settings.finalityStalledAfter, DEFAULT_FINALITY_STALLED_AFTER_SECONDS) * 1_000,
  };
}

/** Twice per block, between 4 times a second and every 2 s: a public endpoint's rate limit is worth more than a second. */
function defaultPolling(blockTimeMs: number | undefined): number {
  return Math.min(2_000, Math.max(250, Math.round((blockTimeMs ?? 2_000) / 2)));
}

export function unique<T>(values: readonly T[] | undefined): readonly T[] {
  return [...new Set(values ?? [])];
}
