import { execFile } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { whenOrphaned } from '#apps/local/owned-process.js';
import { findRabbitMq, startRabbitMq, untilReady } from './rabbitmq-node.js';

export { type RabbitMqNode, startRabbitMq } from './rabbitmq-node.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** A broker for the whole run; tests keep apart by prefix. */
    rabbitmqUrl: string;
  }
}

const run = promisify(execFile);

/** Debian asks this script whether an installed service may start; 101 means no. */
const SERVICE_POLICY = '/usr/sbin/policy-rc.d';

/** A broker for a whole test run. Tests keep apart by queue prefix; whoever owns the broker may have queues of their own in it. */
interface ProvidedRabbitMq {
  readonly url: string;
  stop(): Promise<void>;
}

/** A way to a broker: undefined when it isn't open on this machine, and why not in `tried`. */
type Way = (tried: string[]) => Promise<ProvidedRabbitMq | undefined>;

/**
 * Finds or makes a broker: RABBITMQ_URL, else a rabbitmq-server of this machine as a private node, else Docker, else (root on
 * Debian or Ubuntu) installs the package and starts a private node. The broker's default port may be taken.
 * @throws Error that says what was tried and what to do.
 */
export async function provideRabbitMq(): Promise<ProvidedRabbitMq> {
  const tried: string[] = [];
  const ways: Way[] = [fromEnvironment, fromMachine, fromDocker, fromPackage];
  for (const way of ways) {
    const broker = await way(tried);
    if (broker) return broker;
  }
  throw new Error(
    `The tests need a RabbitMQ (3.10 or newer), and none was found:\n${tried.map((line) => `  - ${line}`).join('\n')}\n` +
      'Do one of these: set RABBITMQ_URL to a broker that the tests may use (amqp://user:password@host:port); ' +
      'install rabbitmq-server; start Docker.',
  );
}

const fromEnvironment: Way = async (tried) => {
  const url = process.env.RABBITMQ_URL;
  if (url) return { url, stop: async () => {} };
  tried.push('RABBITMQ_URL is not set');
  return undefined;
};

const fromMachine: Way = async (tried) => {
  if (findRabbitMq()) return startRabbitMq();
  tried.push('no rabbitmq-server is installed');
  return undefined;
};

const fromDocker: Way = async (tried) => {
  try {
    await run('docker', ['info'], { timeout: 10_000 });
    const { stdout } = await run('docker', ['run', '-d', '--rm', '-p', '127.0.0.1:0:5672', 'rabbitmq:4'], {
      timeout: 300_000,
    });
    const container = stdout.trim();
    const release = whenOrphaned(`docker rm -f ${container}`);
    const remove = async () => {
      await run('docker', ['rm', '-f', container]);
      release();
    };
    return await containerBroker(container, remove);
  } catch (error) {
    tried.push(`Docker: ${reasonOf(error)}`);
    return undefined;
  }
};

async function containerBroker(container: string, stop: () => Promise<void>): Promise<ProvidedRabbitMq> {
  try {
    const { stdout } = await run('docker', ['port', container, '5672/tcp']);
    const port = Number(/:(\d+)\s*$/m.exec(stdout)?.[1]);
    await untilReady(port, run('docker', ['wait', container]).then(noop, noop));
    return { url: `amqp://guest:guest@127.0.0.1:${port}`, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

const fromPackage: Way = async (tried) => {
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) {
    tried.push('the package rabbitmq-server can be installed by root on Debian and Ubuntu only');
    return undefined;
  }
  try {
    await installPackage();
  } catch (error) {
    tried.push(`apt-get install rabbitmq-server: ${reasonOf(error)}`);
    return undefined;
  }
  return fromMachine(tried);
};

/** Installs rabbitmq-server without letting the package start its own service. */
async function installPackage(): Promise<void> {
  const ours = !existsSync(SERVICE_POLICY);
  if (ours) writeFileSync(SERVICE_POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  const options = { timeout: 600_000, env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } };
  try {
    await run('apt-get', ['update'], options);
    await run('apt-get', ['install', '-y', '--no-install-recommends', 'rabbitmq-server'], options);
  } finally {
    if (ours) rmSync(SERVICE_POLICY, { force: true });
  }
}

function noop(): void {}

/** The last line that a failed command wrote, else why it couldn't run. */
function reasonOf(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message: string };
  return stderr?.trim().split('\n').at(-1) || message.split('\n')[0]!;
}
