import '#libs/telemetry/node-version.js';
import { createLogger, type Logger } from '#libs/telemetry/logger.js';
import { SimulatedChain } from './chain.js';
import { Miner } from './miner.js';
import { startDevchainServer } from './server.js';
import { type DevchainSettings, devchainSettings } from './settings.js';
import { openChain, StateFile } from './state-file.js';

async function run({ host, port, reorgEvery, stateFile, chain: options }: DevchainSettings, logger: Logger) {
  const chain = stateFile ? await openChain(stateFile, options) : SimulatedChain.create(options);
  const file = stateFile ? new StateFile(chain, stateFile, logger) : undefined;
  const server = await startDevchainServer({ chain, host, port });
  await file?.save();
  chain.onChange(({ fork, head, replaced }) => {
    if (replaced > 0) logger.info({ fork, head, replaced }, 'reorg');
  });
  const miner = new Miner(chain, { reorgEvery });
  miner.start();
  const { chainId, head, blockTimeMs } = chain;
  logger.info({ chainId, head, blockTimeMs, url: server.url, wsUrl: server.wsUrl }, 'simulated chain is up');
  await stopSignal();
  miner.stop();
  await server.close();
  await file?.close();
}

function stopSignal(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  process.once('SIGTERM', resolve);
  process.once('SIGINT', resolve);
  return promise;
}

try {
  const settings = devchainSettings(process.env);
  await run(settings, createLogger('devchain', settings.logLevel));
} catch (error) {
  process.stderr.write(`The simulated chain can't run: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
