import '#libs/telemetry/node-version.js';
import { migrateConfig } from '#libs/config/config.js';
import { wordsOf } from '#libs/database/adopt-fragments.js';
import { Database } from '#libs/database/database.js';
import { migrate } from '#libs/database/migrate.js';
import { exitCode } from '#libs/service/command.js';
import { createLogger } from '#libs/telemetry/logger.js';
import { ProgressLine } from '#libs/telemetry/progress-line.js';
import { runProcess } from '#libs/telemetry/run-process.js';

await runProcess(async (stop) => {
  const config = migrateConfig(process.env);
  const logger = createLogger('migrate', config.logLevel);
  const database = Database.open(config.databaseUrl);
  const line = new ProgressLine(process.stderr);
  try {
    const { migrations, adopted } = await migrate(database, (progress) => line.show(progress), stop);
    line.clear();
    logger.info(migrations.length ? `applied ${migrations.join(', ')}` : 'the schema is up to date');
    for (const one of adopted) logger.info(wordsOf(one));
    return exitCode.well;
  } catch (error) {
    line.clear();
    if (!stop.aborted) throw error;
    logger.warn('stopped before it was done: the next npm run migrate goes on where this one was');
    return exitCode.stopped;
  } finally {
    await database.close();
  }
});
