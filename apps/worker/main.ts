import '#libs/telemetry/node-version.js';
import { workerConfig } from '#libs/config/config.js';
import { runService } from '#libs/service/service.js';
import { untilStopped } from '#libs/telemetry/run-process.js';
import { retainFeed } from './feed-retention.js';
import { Worker } from './worker.js';

await runService(
  'worker',
  () => workerConfig(process.env),
  async ({ stalledAfterMs, feedRetentionDays }, service) => {
    const { database, logger, health, stop } = service;
    const broker = await service.connectBroker('worker');
    const worker = await Worker.start({ database, broker, logger });
    const stopRetaining = retainFeed(service, feedRetentionDays);
    health.check('storing', () => worker.problem(stalledAfterMs));
    logger.info('storing what the queues bring');
    await untilStopped(stop);
    await Promise.all([worker.stop(), stopRetaining()]);
  },
);
