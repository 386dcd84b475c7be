import '#libs/telemetry/node-version.js';
import { fetcherConfig } from '#libs/config/config.js';
import { events } from '#libs/events/registry.js';
import { runService } from '#libs/service/service.js';
import { ChainCondition } from './chain-condition.js';
import { followChain } from './fetcher.js';

await runService(
  'fetcher',
  () =>
    fetcherConfig(
      process.env,
      events.map((event) => event.name),
    ),
  async (config, service) => {
    const { database, logger, stop } = service;
    const ofChain = logger.child({ chainId: config.chainId });
    const condition = new ChainCondition(config.chainId, config, ofChain);
    service.health.check(`chain ${config.chainId}`, () => condition.problem);
    const broker = await service.connectBroker(`fetcher ${config.chainId}`);
    await followChain({ config, database, broker, logger, condition }, stop);
  },
);
