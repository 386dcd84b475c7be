import { join } from 'node:path';
import { BUNGEE_GATEWAY } from '#apps/devchain/further-contracts.js';
import { Miner } from '#apps/devchain/miner.js';
import { startDevchainServer } from '#apps/devchain/server.js';
import { SOCKET_GATEWAY } from '#apps/devchain/socket-gateway.js';
import { openChain, StateFile } from '#apps/devchain/state-file.js';
import { type ChainConfig, defaultStallPatience } from '#libs/config/chain-config.js';
import type { ConfiguredSource, Contract } from '#libs/config/chain-sources.js';
import { requestExtracted } from '#libs/events/request-extracted/event.js';
import type { Logger } from '#libs/telemetry/logger.js';

const CHAIN_ID = 1337;
/** Whose events it emits: SocketGateway's, and those of BungeeGateway. */
export const demoContracts: readonly Contract[] = [
  { address: SOCKET_GATEWAY, event: null },
  { address: BUNGEE_GATEWAY, event: requestExtracted.name },
];
/** Blocks that are there when the demo starts for the first time: some seconds of history to watch. */
const HISTORY = 20_000;
const BLOCK_TIME_MS = 1_000;
/** Mean blocks between reorgs: about one a minute. */
const REORG_EVERY = 60;
const FINALITY_DEPTH = 20;

/** A running simulated chain, and how to follow it. */
export interface DemoChain {
  readonly config: ChainConfig;
  close(): Promise<void>;
}

/** Starts the simulated chain of the demo; a restart continues the same chain, since the monitor has stored its final blocks. */
export async function startDemoChain(
  dataDirectory: string,
  sources: readonly ConfiguredSource[],
  logger: Logger,
): Promise<DemoChain> {
  const stateFile = join(dataDirectory, 'devchain.json');
  const chain = await openChain(stateFile, {
    seed: 'demo',
    chainId: CHAIN_ID,
    head: HISTORY,
    blockTimeMs: BLOCK_TIME_MS,
    finalityDepth: FINALITY_DEPTH,
  });
  const file = new StateFile(chain, stateFile, logger);
  const server = await startDevchainServer({ chain });
  await file.save();
  const miner = new Miner(chain, { reorgEvery: REORG_EVERY });
  miner.start();
  return {
    config: {
      chainId: CHAIN_ID,
      chainName: 'Simulated chain',
      rpcUrls: [server.url, server.wsUrl],
      sources,
      startBlock: 1,
      rpcMaxRps: null,
      batchSize: 1_000,
      pollingIntervalMs: BLOCK_TIME_MS / 2,
      confirmations: null,
      fallbackConfirmations: FINALITY_DEPTH,
      bloomProvesAbsence: true,
      ...defaultStallPatience,
    },
    async close() {
      miner.stop();
      await server.close();
      await file.close();
    },
  };
}
