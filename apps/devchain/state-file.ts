import { open, readFile, rename } from 'node:fs/promises';
import { z } from 'zod';
import type { Logger } from '#libs/telemetry/logger.js';
import { SimulatedChain } from './chain.js';
import { type ChainOptions, type ChainState, chainSettings } from './chain-state.js';
import { stateSchema } from './state-schema.js';

const SAVE_AT_MOST_EVERY_MS = 1_000;

/**
 * Continues the chain whose state a file holds, or makes a new one when there is no file. Of the options, `head` and
 * `headTimestampMs` count for a new chain only.
 * @throws Error when the file can't be read, or when the options would make another chain than the file's.
 */
export async function openChain(path: string, options: ChainOptions): Promise<SimulatedChain> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return SimulatedChain.create(options);
  const state = parseState(path, text);
  const { finalityDepth, ...asked } = chainSettings(options);
  const differences = Object.entries(asked)
    .map(([name, value]) => [
      name,
      JSON.stringify(state.settings[name as keyof typeof asked]),
      JSON.stringify(value),
    ])
    .filter(([, held, wanted]) => held !== wanted)
    .map(([name, held, wanted]) => `${name} is ${held} there, and ${wanted} is wanted`);
  if (differences.length > 0)
    throw new Error(
      `${path} holds another chain: ${differences.join('; ')}. Set it back, or delete the file to begin a new chain.`,
    );
  return SimulatedChain.restore({ ...state, settings: { ...state.settings, finalityDepth } });
}

function parseState(path: string, text: string): ChainState {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new Error(`${path} isn't JSON (${(error as Error).message}); delete it to begin a new chain.`);
  }
  const parsed = stateSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new Error(
    `${path} isn't the state of a simulated chain; delete it to begin a new one.\n${z.prettifyError(parsed.error)}`,
  );
}

/** Keeps a chain's state in a file: saves on change, once a second at most, and on close. The file is always whole. */
export class StateFile {
  readonly #chain: SimulatedChain;
  readonly #path: string;
  readonly #logger: Logger;
  readonly #stopListening: () => void;
  #timer: NodeJS.Timeout | undefined;
  #saving: Promise<void> = Promise.resolve();

  constructor(chain: SimulatedChain, path: string, logger: Logger) {
    this.#chain = chain;
    this.#path = path;
    this.#logger = logger;
    this.#stopListening = chain.onChange(() => this.#saveSoon());
  }

  /** Saves at once. @throws the system's error. */
  save(): Promise<void> {
    this.#saving = this.#saving.catch(() => {}).then(() => writeWhole(this.#path, this.#chain.state()));
    return this.#saving;
  }

  /** Saves for the last time. @throws the system's error. */
  async close(): Promise<void> {
    this.#stopListening();
    clearTimeout(this.#timer);
    await this.save();
  }

  #saveSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.save().catch((error: Error) => {
        this.#logger.error({ path: this.#path, err: error }, "can't save the chain's state; trying again");
        this.#saveSoon();
      });
    }, SAVE_AT_MOST_EVERY_MS);
  }
}

async function writeWhole(path: string, state: ChainState): Promise<void> {
  const temporary = `${path}.new`;
  const file = await open(temporary, 'w');
  try {
    await file.writeFile(JSON.stringify(state));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}
