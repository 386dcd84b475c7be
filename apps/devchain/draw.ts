/** 2^32: one draw of the generator is a whole number below it. */
const WORD = 2 ** 32;

/** Above this mean Poisson counts are drawn from the normal distribution: inversion takes one step per count. */
const POISSON_BY_INVERSION = 60;

/**
 * A deterministic source of random values: equal keys give equal sequences, on every machine.
 * The generator is sfc32 (Doty-Humphrey's PractRand); opening one takes well under a microsecond, so that every block and every
 * transaction can have one of its own and nothing needs to be stored.
 */
export class Draw {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** @param key whole numbers from 0 to 2^53 − 1; their order counts. */
  constructor(...key: readonly number[]) {
    let one = 0x9e3779b9;
    let other = 0x243f6a88;
    for (const word of key) {
      one = mix(mix(one ^ (word % WORD)) + Math.floor(word / WORD) + 1);
      other = mix(other + one);
    }
    this.#a = one;
    this.#b = other;
    this.#c = 0x13198a2e;
    for (let round = 0; round < 8; round++) this.#next();
  }

  /** A number from 0 (included) to 1 (excluded). */
  uniform(): number {
    return this.#next() / WORD;
  }

  /** A whole number from 0 to `below` − 1. */
  below(below: number): number {
    return Math.floor(this.uniform() * below);
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.uniform() < probability;
  }

  /** One of the entries, each as likely as its weight says. */
  pick<T extends { readonly weight: number }>(entries: readonly T[]): T {
    let total = 0;
    for (const { weight } of entries) total += weight;
    let left = this.uniform() * total;
    for (const entry of entries) {
      left -= entry.weight;
      if (left < 0) return entry;
    }
    return entries.at(-1)!;
  }

  /** A count whose long-run mean is `mean`. */
  poisson(mean: number): number {
    if (mean > POISSON_BY_INVERSION)
      return Math.max(0, Math.round(mean + Math.sqrt(mean) * this.#standardNormal()));
    let count = 0;
    let probability = Math.exp(-mean);
    let left = this.uniform() - probability;
    while (left >= 0 && probability > 0) {
      count++;
      probability *= mean / count;
      left -= probability;
    }
    return count;
  }

  /** A positive number whose logarithm is normal; half of the draws lie below `median`. */
  logNormal(median: number, sigma: number): number {
    return median * Math.exp(sigma * this.#standardNormal());
  }

  /** `bytes` random bytes as hex digits, without 0x. */
  hex(bytes: number): string {
    let digits = '';
    while (digits.length < bytes * 2) digits += this.#next().toString(16).padStart(8, '0');
    return digits.slice(0, bytes * 2);
  }

  /** Box and Muller's transformation. */
  #standardNormal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }

  #next(): number {
    const result = (this.#a + this.#b + this.#counter++) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + result) | 0;
    return result >>> 0;
  }
}

/** The finalizer of MurmurHash3: every input bit changes every output bit with a probability near one half. */
function mix(value: number): number {
  let mixed = value | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
