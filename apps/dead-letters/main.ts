import '#libs/telemetry/node-version.js';
import { connectRabbit } from '#libs/broker/rabbit.js';
import { deadLettersConfig } from '#libs/config/config.js';
import { exitCode, runCommand } from '#libs/service/command.js';
import { createLogger } from '#libs/telemetry/logger.js';
import { requestOf } from './arguments.js';
import { listLetters, replayLetters, showLetter } from './letters.js';

/** A command doesn't wait for a broker that may be down for hours. */
const PATIENCE_MS = 15_000;

await runCommand(async (stop) => {
  const request = requestOf(process.argv.slice(2));
  const config = deadLettersConfig(process.env);
  const broker = await connectRabbit({
    url: config.rabbitmqUrl,
    prefix: config.queuePrefix,
    logger: createLogger('dead-letters', config.logLevel, 'stderr'),
    name: 'dead-letters',
    signal: AbortSignal.any([stop, AbortSignal.timeout(PATIENCE_MS)]),
  });
  try {
    const said =
      request.kind === 'list'
        ? await listLetters(broker)
        : request.kind === 'show'
          ? await showLetter(broker, request.which)
          : await replayLetters(broker, request.which);
    process.stdout.write(`${said ?? `there is no dead letter ${'which' in request ? request.which : ''}`}\n`);
    return said === null ? exitCode.found : exitCode.well;
  } finally {
    await broker.close();
  }
});
