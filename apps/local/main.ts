import '#libs/telemetry/node-version.js';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { startApi } from '#apps/api/server.js';
import { chainToFollow, followChains } from '#apps/fetcher/follow-chains.js';
import { retainFeed } from '#apps/worker/feed-retention.js';
import { Worker } from '#apps/worker/worker.js';
import type { Broker } from '#libs/broker/broker.js';
import { createInProcessBroker } from '#libs/broker/in-process.js';
import { connectRabbit } from '#libs/broker/rabbit.js';
import { localConfig } from '#libs/config/config.js';
import { wordsOf } from '#libs/database/adopt-fragments.js';
import { Database } from '#libs/database/database.js';
import { databaseProblem, migrate } from '#libs/database/migrate.js';
import { eventSyntax } from '#libs/events/event-syntax.js';
import { HealthServer } from '#libs/telemetry/health-server.js';
import { createLogger } from '#libs/telemetry/logger.js';
import { ProgressLine } from '#libs/telemetry/progress-line.js';
import { runProcess, untilStopped } from '#libs/telemetry/run-process.js';
import { demoChain, startDemoChain } from './demo-chain.js';
import { startEmbeddedPostgres } from './embedded-postgres.js';
import { showStatus } from './status-line.js';

await runProcess(async (stop) => {
  const config = localConfig(process.env, eventSyntax, demoChain);
  const logger = createLogger('event-monitor', config.logLevel);
  const dataDirectory = resolve(config.dataDirectory);
  mkdirSync(dataDirectory, { recursive: true });

  const postgres = config.databaseUrl
    ? null
    : await startEmbeddedPostgres({ dir: join(dataDirectory, 'postgres') });
  const url = config.databaseUrl ?? postgres!.url;
  const database = Database.open(url);
  await bringUpToDate(database, stop);
  const broker: Broker = config.rabbitmqUrl
    ? await connectRabbit({
        url: config.rabbitmqUrl,
        prefix: config.queuePrefix,
        logger,
        name: 'local',
        signal: stop,
      })
    : createInProcessBroker({ logger });
  const demo = config.ownChain && (await startDemoChain(dataDirectory, config.ownChain, logger));
  const chains = (demo ? [demo.config] : config.chains).map((chain) => chainToFollow(chain, logger));
  const worker = await Worker.start({ database, broker, logger });
  const stopRetaining = retainFeed({ database, logger }, config.feedRetentionDays);
  const http = await HealthServer.listen(config);
  http.check('postgres', () => databaseProblem(database));
  http.check('storing', () => worker.problem(config.stalledAfterMs));
  for (const { config: chain, condition } of chains)
    http.check(`chain ${chain.chainId}`, () => condition.problem);
  // a pool of its own: its reads have a time limit, migrations and the worker have none
  const reads = Database.open(url, { statementTimeoutMs: config.queryTimeoutMs });
  const api = await startApi({ ...config, database: reads, broker, logger, http });
  const names = chains.map(({ config: chain }) => chain.chainName).join(', ');
  process.stdout.write(banner(api.url, names, demo !== null, postgres?.dir ?? null));
  const ids = chains.map(({ config: chain }) => chain.chainId);
  const hideStatus = showStatus({ database, progress: api.progress }, ids, process.stdout);
  const fetching = followChains(chains, { database, broker, logger }, stop);

  await Promise.race([untilStopped(stop), fetching]);
  hideStatus();
  await Promise.all([api.close(), http.close()]);
  await fetching;
  await Promise.all([worker.stop(), stopRetaining()]);
  await broker.close();
  await demo?.close();
  await Promise.all([reads.close(), database.close()]);
  await postgres?.stop();
});

async function bringUpToDate(database: Database, stop: AbortSignal): Promise<void> {
  const line = new ProgressLine(process.stdout);
  const { adopted } = await migrate(database, (progress) => line.show(progress), stop);
  line.clear();
  for (const one of adopted) process.stdout.write(`  ${wordsOf(one)}\n`);
}

function banner(url: string, chains: string, demo: boolean, dataFolder: string | null): string {
  const lines = [
    '',
    `  Event Monitor follows ${chains}${demo ? ' (set CHAIN_ID or CHAINS for real ones)' : ''}`,
    '',
    `    Status            ${url}/status`,
    `    Query, subscribe  ${url}/graphql`,
    `    Data              ${dataFolder ? `kept in ${dataFolder}` : 'in your Postgres'}`,
    '',
    '  Ctrl-C stops everything.',
    '',
    '',
  ];
  return lines.join('\n');
}
