import type { FeedPage, Ledger, Row } from './ledger.js';
import type { Rules } from './rules.js';
import type { World } from './world.js';

export type SubscriberKind = 'all' | 'filtered' | 'final';

/** A client of the live feed that folds what it is told, one page of a position at a time; its cursor is (position, row). */
export class Subscriber {
  /** What it knows, by key. */
  readonly known = new Map<string, Row>();
  private position = 0;
  private after: Row | null = null;

  constructor(
    readonly kind: SubscriberKind,
    private readonly rules: Rules,
    private readonly ledger: Ledger,
  ) {}

  /** Whether it wants a row of this content. */
  wants({ value }: { value: number }): boolean {
    return this.kind !== 'filtered' || value !== 1;
  }

  /** Reads a page. @returns null when there is nothing to read; else what is wrong with it, or ''. */
  async step(world: World, pageSize: number): Promise<string | null> {
    const entry = this.ledger.stored.feed.get(this.position + 1);
    if (!entry) return null;
    const page = await this.ledger.read(entry, this.kind === 'final', this.after, pageSize);
    const wrong = page.rows.map((row) => this.take(row, world)).find((reason) => reason) ?? '';
    this.moveBehind(page);
    return wrong;
  }

  private moveBehind(page: FeedPage): void {
    if (page.last) this.position++;
    this.after = page.last ? null : page.rows.at(-1)!;
  }

  private take(row: Row, world: World): string | null {
    if (this.kind === 'final' && this.known.has(row.key))
      return `finalized-only subscriber got ${row.key} twice`;
    if (this.kind === 'final' && !world.isFinal(row.number, row.hash))
      return `finalized-only subscriber got ${row.key}@${row.hash}, not final`;
    if (this.wants(row)) this.known.set(row.key, row);
    // an earlier version of it may have been wanted
    else if (this.rules.revision && row.revision > 0) this.known.set(row.key, { ...row, removed: true });
    return null;
  }
}
