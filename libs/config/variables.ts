/** One environment variable: what it means, what it must look like, and how it is read. */
export interface Variable<T> {
  readonly name: string;
  /** Another name that is accepted; `name` wins where both are set. */
  readonly alias?: string;
  /** For people: what it does. */
  readonly description: string;
  /** For people: what a good value is, e.g. `a whole number from 1 to 65535`. */
  readonly rule: string;
  /** Whether its value must not be shown in messages (it may hold a password or a key). */
  readonly secret?: boolean;
  /** For people: what holds when it isn't set, where that depends on something else. */
  readonly unset?: string;
  /**
   * The value, or undefined when the text breaks the rule. Texts come trimmed and are never empty.
   * @throws Error with what is wrong, where the rule doesn't say enough; AggregateError with several.
   */
  readonly parse: (text: string) => T | undefined;
  /** Of a chain's settings: whether this value can be of one chain only, so that several chains can't share it; left out, none is. */
  fitsOneChain?(value: T): boolean;
}

/** A setting that can't be used; a process that finds some refuses to start and shows them all. */
export interface BadSetting {
  readonly name: string;
  readonly problem: string;
}

/** The configuration can't be used. `message` names every bad variable with its rule. */
class ConfigError extends Error {
  override readonly name = 'ConfigError';
  constructor(readonly problems: readonly BadSetting[]) {
    super(
      `The configuration has ${problems.length === 1 ? 'a bad setting' : `${problems.length} bad settings`}:\n${problems
        .map(({ name, problem }) => `  ${name}: ${problem}`)
        .join('\n')}`,
    );
  }
}

/** A variable that a process reads, and what holds when it isn't set. */
export interface ReadVariable {
  readonly variable: Variable<unknown>;
  readonly fallback: unknown;
  /** Whether it is a chain's, so that its name may end with a chain's id. */
  readonly ofChain: boolean;
}

/** The chain whose settings are read. */
interface ReadChain {
  /** Undefined where the environment doesn't say which, or badly: then what is set is judged all the same. */
  readonly id: number | undefined;
  /** Whether the process follows no other. */
  readonly alone: boolean;
}

/** Where a variable's value stands; `text` is empty where it isn't set. */
interface Found {
  readonly name: string;
  readonly text: string;
  /** Whether it holds for several chains. */
  readonly isShared: boolean;
}

/** Reads variables from an environment, collects what is bad, and tells all of it at once. */
export class EnvReader {
  /** @param reads everything that was read so far, in order. */
  constructor(
    private readonly env: Readonly<Record<string, string | undefined>>,
    private readonly chain: ReadChain | null = null,
    readonly reads: ReadVariable[] = [],
    private readonly problems: BadSetting[] = [],
  ) {}

  /** Reads settings of one chain, where `NAME_137` goes before `NAME`, which holds for all chains of the process. */
  ofChain(chain: ReadChain): EnvReader {
    return new EnvReader(this.env, chain, this.reads, this.problems);
  }

  /** The variable's value, or undefined when it isn't set (or bad: then `finish` throws). */
  optional<T>(variable: Variable<T>, fallback?: T): T | undefined {
    this.reads.push({ variable, fallback, ofChain: this.chain !== null });
    const { name, text, isShared } = this.find(variable);
    if (!text) return undefined;
    let value: T | undefined;
    try {
      value = variable.parse(text);
    } catch (error) {
      const errors = error instanceof AggregateError ? error.errors : [error];
      for (const { message } of errors as Error[]) this.reject(name, message);
      return undefined;
    }
    if (value === undefined) {
      const shown = variable.secret ? 'its value' : JSON.stringify(text.slice(0, 80));
      this.reject(name, `must be ${variable.rule}; ${shown} is not`);
    } else if (isShared && variable.fitsOneChain?.(value)) {
      this.reject(name, `fits one chain only: with several in CHAINS, set ${name}_<chain id>`);
    }
    return value;
  }

  /** The variable's value or the default. */
  withDefault<T>(variable: Variable<T>, fallback: T): T {
    return this.optional(variable, fallback) ?? fallback;
  }

  /** The variable's value; missing is bad unless `fallback` has one. */
  required<T>(variable: Variable<T>, fallback?: T): T {
    const value = this.optional(variable, fallback) ?? fallback;
    if (value === undefined && !this.isSet(variable)) {
      const name = this.chain?.alone === false ? this.ownName(variable.name) : variable.name;
      this.reject(name, `is required: ${variable.rule}`);
    }
    return value as T;
  }

  isSet(variable: Variable<unknown>): boolean {
    return Boolean(this.find(variable).text);
  }

