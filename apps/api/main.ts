import '#libs/telemetry/node-version.js';
import { connectRabbit } from '#libs/broker/rabbit.js';
import { apiConfig } from '#libs/config/config.js';
import { Database } from '#libs/database/database.js';
import { untilMigrated } from '#libs/database/migrate.js';
import { createLogger } from '#libs/telemetry/logger.js';
import { runProcess, untilStopped } from '#libs/telemetry/run-process.js';
import { startApi } from './server.js';

await runProcess(async (stop) => {
  const config = apiConfig(process.env);
  const logger = createLogger('api', config.logLevel);
  const database = Database.open(config.databaseUrl);
  await untilMigrated(database, (reason) => logger.info(reason), stop);
  const broker = await connectRabbit({
    url: config.rabbitmqUrl,
    prefix: config.queuePrefix,
    logger,
    name: 'api',
    signal: stop,
  });
  const api = await startApi({ ...config, database, broker, logger });
  logger.info(`${api.url} (status), ${api.url}/graphql (GraphiQL)`);
  await untilStopped(stop);
  await api.close();
  await broker.close();
  await database.close();
});
