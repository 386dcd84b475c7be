import { hash } from 'node:crypto';

/** Heights that fit into an identity: 48 bits. */
export const HEIGHT_LIMIT = 2 ** 48;

const HALF = 2 ** 24;
const HASH_PATTERN = /^0x[0-9a-f]{64}$/;

/**
 * Makes the hashes of blocks and transactions, such that the height can be read back out of a hash. That is what lets a chain that
 * stores no blocks find one by its hash, also after a restart. 26 bytes are a digest, the last 6 the height under a mask.
 * Native SHA-256, not keccak256: nobody can recompute these hashes (there is no RLP header behind them), and keccak256 in
 * JavaScript takes 12 µs where this takes 0.7.
 */
export class Identities {
  readonly #seed: string;
  readonly #maskHigh: number;
  readonly #maskLow: number;

  /** @param seed everything that makes this chain another than other chains. */
  constructor(seed: string) {
    this.#seed = hash('sha256', seed);
    this.#maskHigh = Number.parseInt(this.#seed.slice(0, 6), 16);
    this.#maskLow = Number.parseInt(this.#seed.slice(6, 12), 16);
  }

  /** 32 bytes of hex that stand for `label` at a height. @param height below {@link HEIGHT_LIMIT}. */
  at(height: number, label: string): string {
    const digest = hash('sha256', `${this.#seed}:${height}:${label}`).slice(0, 52);
    return `0x${digest}${this.#masked(digest, Math.floor(height / HALF), height % HALF)}`;
  }

  /** The height in a hash that {@link at} made; of a foreign hash some number or undefined, so check what is found there. */
  heightOf(identity: string): number | undefined {
    if (!HASH_PATTERN.test(identity)) return undefined;
    const digest = identity.slice(2, 54);
    const tail = identity.slice(54);
    const high = Number.parseInt(tail.slice(0, 6), 16);
    const low = Number.parseInt(tail.slice(6), 16);
    return Number.parseInt(this.#masked(digest, high, low), 16);
  }

  /** The same operation masks and unmasks. */
  #masked(digest: string, high: number, low: number): string {
    const digestHigh = Number.parseInt(digest.slice(0, 6), 16);
    const digestLow = Number.parseInt(digest.slice(6, 12), 16);
    return hex24(high ^ digestHigh ^ this.#maskHigh) + hex24(low ^ digestLow ^ this.#maskLow);
  }
}

/** A digest of any text: as many bytes of hex as asked for, 32 at most. */
export function digestOf(text: string, bytes: number): string {
  return `0x${hash('sha256', text).slice(0, bytes * 2)}`;
}

function hex24(value: number): string {
  return value.toString(16).padStart(6, '0');
}