  /** Whether the variable is set to what can't be read. */
  isBad(variable: Variable<unknown>): boolean {
    const { text } = this.find(variable);
    try {
      return text !== '' && variable.parse(text) === undefined;
    } catch {
      return true;
    }
  }

  /** The name under which the variable is set, or would be. */
  placeOf(variable: Variable<unknown>): string {
    return this.find(variable).name;
  }

  reject(name: string, problem: string): void {
    // several chains read the variables that they share
    if (this.problems.some((known) => known.name === name && known.problem === problem)) return;
    this.problems.push({ name, problem });
  }

  /** Rejects what is set for chains other than these: a setting that nobody reads is an error of whoever wrote it. */
  rejectOtherChains(ids: readonly number[]): void {
    const ofChain = this.reads.filter((read) => read.ofChain).map(({ variable }) => variable);
    const names = new Set(ofChain.flatMap(({ name, alias = name }) => [name, alias]));
    const known = new Set(ids.map(String));
    for (const [name, text] of Object.entries(this.env)) {
      const suffixed = /^(.+)_(\d+)$/.exec(name);
      if (!suffixed || !text?.trim()) continue;
      const [, base, id] = suffixed;
      if (names.has(base!) && !known.has(id!))
        this.reject(name, `chain ${id} is not in CHAINS (${ids.join(', ')})`);
    }
  }

  /** @throws ConfigError when any variable was bad. */
  finish<T extends object>(config: T): Readonly<T> {
    if (this.problems.length) throw new ConfigError(this.problems);
    return Object.freeze(config);
  }

  /** Where a variable is set: under the chain's own name first. */
  private find({ name, alias }: Variable<unknown>): Found {
    const names = alias === undefined ? [name] : [name, alias];
    const several = this.chain?.alone === false;
    const places = [
      ...names.map((n) => ({ name: this.ownName(n), isShared: false })),
      ...names.map((n) => ({ name: n, isShared: several })),
    ];
    const found = places.find((place) => this.env[place.name]?.trim());
    return found ? { ...found, text: this.env[found.name]!.trim() } : { name, text: '', isShared: several };
  }

  private ownName(name: string): string {
    return this.chain?.id === undefined ? name : `${name}_${this.chain.id}`;
  }
}

/** What a reading of settings asks for, in order. */
export function variablesReadBy(read: (env: EnvReader) => unknown): readonly ReadVariable[] {
  const reader = new EnvReader({});
  read(reader);
  return reader.reads;
}

/** A whole number within limits. */
export function wholeNumber(name: string, min: number, max: number, description: string): Variable<number> {
  return {
    name,
    description,
    rule: `a whole number from ${min} to ${max}`,
    parse: (text) => {
      const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
      return value >= min && value <= max ? value : undefined;
    },
  };
}

/** A number within limits, which may have decimals. */
export function decimal(name: string, min: number, max: number, description: string): Variable<number> {
  return {
    name,
    description,
    rule: `a number from ${min} to ${max}`,
    parse: (text) => {
      const value = /^\d{1,16}(\.\d{1,16})?$/.test(text) ? Number(text) : Number.NaN;
      return value >= min && value <= max ? value : undefined;
    },
  };
}

/** One of a few words. */
export function choice<T extends string>(
  name: string,
  choices: readonly T[],
  description: string,
): Variable<T> {
  return {
    name,
    description,
    rule: `one of ${choices.join(', ')}`,
    parse: (text) => choices.find((c) => c === text.toLowerCase()),
  };
}

/** Any text that a rule accepts. */
export function text(name: string, description: string): Variable<string> {
  return { name, description, rule: 'some text', parse: (value) => value };
}

/** A URL with one of these schemes; its value is never shown. */
export function url(name: string, schemes: readonly string[], description: string): Variable<string> {
  return {
    name,
    description,
    rule: `a URL that begins with ${schemes.map((s) => `${s}://`).join(' or ')}`,
    secret: true,
    parse: (value) => parseUrl(value, schemes),
  };
}

/** Comma-separated values, each by the same rule. */
export function listOf<T>(item: Omit<Variable<T>, 'fitsOneChain'>, rule: string): Variable<readonly T[]> {
  return {
    ...item,
    rule,
    parse: (value) => {
      const parts = value
        .split(',')
        .map((part) => part.trim())
        .filter(Boolean);
      const values = parts.map(item.parse).filter((v) => v !== undefined);
      return parts.length && values.length === parts.length ? values : undefined;
    },
  };
}

/** The URL as it was given, when it is one of these schemes with a host. */
function parseUrl(value: string, schemes: readonly string[]): string | undefined {
  if (!URL.canParse(value)) return undefined;
  const { protocol, host } = new URL(value);
  return host && schemes.includes(protocol.slice(0, -1)) ? value : undefined;
}
