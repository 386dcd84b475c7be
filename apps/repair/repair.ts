import { type ChainClient, RpcUnavailable } from '#libs/chain/chain-client.js';
import { chainStatuses } from '#libs/database/chain-status.js';
import type { Database } from '#libs/database/database.js';
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
  const found = await diagnose(chainId, client, database);
  say(found.words);
  if (!found.finality) return found.isWell ? exitCode.well : exitCode.found;
  const { finality } = found;
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
  say(
    done
      ? `done: ${done.removed} rows marked removed. The chain's fetcher takes a new term by itself within a minute and stores what the chain has now`
      : 'another block has been recorded as final meanwhile: nothing is changed, run it again',
  );
  return done ? exitCode.well : exitCode.found;
}

/** What is the matter with the chain, in words; `finality` is there only if it is to be taken back. */
type Diagnosis =
  | { readonly words: string; readonly finality: RecordedFinality }
  | { readonly words: string; readonly finality: null; readonly isWell: boolean };

async function diagnose(chainId: number, client: ChainClient, database: Database): Promise<Diagnosis> {
  const finality = await recordedFinality(database.statements, chainId);
  if (!finality) {
    const isWell = await isKnownChain(database.statements, chainId);
    const words = isWell
      ? 'nothing is final yet, so there is nothing to repair'
      : 'it is not followed in this database';
    return { words: `chain ${chainId}: ${words}`, finality: null, isWell };
  }
  const status = (await chainStatuses(database.statements)).find((chain) => chain.chainId === chainId)!;
  if (status.leader === null || status.state === 'halted') return compare(client, finality);
  // an RPC of a fork, given by mistake, must not undo a chain that is well
  const words = `chain ${chainId} is not halted but ${status.state}: its fetcher's endpoints don't say that block ${finality.number} is another. Nothing is changed`;
  return { words, finality: null, isWell: status.state === 'following' };
}

/** Only if all endpoints that answer show one other block at recorded finality, the chain has changed. */
async function compare(client: ChainClient, finality: RecordedFinality): Promise<Diagnosis> {
  const { number, hash } = finality;
  const answers = await client.askAll(async (endpoint) => (await endpoint.headersAt([number]))[0]!.hash);
  const failures = answers.flatMap((answer) => (answer.error ? [answer.error] : []));
  if (failures.length === answers.length) throw new RpcUnavailable(failures);
  const shown = answers.filter((answer) => !answer.error);
  const hashes = new Set(shown.map((answer) => answer.answer!));
  if (hashes.size > 1) {
    const each = shown.map((answer) => `${answer.host} shows ${answer.answer}`).join('; ');
    const words = `the endpoints disagree about block ${number} (stored: ${hash}): ${each}. Mend RPC_URLS: nothing is changed`;
    return { words, finality: null, isWell: false };
  }
  const [other] = hashes;
  if (other === hash) {
    const words = `block ${number}, which is stored as final, is in the chain: nothing is changed`;
    return { words, finality: null, isWell: true };
  }
  const words = `block ${number} is stored as final with hash ${hash}; every endpoint that answers shows ${other}`;
  return { words, finality };
}
