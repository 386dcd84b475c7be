/** The sources of the model's chain, in the order of their locks. */
export const SOURCES = ['A', 'B'] as const;
export type Source = (typeof SOURCES)[number];

/** First block that is wanted. */
export const START = 1;

export interface Log {
  /** Transaction and index, e.g. `t7.0`: what identifies it, also when a reorg moves it. */
  readonly key: string;
  readonly source: Source;
  /** Its content; the filtered subscriber doesn't want 1. */
  readonly value: number;
  readonly number: number;
  readonly hash: string;
}

export interface Block {
  readonly number: number;
  /** Height and a letter, e.g. `12b`. */
  readonly hash: string;
  readonly parent: string | null;
  readonly logs: readonly Log[];
}

export interface Advance {
  readonly kind: 'advance';
  readonly term: number;
  readonly seq: number;
  readonly above: number;
  readonly sources: readonly Source[];
  readonly blocks: readonly Block[];
}

export interface Finality {
  readonly kind: 'finality';
  readonly term: number;
  readonly seq: number;
  readonly number: number;
  readonly hash: string;
}

export type News = Advance | Finality;

export interface Final {
  readonly kind: 'final';
  readonly sources: readonly Source[];
  readonly from: number;
  readonly to: number;
  readonly logs: readonly Log[];
}

export type Statement = News | Final;

/** Heights [from, to], none when `to` lies below `from`. */
export function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i);
}

/** A statement in one line, for the trace. */
export function textOf(statement: Statement): string {
  if (statement.kind === 'final') {
    const logs = statement.logs.map((log) => `${log.key}@${log.hash}`);
    return `final[${statement.from}..${statement.to}] ${statement.sources} {${logs}}`;
  }
  const place = `${statement.term}/${statement.seq}`;
  if (statement.kind === 'finality') return `${place} finality(${statement.hash})`;
  return `${place} advance>${statement.above} ${statement.sources} ${blocksText(statement.blocks)}`;
}

export function blocksText(blocks: readonly Block[]): string {
  return blocks.map((b) => `${b.hash}{${b.logs.map((l) => l.key + l.source + l.value)}}`).join(' ');
}
