import '#libs/telemetry/node-version.js';
import { fetcherConfig } from '#libs/config/config.js';
import { eventSyntax } from '#libs/events/event-syntax.js';
import { runService } from '#libs/service/service.js';
import { chainToFollow, followChains } from './follow-chains.js';

await runService(
  'fetcher',
  () => fetcherConfig(process.env, eventSyntax),
  async (config, service) => {
    const { database, logger, health, stop } = service;
    const chains = config.chains.map((chain) => chainToFollow(chain, logger));
    const ids = config.chains.map(({ chainId }) => chainId);
    for (const { config: chain, condition } of chains)
      health.check(`chain ${chain.chainId}`, () => condition.problem);
    const broker = await service.connectBroker(`fetcher ${ids.join(', ')}`);
    await followChains(chains, { database, broker, logger }, stop);
  },
);
