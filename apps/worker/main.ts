import '#libs/telemetry/node-version.js';
import { workerConfig } from '#libs/config/config.js';
import { runService } from '#libs/service/service.js';
import { untilStopped } from '#libs/telemetry/run-process.js';
import { Worker } from './worker.js';

await runService(
  'worker',
  () => workerConfig(process.env),
  async ({ stalledAfterMs }, service) => {
    const { database, logger, health, stop } = service;
    const broker = await service.connectBroker('worker');
    const worker = await Worker.start({ database, broker, logger });
    health.check('storing', () => worker.problem(stalledAfterMs));
    logger.info('storing what the queues bring');
    await untilStopped(stop);
    await worker.stop();
  },
);
