import type { LogLevel } from '#libs/telemetry/logger.js';
import type { ChainOptions } from './chain-state.js';

export interface DevchainSettings {
  readonly host: string;
  readonly port: number;
  /** Mean number of blocks between reorgs; 0: none. */
  readonly reorgEvery: number;
  /** Where the chain's state is kept; without one every start makes a new chain. */
  readonly stateFile: string | undefined;
  readonly logLevel: LogLevel;
  readonly chain: ChainOptions;
}

const LOG_LEVELS: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error', 'silent'];

/**
 * The simulator's settings from environment variables; an empty variable counts as unset.
 * @throws Error that names every bad variable with its rule.
 */
export function devchainSettings(env: Readonly<Record<string, string | undefined>>): DevchainSettings {
  const reader = new EnvReader(env);
  const settings = {
    host: reader.text('HOST') ?? '127.0.0.1',
    port: reader.number('PORT', { fallback: 8545, from: 0, to: 65535, whole: true }),
    reorgEvery: reader.number('DEVCHAIN_REORG_EVERY', { fallback: 50, from: 0, to: 1e9 }),
    stateFile: reader.text('DEVCHAIN_STATE_FILE'),
    logLevel: reader.choice('LOG_LEVEL', LOG_LEVELS, 'info'),
    chain: {
      chainId: reader.number('CHAIN_ID', { fallback: 1337, from: 1, to: 2 ** 53 - 1, whole: true }),
      seed: reader.text('DEVCHAIN_SEED') ?? 'event-monitor',
      blockTimeMs: reader.number('DEVCHAIN_BLOCK_TIME_MS', { fallback: 1000, from: 1, to: 3_600_000 }),
      head: reader.number('DEVCHAIN_HEAD', { fallback: 20_000, from: 0, to: 1e12, whole: true }),
      eventsPerBlock: reader.number('DEVCHAIN_EVENTS_PER_BLOCK', { fallback: 0.4, from: 0, to: 10_000 }),
      finalityDepth: reader.number('DEVCHAIN_FINALITY_DEPTH', {
        fallback: 20,
        from: 0,
        to: 1e9,
        whole: true,
      }),
    },
  };
  reader.refuseBad();
  return settings;
}

interface NumberRule {
  readonly fallback: number;
  readonly from: number;
  readonly to: number;
  readonly whole?: boolean;
}

/** Reads variables and remembers what is wrong with them, so that all can be told at once. */
class EnvReader {
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #bad: string[] = [];

  constructor(env: Readonly<Record<string, string | undefined>>) {
    this.#env = env;
  }

  text(name: string): string | undefined {
    return this.#env[name]?.trim() || undefined;
  }

  number(name: string, { fallback, from, to, whole = false }: NumberRule): number {
    const text = this.text(name);
    if (text === undefined) return fallback;
    const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
    if (value >= from && value <= to && (!whole || Number.isSafeInteger(value))) return value;
    this.#bad.push(`${name} must be a ${whole ? 'whole ' : ''}number from ${from} to ${to}, not "${text}"`);
    return fallback;
  }

  choice<T extends string>(name: string, choices: readonly T[], fallback: T): T {
    const text = this.text(name);
    if (text === undefined) return fallback;
    const chosen = choices.find((choice) => choice === text);
    if (chosen === undefined) this.#bad.push(`${name} must be one of ${choices.join(', ')}, not "${text}"`);
    return chosen ?? fallback;
  }

  refuseBad(): void {
    if (this.#bad.length > 0) throw new Error(`Bad settings:\n  ${this.#bad.join('\n  ')}`);
  }
}
