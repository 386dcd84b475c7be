import '#libs/telemetry/node-version.js';
import { connectRabbit } from '#libs/broker/rabbit.js';
import { fetcherConfig } from '#libs/config/config.js';
import { Database } from '#libs/database/database.js';
import { untilMigrated } from '#libs/database/migrate.js';
import { events } from '#libs/events/registry.js';
import { createLogger } from '#libs/telemetry/logger.js';
import { runProcess } from '#libs/telemetry/run-process.js';
import { followChain } from './fetcher.js';

await runProcess(async (stop) => {
  const config = fetcherConfig(
    process.env,
    events.map((event) => event.name),
  );
  const logger = createLogger('fetcher', config.logLevel);
  const database = Database.open(config.databaseUrl);
  await untilMigrated(database, (reason) => logger.info(reason), stop);
  const broker = await connectRabbit({
    url: config.rabbitmqUrl,
    prefix: config.queuePrefix,
    logger,
    name: `fetcher ${config.chainId}`,
    signal: stop,
  });
  await followChain({ config, database, broker, logger }, stop);
  await broker.close();
  await database.close();
});
