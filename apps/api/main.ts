import '#libs/telemetry/node-version.js';
import { apiConfig } from '#libs/config/config.js';
import { runService } from '#libs/service/service.js';
import { untilStopped } from '#libs/telemetry/run-process.js';
import { startApi } from './server.js';

await runService(
  'api',
  () => apiConfig(process.env),
  async (config, service) => {
    const { database, logger, health, stop } = service;
    // without the broker the feed looks once a second: no reason to keep clients waiting for it
    const broker = service.connectBroker('api', { needed: false });
    const api = await startApi({ ...config, database, broker, logger, http: health });
    logger.info(`${health.url} (status), ${health.url}/graphql (GraphiQL)`);
    // a broker that refuses us is the operator's to mend, and ends the process
    await Promise.race([untilStopped(stop), broker.then(() => untilStopped(stop))]);
    await api.close();
  },
);
