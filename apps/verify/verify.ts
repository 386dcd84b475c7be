import { RpcUnavailable } from '#libs/chain/chain-client.js';
import { chainStatuses } from '#libs/database/chain-status.js';
import { isKnownChain, recordedFinality } from '#libs/database/verified.js';
import type { ChainCommandParts } from '#libs/service/chain-command.js';
import { exitCode } from '#libs/service/command.js';
import { ProgressLine } from '#libs/telemetry/progress-line.js';
import type { Request } from './arguments.js';
import { Findings } from './findings.js';
import { blocksWithin, withRange } from './plan.js';
import { untilStored } from './storing.js';
import { comparableSources, type Ranges, Verification } from './verification.js';

/** Verifies, and repairs if that is asked for. @returns the exit code. @throws RpcUnavailable, AbortError */
export async function verify(request: Request, parts: ChainCommandParts, stop: AbortSignal) {
  const { chainId, from, repair } = request;
  const { client, database } = parts;
  const progress = new ProgressLine(process.stderr);
  const findings = new Findings(process.stdout, progress);
  const finality = await recordedFinality(database.statements, chainId);
  if (!finality) {
    const known = await isKnownChain(database.statements, chainId);
    findings.say(
      known ? `chain ${chainId}: nothing is final yet` : `chain ${chainId} is not followed in this database`,
    );
    return known ? exitCode.well : exitCode.found;
  }
  const to = Math.min(request.to ?? finality.number, finality.number);
  if (from > to) {
    findings.say(`nothing is compared: only block ${to} and what lies below it is final`);
    return exitCode.found;
  }
  const sources = await comparableSources(database, chainId);
  const { covered, wanted } = blocksWithin(sources, from, to);
  findings.say(
    `chain ${chainId}: blocks ${from} to ${to} (final: ${finality.number}), ${sources.length} sources`,
  );
  if (covered < wanted)
    findings.say(`${wanted - covered} blocks of them are not stored yet: they are passed over`);
  const verification = new Verification({ chainId, client, database, finality, findings, progress, stop });
  try {
    await verification.run(from, to, { repair });
    const { missing, extra, different } = findings.counts;
    findings.say(
      `${verification.rows} rows compared: ${missing} missing, ${extra} extra, ${different} different`,
    );
    const wrong = verification.repaired.size
      ? await afterRepair(verification, { ...parts, chainId, progress, findings, stop })
      : findings.total;
    await sayVerified(parts, chainId, findings);
    return wrong ? exitCode.found : exitCode.well;
  } catch (error) {
    if (error instanceof RpcUnavailable && error.failures.some(({ kind }) => kind === 'other_final_block'))
      findings.say(`if this RPC is right: npm run repair -- --chain ${chainId}`);
    throw error;
  } finally {
    progress.clear();
  }
}

/** Waits until what was repaired is stored again, and compares that once more. @returns the number of differences that are left. */
async function afterRepair(
  verification: Verification,
  parts: ChainCommandParts & {
    chainId: number;
    progress: ProgressLine;
    findings: Findings;
    stop: AbortSignal;
  },
): Promise<number> {
  const { findings, database, chainId, progress, stop } = parts;
  const ranges = new Map(verification.repaired);
  const before = findings.total;
  const blocks = [...ranges.values()].flat().reduce<Ranges>((all, range) => withRange(all, range), []);
  const count = blocks.reduce((sum, [a, b]) => sum + b - a, 0);
  findings.say(
    `${count} blocks left coverage: waiting until the chain's fetcher and the workers have stored them again`,
  );
  const reason = await untilStored({ database, chainId, ranges, progress, stop });
  if (reason) {
    findings.say(`not stored again yet: ${reason}. They will be as soon as it can go on; then verify again`);
    return before;
  }
  for (const [a, b] of blocks) await verification.run(a, b - 1, { repair: false });
  const left = findings.total - before;
  findings.say(
    left
      ? `stored again, and ${left} differences are left: the fetcher's RPC says otherwise than this one. Whose is right? Mend RPC_URLS, then verify again`
      : 'stored again, and equal to the chain',
  );
  return left + verification.left;
}

async function sayVerified(
  { database }: ChainCommandParts,
  chainId: number,
  findings: Findings,
): Promise<void> {
  const status = (await chainStatuses(database.statements)).find((chain) => chain.chainId === chainId);
  const followed = status?.sources.filter((source) => source.retiredAt === null) ?? [];
  for (const { address, event, verifiedBlock } of followed) {
    const words =
      verifiedBlock === null
        ? 'not verified from its start block on'
        : `verified through block ${verifiedBlock}`;
    findings.say(`${event} of ${address}: ${words}`);
  }
}
