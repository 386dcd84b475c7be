import '#libs/telemetry/node-version.js';
import { connectRabbit } from '#libs/broker/rabbit.js';
import { workerConfig } from '#libs/config/config.js';
import { Database } from '#libs/database/database.js';
import { untilMigrated } from '#libs/database/migrate.js';
import { createLogger } from '#libs/telemetry/logger.js';
import { runProcess, untilStopped } from '#libs/telemetry/run-process.js';
import { Worker } from './worker.js';

await runProcess(async (stop) => {
  const config = workerConfig(process.env);
  const logger = createLogger('worker', config.logLevel);
  const database = Database.open(config.databaseUrl);
  await untilMigrated(database, (reason) => logger.info(reason), stop);
  const broker = await connectRabbit({
    url: config.rabbitmqUrl,
    prefix: config.queuePrefix,
    logger,
    name: 'worker',
    signal: stop,
  });
  const worker = await Worker.start({ database, broker, logger });
  logger.info('storing what the queues bring');
  await untilStopped(stop);
  await worker.stop();
  await broker.close();
  await database.close();
});
