import type { RpcError } from './rpc-error.js';

/** Successes in a row after which a range grows: a shrunken one should recover, but slowly. */
const SUCCESSES_TO_GROW = 5;

/** How many blocks one eth_getLogs may ask of an endpoint: between 1 and a maximum, learned from what it refuses. */
export class LogRange {
  private current: number;
  private successes = 0;

  /** @param max blocks per request at most (BATCH_SIZE). */
  constructor(private readonly max: number) {
    this.current = max;
  }

  /** Blocks to ask for. */
  get size(): number {
    return this.current;
  }

  /**
   * Takes note that a request was refused as too much: the limit that the error names if it is less than what was asked
   * (limits are meant inclusive), else half.
   * @param asked number of blocks of the refused request.
   */
  shrink(asked: number, error: RpcError): void {
    this.successes = 0;
    const limit = limitNamed(error.message);
    const next = limit !== null && limit < asked ? limit : Math.floor(asked / 2);
    this.current = Math.max(1, Math.min(this.current, next));
  }

  /** Takes note that a request of the full size was answered. */
  grow(asked: number): void {
    if (asked < this.current) return;
    this.successes++;
    if (this.successes < SUCCESSES_TO_GROW) return;
    this.successes = 0;
    this.current = Math.min(this.max, Math.ceil(this.current * 1.5));
  }
}

/** The limit of blocks that a refusal names; sentences with several numbers, or in results, name none that can be trusted. */
function limitNamed(message: string): number | null {
  const match =
    /(?:limited to (?:a |0 - )?|up to a |max(?:imum)? (?:block )?(?:range|allowed is|is set to)?:? ?|at most |ranges over |exceeds limit of |filter: |blocks is |blocks distance: |less than |greater than |size )([\d,]+)(k?)/i.exec(
      message,
    );
  if (!match || /results|logs returned|size exceeded/i.test(message)) return null;
  const value = Number(match[1]!.replaceAll(',', '')) * (match[2] ? 1_000 : 1);
  return value >= 1 ? value : null;
}
