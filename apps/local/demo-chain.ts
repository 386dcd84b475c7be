import { join } from 'node:path';
import { BUNGEE_GATEWAY } from '#apps/devchain/further-contracts.js';
import { Miner } from '#apps/devchain/miner.js';
import { startDevchainServer } from '#apps/devchain/server.js';
import { SOCKET_GATEWAY } from '#apps/devchain/socket-gateway.js';
import { openChain, StateFile } from '#apps/devchain/state-file.js';
import type { ChainConfig, OwnChain } from '#libs/config/chain-config.js';
import { requestExtracted } from '#libs/events/request-extracted/event.js';
import type { Logger } from '#libs/telemetry/logger.js';

/** Emits SocketGateway's events, and those of BungeeGateway. */
export const demoChain: OwnChain = {
  id: 1337,
  name: 'Simulated chain',
  contracts: [
    { address: SOCKET_GATEWAY, event: null },
    { address: BUNGEE_GATEWAY, event: requestExtracted.name },
  ],
  startBlock: 1,
  blockTimeMs: 1_000,
  confirmations: 20,
  bloomProvesAbsence: true,
};

/** Blocks that are there when the demo starts for the first time: some seconds of history to watch. */
const HISTORY = 20_000;
/** Mean blocks between reorgs: about one a minute. */
const REORG_EVERY = 60;

/** A running simulated chain, and how to follow it. */
export interface DemoChain {
  readonly config: ChainConfig;
  close(): Promise<void>;
}

/** Starts the simulated chain of the demo; a restart continues the same chain, since the monitor has stored its final blocks. */
export async function startDemoChain(
  dataDirectory: string,
  config: ChainConfig,
  logger: Logger,
): Promise<DemoChain> {
  const stateFile = join(dataDirectory, 'devchain.json');
  const chain = await openChain(stateFile, {
    seed: 'demo',
    chainId: demoChain.id,
    head: HISTORY,
    blockTimeMs: demoChain.blockTimeMs,
    finalityDepth: demoChain.confirmations,
  });
  const file = new StateFile(chain, stateFile, logger);
  const server = await startDevchainServer({ chain });
  await file.save();
  const miner = new Miner(chain, { reorgEvery: REORG_EVERY });
  miner.start();
  return {
    config: { ...config, rpcUrls: [server.url, server.wsUrl] },
    async close() {
      miner.stop();
      await server.close();
      await file.close();
    },
  };
}
