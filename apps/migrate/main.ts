import '#libs/telemetry/node-version.js';
import { migrateConfig } from '#libs/config/config.js';
import { Database } from '#libs/database/database.js';
import { migrate } from '#libs/database/migrate.js';
import { createLogger } from '#libs/telemetry/logger.js';
import { runProcess } from '#libs/telemetry/run-process.js';

await runProcess(async () => {
  const config = migrateConfig(process.env);
  const logger = createLogger('migrate', config.logLevel);
  const database = Database.open(config.databaseUrl);
  const applied = await migrate(database);
  logger.info(applied.length ? `applied ${applied.join(', ')}` : 'the schema is up to date');
  await database.close();
});
