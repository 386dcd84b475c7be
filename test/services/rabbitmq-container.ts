import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { whenOrphaned } from '#apps/local/owned-process.js';
import { freePort, type RabbitMqNode, SMALL_ERLANG, untilReady } from './rabbitmq-node.js';

/** The image of docker-compose.yml: what the tests prove holds for it. */
const IMAGE = 'rabbitmq:4-management';

/** The first use of an image fetches it. */
const RUN_PATIENCE_MS = 300_000;

const run = promisify(execFile);

/**
 * Starts a private RabbitMQ in a container, on a free port of 127.0.0.1. It ends with this process, whatever ends that.
 * @throws Error when Docker doesn't answer, or with the container's last output when the broker doesn't come up.
 */
export async function startContainer(): Promise<RabbitMqNode> {
  await run('docker', ['info'], { timeout: 10_000 });
  // a port that Docker picks would be another one after a restart
  const port = await freePort();
  const options = ['-p', `127.0.0.1:${port}:5672`, '--hostname', 'rabbitmq', '-e', erlangArguments];
  const { stdout } = await run('docker', ['run', '-d', ...options, IMAGE], { timeout: RUN_PATIENCE_MS });
  const container = stdout.trim();
  const release = whenOrphaned(`docker rm -f -v ${container}`);
  const remove = async () => {
    await run('docker', ['rm', '-f', '-v', container]);
    release();
  };
  try {
    await untilAnswers(container, port);
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    url: `amqp://guest:guest@127.0.0.1:${port}`,
    port,
    kill: () => docker('kill', '--signal', 'KILL', container),
    async restart() {
      await docker('start', container);
      await untilAnswers(container, port);
    },
    lastWords: () => lastWords(container),
    control: (...words) => docker('exec', container, 'rabbitmqctl', ...words),
    stop: remove,
  };
}

const erlangArguments = `RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=${SMALL_ERLANG}`;

async function untilAnswers(container: string, port: number): Promise<void> {
  try {
    await untilReady(port, docker('wait', container));
  } catch (error) {
    throw new Error(
      `RabbitMQ in a container ${(error as Error).message}. Its last words:\n${await lastWords(container)}`,
    );
  }
}

async function lastWords(container: string): Promise<string> {
  const { stdout, stderr } = await run('docker', ['logs', '--tail', '50', container]);
  return `${stdout}${stderr}`;
}

async function docker(...args: string[]): Promise<void> {
  await run('docker', args);
}
