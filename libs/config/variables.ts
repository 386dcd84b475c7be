/** One environment variable: what it means, what it must look like, and how it is read. */
export interface Variable<T> {
  readonly name: string;
  /** For people: what it does. */
  readonly description: string;
  /** For people: what a good value is, e.g. `a whole number from 1 to 65535`. */
  readonly rule: string;
  /** Whether its value must not be shown in messages (it may hold a password or a key). */
  readonly secret?: boolean;
  /** For people: what holds when it isn't set, where that depends on something else. */
  readonly unset?: string;
  /** The value, or undefined when the text breaks the rule. Texts come trimmed and are never empty. */
  readonly parse: (text: string) => T | undefined;
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
}

/** Reads variables from an environment, collects what is bad, and tells all of it at once. */
export class EnvReader {
  /** Everything that was read so far, in order. */
  readonly reads: ReadVariable[] = [];
  private readonly problems: BadSetting[] = [];

  constructor(private readonly env: Readonly<Record<string, string | undefined>>) {}

  /** The variable's value, or undefined when it isn't set (or bad: then `finish` throws). */
  optional<T>(variable: Variable<T>, fallback?: T): T | undefined {
    this.reads.push({ variable, fallback });
    const text = this.env[variable.name]?.trim();
    if (!text) return undefined;
    const value = variable.parse(text);
    if (value === undefined) {
      const shown = variable.secret ? 'its value' : JSON.stringify(text.slice(0, 80));
      this.reject(variable.name, `must be ${variable.rule}; ${shown} is not`);
    }
    return value;
  }

  /** The variable's value or the default. */
  withDefault<T>(variable: Variable<T>, fallback: T): T {
    return this.optional(variable, fallback) ?? fallback;
  }

  /** The variable's value; missing is bad unless `fallback` has one. */
  required<T>(variable: Variable<T>, fallback?: T): T {
    const set = this.env[variable.name]?.trim();
    const value = this.optional(variable, fallback) ?? fallback;
    if (value === undefined && !set) this.reject(variable.name, `is required: ${variable.rule}`);
    return value as T;
  }

  reject(name: string, problem: string): void {
    this.problems.push({ name, problem });
  }

  /** @throws ConfigError when any variable was bad. */
  finish<T extends object>(config: T): Readonly<T> {
    if (this.problems.length) throw new ConfigError(this.problems);
    return Object.freeze(config);
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
export function listOf<T>(item: Variable<T>, rule: string): Variable<readonly T[]> {
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
