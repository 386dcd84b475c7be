import '#libs/telemetry/node-version.js';
import { createLogger } from '#libs/telemetry/logger.js';
import { runProcess, untilStopped } from '#libs/telemetry/run-process.js';
import { SimulatedChain } from './chain.js';
import { Faults } from './faults.js';
import { BUNGEE_GATEWAY } from './further-contracts.js';
import { Miner } from './miner.js';
import { startDevchainServer } from './server.js';
import { devchainSettings } from './settings.js';
import { openChain, StateFile } from './state-file.js';

await runProcess(async (stop) => {
  const settings = devchainSettings(process.env);
  const { host, port, reorgEvery, stateFile, logLevel, chain: options } = settings;
  const logger = createLogger('devchain', logLevel);
  const chain = stateFile ? await openChain(stateFile, options) : SimulatedChain.create(options);
  const file = stateFile ? new StateFile(chain, stateFile, logger) : undefined;
  const server = await startDevchainServer({
    chain,
    host,
    port,
    faults: new Faults(options.seed, settings.faults),
  });
  await file?.save();
  chain.onChange(({ fork, head, replaced }) => {
    if (replaced > 0) logger.info({ fork, head, replaced }, 'reorg');
  });
  const miner = new Miner(chain, { reorgEvery });
  miner.start();
  const { chainId, head, blockTimeMs, address } = chain;
  const contracts = { socketGateway: address, bungeeGateway: BUNGEE_GATEWAY };
  logger.info(
    { chainId, head, blockTimeMs, ...contracts, url: server.url, wsUrl: server.wsUrl },
    'simulated chain is up',
  );
  await untilStopped(stop);
  miner.stop();
  await server.close();
  await file?.close();
});
