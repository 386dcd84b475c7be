import { type ChainClient, RpcUnavailable } from '#libs/chain/chain-client.js';
import { extentAbove, takeBackFinality } from '#libs/database/take-back-finality.js';
import { isKnownChain, type RecordedFinality, recordedFinality } from '#libs/database/verified.js';
import type { ChainCommandParts } from '#libs/service/chain-command.js';
import { exitCode } from '#libs/service/command.js';
import { ProgressLine } from '#libs/telemetry/progress-line.js';
import type { Request } from './arguments.js';
import { highestCommonBlock } from './common-block.js';

/** Mends a chain whose stored final block is not the chain's, or shows what that would do. @returns the exit code. @throws RpcUnavailable */
export async function repair(request: Request, { client, database }: ChainCommandParts, stop: AbortSignal) {
  const { chainId } = request;
  const progress = new ProgressLine(process.stderr);
  const say = (line: string) => {
    progress.clear();
    process.stdout.write(`${line}\n`);
  };
  const finality = await recordedFinality(database.statements, chainId);
  if (!finality) {
    const known = await isKnownChain(database.statements, chainId);
    say(
      known
        ? `chain ${chainId}: nothing is final yet, so there is nothing to repair`
        : `chain ${chainId} is not followed in this database`,
    );
    return known ? exitCode.well : exitCode.found;
  }
  const view = await viewsOf(client, finality);
  if (view.kind !== 'all have another') {
    say(`${view.words}: nothing is changed`);
    return view.kind === 'all have ours' ? exitCode.well : exitCode.found;
  }
  say(
    `block ${finality.number} is stored as final with hash ${finality.hash}; every endpoint shows ${view.hash}`,
  );
  const common = await highestCommonBlock({ chainId, client, database, progress, stop }, finality.number);
  const { rows, blocks } = await extentAbove(database.statements, chainId, common?.number ?? -1);
  say(
    common
      ? `the highest block with stored rows that the chain still has: ${common.number} (${common.hash})`
      : 'no stored row stands in a block that the chain still has',
  );
  const goal = common ? `finality goes back to block ${common.number}` : 'nothing is final any more';
  say(`${goal}, ${rows} rows above it are marked removed, ${blocks} blocks are fetched and stored again`);
  if (!request.yes) {
    say('nothing is changed yet: run it again with --yes to do so');
    return exitCode.found;
  }
  const done = await takeBackFinality(database, { chainId, from: finality, to: common });
  if (!done) {
    say('another block has been recorded as final meanwhile: nothing is changed, run it again');
    return exitCode.found;
  }
  say(
    `done: ${done.removed} rows marked removed. The chain's fetcher takes a new term by itself within a minute and stores what the chain has now`,
  );
  return exitCode.well;
}

type View =
  | { readonly kind: 'all have another'; readonly hash: string }
  | { readonly kind: 'all have ours' | 'unclear'; readonly words: string };

/** What the endpoints show at recorded finality: only if all that answer show one other block, the chain has changed. */
async function viewsOf(client: ChainClient, { number, hash }: RecordedFinality): Promise<View> {
  const answers = await client.askAll(async (endpoint) => (await endpoint.headersAt([number]))[0]!.hash);
  const failures = answers.flatMap((answer) => (answer.error ? [answer.error] : []));
  if (failures.length === answers.length) throw new RpcUnavailable(failures);
  const shown = answers.filter((answer) => !answer.error);
  const hashes = new Set(shown.map((answer) => answer.answer!));
  if (hashes.size > 1) {
    const each = shown.map((answer) => `${answer.host} shows ${answer.answer}`).join('; ');
    return {
      kind: 'unclear',
      words: `the endpoints disagree about block ${number} (stored: ${hash}): ${each}. Mend RPC_URLS`,
    };
  }
  const [other] = hashes;
  if (other === hash)
    return { kind: 'all have ours', words: `block ${number}, which is stored as final, is in the chain` };
  return { kind: 'all have another', hash: other! };
}
