import type { Broker } from '#libs/broker/broker.js';
import { connectRabbit } from '#libs/broker/rabbit.js';
import type { ServiceConfig } from '#libs/config/config.js';
import { Database } from '#libs/database/database.js';
import { databaseProblem, untilMigrated } from '#libs/database/migrate.js';
import { HealthServer } from '#libs/telemetry/health-server.js';
import { createLogger, type Logger } from '#libs/telemetry/logger.js';
import { pause, runProcess, untilStopped, within } from '#libs/telemetry/run-process.js';

/** How long the work may finish what it has in hand once it is asked to stop: what hangs on a dead server must not hold the process up. */
const WORK_PATIENCE_MS = 4_000;

/** Each closing step gets this long: a server that hangs must not hold the process up. */
const CLOSE_PATIENCE_MS = 3_000;

/** What every long-running process works with; opened one by one, closed in reverse. */
export class Service {
  private broker: Broker | null = null;

  private constructor(
    readonly logger: Logger,
    readonly health: HealthServer,
    readonly database: Database,
    readonly stop: AbortSignal,
    private readonly config: ServiceConfig,
  ) {}

  /** Listens for health checks at once; the database is connected when it is first needed. */
  static async open(component: string, config: ServiceConfig, stop: AbortSignal): Promise<Service> {
    const logger = createLogger(component, config.logLevel);
    const health = await HealthServer.listen(config);
    logger.info(`health, readiness and metrics: ${health.url}`);
    const database = Database.open(config.databaseUrl, { statementTimeoutMs: config.queryTimeoutMs });
    health.check('postgres', () => databaseProblem(database));
    return new Service(logger, health, database, stop, config);
  }

  /**
   * Waits for the database's schema and for the broker.
   * @param name who connects, as the broker shows it.
   * @param options.needed false where readiness doesn't depend on the broker.
   * @throws BrokerUnavailable when waiting can't help (refused login, queues with other arguments); AbortError on `stop`.
   */
  async connectBroker(name: string, { needed = true } = {}): Promise<Broker> {
    const { config, logger, stop } = this;
    if (needed)
      this.health.check('rabbitmq', () =>
        this.broker?.connected ? null : `not connected, ${this.broker ? 'reconnecting' : 'connecting'}`,
      );
    await untilMigrated(this.database, logger, stop);
    const { rabbitmqUrl: url, queuePrefix: prefix } = config;
    const broker = await connectRabbit({ url, prefix, logger, name, signal: stop }).catch((error) => {
      stop.throwIfAborted();
      throw error;
    });
    this.broker = broker;
    return broker;
  }

  /** Closes what was opened, in reverse. */
  async close(): Promise<void> {
    const { broker, database, health, logger } = this;
    await Promise.all([
      inTime('RabbitMQ', () => broker?.close(), logger),
      inTime('Postgres', () => database.close(), logger),
    ]);
    await inTime('HTTP', () => health.close(), logger);
  }
}

async function inTime(what: string, close: () => Promise<void> | undefined, logger: Logger): Promise<void> {
  try {
    await within(CLOSE_PATIENCE_MS, 'no end', close);
  } catch (error) {
    logger.warn(`the connection to ${what} was not closed well: ${(error as Error).message}`);
  }
}

/**
 * Runs a long-running process: reads its settings, opens what every process works with, does its work, closes in reverse.
 * @param component name in the log.
 * @param read reads the settings. @param work returns when `service.stop` is aborted and everything of its own is stopped.
 */
export function runService<C extends ServiceConfig>(
  component: string,
  read: () => C,
  work: (config: C, service: Service) => Promise<void>,
): Promise<void> {
  return runProcess(async (stop) => {
    const config = read();
    const service = await Service.open(component, config, stop);
    try {
      const working = work(config, service).then(() => true);
      const late = untilStopped(stop)
        .then(() => pause(WORK_PATIENCE_MS))
        .then(() => false);
      if (!(await Promise.race([working, late])))
        service.logger.warn(
          `not finished ${WORK_PATIENCE_MS / 1_000} s after the signal: what is in hand is left`,
        );
    } finally {
      await service.close();
    }
  });
}
