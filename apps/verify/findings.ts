import type { Difference } from '#libs/database/compare-rows.js';
import type { ProgressLine } from '#libs/telemetry/progress-line.js';

/** Differences that are told one by one; of all others only the number. */
const TOLD = 100;
/** Characters of a value in a difference. */
const VALUE_SHOWN = 80;

/** Tells what a verification finds: each difference at once, up to a bound, and counts of all. */
export class Findings {
  readonly counts = { missing: 0, extra: 0, different: 0 };
  private told = 0;

  constructor(
    private readonly out: NodeJS.WriteStream,
    private readonly progress: ProgressLine,
  ) {}

  get total(): number {
    const { missing, extra, different } = this.counts;
    return missing + extra + different;
  }

  add(difference: Difference): void {
    this.counts[difference.kind]++;
    this.told++;
    if (this.told <= TOLD) this.say(words(difference));
    if (this.told === TOLD + 1) this.say(`… more than ${TOLD} differences: the others are counted only`);
  }

  say(line: string): void {
    this.progress.clear();
    this.out.write(`${line}\n`);
  }
}

/** `missing    block 17 tx 0x… log 3 SocketBridge of 0x…: amount is 1, the chain says 2` */
function words({ kind, source, txHash, logIndex, blockNumber, columns }: Difference): string {
  const head = `${kind.padEnd(9)}  block ${blockNumber} tx ${txHash} log ${logIndex} ${source.event} of ${source.address}`;
  const values = columns.map(
    ({ name, stored, chain }) => `${name} is ${cut(stored)}, the chain says ${cut(chain)}`,
  );
  return values.length ? `${head}: ${values.join('; ')}` : head;
}

function cut(value: string): string {
  return value.length > VALUE_SHOWN ? `${value.slice(0, VALUE_SHOWN)}…` : value;
}
