/** A named test: its file under test/, and its title without the titles of groups around it. */
export interface Killer {
  readonly file: string;
  readonly title: string;
}

/** One deliberate fault in the product. */
export interface Mutant {
  /** In words, what the faulty product does; unique. */
  readonly name: string;
  /** File from the root, the text in it that is replaced (it occurs exactly once), and by what. */
  readonly file: string;
  readonly search: string;
  readonly replace: string;
  /** Tests of which at least one must fail, by an assertion or in vain waiting. */
  readonly killers: readonly Killer[];
}

/** An invariant of ARCHITECTURE.md, I1 to I7, and the mutants that break it. */
export interface InvariantMutants {
  readonly invariant: string;
  readonly mutants: readonly Mutant[];
}

/** A killer by file and title. */
export function by(file: string, title: string): Killer {
  return { file: `test/${file}.test.ts`, title };
}
