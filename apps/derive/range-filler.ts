import type { Database } from '#libs/database/database.js';
import {
  type Derivation,
  type DerivationRange,
  finishRange,
  type UnderivedRow,
} from '#libs/database/derivation-plan.js';
import { differs, fillRows, type RowToDerive, rowsToDerive } from '#libs/database/derive-rows.js';
import type { RowKey } from '#libs/database/feed-log.js';
import { pause } from '#libs/telemetry/run-process.js';
import { type ChainParts, valuesFromChain } from './chain-answers.js';
import { valuesFromLogs } from './new-values.js';

/** Rows of a page: at first, and at most. */
const FIRST_PAGE = 1_000;
const LARGEST_PAGE = 5_000;
/** Characters of raw logs of a page, as far as the pages before let it be told. */
const PAGE_CHARACTERS = 16_000_000;
/** Times that a page is read again since rows of it were touched meanwhile. */
const ROUNDS = 5;

/** What fills ranges. */
export interface FillerParts extends Omit<ChainParts, 'client'> {
  readonly database: Database;
  readonly derivation: Derivation;
  /** Null where no column is from the chain. */
  readonly client: ChainParts['client'] | null;
  /** Part of its time that it works. */
  readonly share: number;
  /** Hears of rows as they are looked at. */
  readonly saw: (rows: number) => void;
}

/** What is left of a page. */
interface Left {
  readonly unreadable: readonly UnderivedRow[];
  readonly unanswered: number;
  /** Whether rows of it were touched again and again: it must be looked at once more, later. */
  readonly restless: boolean;
}

/** Fills the columns of the rows of a range, page by page. */
export class RangeFiller {
  private pageSize = FIRST_PAGE;
  private workedMs = 0;

  constructor(private readonly parts: FillerParts) {}

  /** Fills a range and notes that it is done; one that is restless is left to be claimed again. @throws RpcUnavailable, AbortError */
  async fill(range: DerivationRange): Promise<void> {
    const { database, derivation, stop, saw } = this.parts;
    const unreadable: UnderivedRow[] = [];
    let unanswered = 0;
    for (let after: RowKey | null = null; ; ) {
      const limit = this.pageSize;
      const rows: RowToDerive[] = await this.timed(() =>
        rowsToDerive(database.statements, derivation, range, { after, upTo: null, limit }),
      );
      stop.throwIfAborted();
      const left = await this.fillPage(range, rows, after);
      if (left.restless) return;
      unreadable.push(...left.unreadable);
      unanswered += left.unanswered;
      saw(rows.length);
      if (rows.length < limit) break;
      after = rows.at(-1)!.key;
      this.adaptPage(rows);
    }
    await finishRange(database, derivation, range, { unreadable, unanswered });
  }

  /** Fills a page; when rows were touched by a store meanwhile, it is read and filled once more. */
  private async fillPage(
    range: DerivationRange,
    read: readonly RowToDerive[],
    after: RowKey | null,
  ): Promise<Left> {
    const { database, derivation, client, stop } = this.parts;
    // others may have stored rows between: with a limit the last of the page would be left out
    const again = { after, upTo: read.at(-1)?.key ?? null, limit: null };
    let rows = read;
    for (let round = 1; ; round++) {
      const { derived, unreadable } = valuesFromLogs(derivation, rows);
      const answered = client
        ? await valuesFromChain(derivation, derived, { ...this.parts, client })
        : { derived, unanswered: 0 };
      const changed = answered.derived.filter((one) => differs(derivation, one));
      const filled = await fillRows(database.statements, derivation, range, changed, (ms) => this.rest(ms));
      const restless = filled < changed.length;
      if (!restless || round === ROUNDS) return { unreadable, unanswered: answered.unanswered, restless };
      stop.throwIfAborted();
      rows = await rowsToDerive(database.statements, derivation, range, again);
    }
  }

  /** Long logs make short pages. */
  private adaptPage(rows: readonly RowToDerive[]): void {
    const characters = rows.reduce((sum, row) => sum + (row.log?.data.length ?? 0), 0);
    const fitting = Math.floor((PAGE_CHARACTERS / (characters + 1)) * rows.length);
    this.pageSize = Math.max(1, Math.min(LARGEST_PAGE, fitting));
  }

  private async timed<T>(work: () => Promise<T>): Promise<T> {
    const begun = performance.now();
    const result = await work();
    await this.rest(performance.now() - begun);
    return result;
  }

  /** Leaves the database to others for the rest of the time that so much work is the share of. */
  private async rest(workedMs: number): Promise<void> {
    const { share, stop } = this.parts;
    this.workedMs += workedMs;
    const due = (this.workedMs * (1 - share)) / share;
    // timers don't know less
    if (due < 2) return;
    this.workedMs = 0;
    await pause(due, stop);
  }
}
