import type { FaultKind } from '#apps/devchain/faults.js';
import { rpcFaultKinds } from './rpc-fault-rates.js';
import { attackKinds } from './schedule.js';
import type { Watch } from './watch.js';
import type { Role } from './world.js';

/** Most resident memory that a process of a role may have at any time; the API serves ten replays at once here. */
const MEMORY_CAP_BYTES = { fetcher: 300_000_000, worker: 400_000_000, api: 600_000_000 };
/** The last third of the run may need so much more than the middle third. */
const MEMORY_GROWTH = 1.2;
/**
 * From runs of this length on. In two minutes every process is killed anew before it is warm, and how long the oldest of each third has
 * lived decides: of 11 such runs on an idle machine, three "grew" (the most from 186 to 286 MB).
 */
const GROWTH_FROM_MINUTES = 6;

/** Transactions that took rows back, at least; while the faults last, several reorgs become one. */
export const REORGS = 5;

/** What happened in a run. */
export interface TortureReport
  extends Pick<Watch, 'longestStandstillMs' | 'longestStandstillTo' | 'recoveries' | 'memory'> {
  readonly seed: number;
  readonly minutes: number;
  /** What was found wrong. */
  readonly findings: readonly string[];
  /** Why the run doesn't count: what did not happen often enough. */
  readonly missing?: readonly string[];
  readonly attacks: ReadonlyMap<string, number>;
  readonly rpcFaults: ReadonlyMap<FaultKind, number>;
  readonly duringBackfill: { readonly attacks: number; readonly rpcFaults: number };
  readonly reorgsThatTouchedRows: number;
  readonly resumedElsewhere: number;
  /** Starts that were refused because an endpoint showed another chain. */
  readonly refusals: number;
  /** Rows that are in the chains, by event. */
  readonly rows: ReadonlyMap<string, number>;
  /** Pages that were read and followed from their `asOf`. */
  readonly pages: number;
  /** Begin and end of the faults, in ms of the monotonic clock. */
  readonly faultsFrom: number;
  readonly faultsTo: number;
  /** From the end of the faults until all was judged. */
  readonly calmMs: number;
}

/** How often each kind of fault must happen in a run of this length. */
export function leastOf(minutes: number): number {
  return minutes < 2 ? 1 : 3;
}

/** A run counts only if enough happened in it. @returns what did not. */
export function missingFor(report: TortureReport): string[] {
  const least = leastOf(report.minutes);
  const missing: string[] = [];
  const want = (what: string, found: number, wanted: number) => {
    if (found < wanted) missing.push(`${what}: ${found} of ${wanted}`);
  };
  for (const kind of attackKinds) want(kind, report.attacks.get(kind) ?? 0, least);
  for (const kind of rpcFaultKinds) want(`RPC ${kind}`, report.rpcFaults.get(kind) ?? 0, least);
  want('attacks during backfill', report.duringBackfill.attacks, 0.3 * total(report.attacks));
  want('RPC faults during backfill', report.duringBackfill.rpcFaults, 0.3 * total(report.rpcFaults));
  want('reorgs that touched rows', report.reorgsThatTouchedRows, REORGS);
  want('resumes on another API', report.resumedElsewhere, 10);
  want('rows', report.rows.get('SocketBridge') ?? 0, 10_000);
  // of the others as many as the history alone should have, and fewer by a third
  want('swaps', report.rows.get('SocketSwapTokens') ?? 0, 4_000);
  want('routes', report.rows.get('NewRouteAdded') ?? 0, 60);
  want('pages followed', report.pages, 2);
  return missing;
}

/** Memory beyond the bounds, in words. Processes grow for their first minute: a shorter run says nothing about growth. */
export function memoryFindings({ memory, minutes, faultsFrom, faultsTo }: TortureReport): string[] {
  const third = (faultsTo - faultsFrom) / 3;
  // the most, not the mean: processes are killed and grow up anew
  const most = (role: Role, from: number) => {
    const bytes = memory
      .filter((m) => m.role === role && m.at >= from && m.at < from + third)
      .map((m) => m.bytes);
    return bytes.length ? Math.max(...bytes) : null;
  };
  return [...new Set(memory.map((m) => m.role))].flatMap((role) => {
    const worst = Math.max(...memory.filter((m) => m.role === role).map((m) => m.bytes));
    const [middle, last] = [most(role, faultsFrom + third), most(role, faultsFrom + 2 * third)];
    return [
      ...(worst > MEMORY_CAP_BYTES[role] ? [`a ${role} took ${megabytes(worst)}`] : []),
      ...(minutes >= GROWTH_FROM_MINUTES && middle && last && last > MEMORY_GROWTH * middle
        ? [`${role}s grew from ${megabytes(middle)} to ${megabytes(last)}`]
        : []),
    ];
  });
}

/** The report for a reader. */
export function wordsOf(report: TortureReport): string {
  const { memory, recoveries, attacks, rpcFaults, duringBackfill } = report;
  const counts = (map: ReadonlyMap<string, number>) => [...map].map(([kind, n]) => `${kind} ${n}`).join(', ');
  const share = (part: number, all: number) => `${all ? Math.round((100 * part) / all) : 0} %`;
  const roles = [...new Set(memory.map((m) => m.role))];
  return [
    `seed ${report.seed}, ${report.minutes} min of faults, rows: ${counts(report.rows)}; ${seconds(report.calmMs)} until judged`,
    `attacks: ${total(attacks)} (${share(duringBackfill.attacks, total(attacks))} during backfill): ${counts(attacks)}`,
    `RPC faults: ${total(rpcFaults)} (${share(duringBackfill.rpcFaults, total(rpcFaults))} during backfill): ${counts(rpcFaults)}`,
    `reorgs that touched rows ${report.reorgsThatTouchedRows}, resumes on another API ${report.resumedElsewhere}, pages followed ${report.pages}, starts refused for a wrong chain ${report.refusals}`,
    `longest time without a commit ${seconds(report.longestStandstillMs)} (until ${seconds(report.longestStandstillTo - report.faultsFrom)} after the faults began)`,
    'recovery, from the end of the attack until the tips of that moment were stored (median, worst):',
    ...[...recoveries].map(([kind, ms]) => `  ${kind}: ${seconds(median(ms))}, ${seconds(Math.max(...ms))}`),
    `most memory: ${roles.map((role) => `${role} ${megabytes(Math.max(...memory.filter((m) => m.role === role).map((m) => m.bytes)))}`).join(', ')}`,
    ...(report.missing ?? []).map((what) => `DOESN'T COUNT, too few: ${what}`),
    ...report.findings.map((finding) => `WRONG: ${finding}`),
    report.findings.length ? 'failed' : 'missing 0, extra 0, duplicate 0, holes 0',
  ].join('\n');
}

/** All counts together. */
export function total(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((all, n) => all + n, 0);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;
const megabytes = (bytes: number) => `${Math.round(bytes / 1_000_000)} MB`;
