import { execFile } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import amqp from 'amqplib';
import { urlHost } from '#libs/telemetry/redact.js';
import { startContainer } from './rabbitmq-container.js';
import { findRabbitMq, type RabbitMqNode, startMachineNode } from './rabbitmq-node.js';

export type { RabbitMqNode } from './rabbitmq-node.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** A broker for the whole run; tests keep apart by prefix. */
    rabbitmqUrl: string;
  }
}

const run = promisify(execFile);

/** How long the broker of RABBITMQ_URL has to answer. */
const GIVEN_BROKER_PATIENCE_MS = 5_000;

/** Debian asks this script whether an installed service may start; 101 means no. */
const SERVICE_POLICY = '/usr/sbin/policy-rc.d';

/** A broker for a whole test run. Tests keep apart by queue prefix; whoever owns the broker may have queues of their own in it. */
interface ProvidedRabbitMq {
  readonly url: string;
  stop(): Promise<void>;
}

/** Ways to a broker of the tests' own, the best one first. Each throws an Error when it isn't open on this machine. */
const WAYS: Readonly<Record<string, () => Promise<RabbitMqNode>>> = {
  machine: startMachineNode,
  docker: startContainer,
  package: fromPackage,
};

/**
 * A broker for the run: the one of RABBITMQ_URL, else one of its own as `startRabbitMq`. The broker's default port may be taken.
 * @throws Error that says what was tried and what to do.
 */
export async function provideRabbitMq(env: NodeJS.ProcessEnv = process.env): Promise<ProvidedRabbitMq> {
  const url = env.RABBITMQ_URL;
  if (!url) return startRabbitMq(env);
  try {
    const connection = await amqp.connect(url, { timeout: GIVEN_BROKER_PATIENCE_MS });
    await connection.close();
  } catch (error) {
    throw new Error(
      `RABBITMQ_URL is set, but no broker can be used at ${urlHost(url)}: ${reasonOf(error)}. ` +
        'Start that broker, correct the variable, or unset it: the tests then find one by themselves.',
    );
  }
  return { url, stop: async () => {} };
}

/**
 * A broker that a test may kill: a rabbitmq-server of this machine as a private node, else a container, else (root on Debian or
 * Ubuntu) the package is installed first. TEST_RABBITMQ (machine, docker or package) allows one of these only.
 * @throws Error that says what was tried and what to do.
 */
export async function startRabbitMq(env: NodeJS.ProcessEnv = process.env): Promise<RabbitMqNode> {
  const only = env.TEST_RABBITMQ;
  if (only && !WAYS[only]) {
    throw new Error(`TEST_RABBITMQ must be one of ${Object.keys(WAYS).join(', ')}; "${only}" is not`);
  }
  const tried: string[] = [];
  for (const [name, way] of Object.entries(WAYS)) {
    if (only && name !== only) continue;
    try {
      return await way();
    } catch (error) {
      tried.push(`${name}: ${reasonOf(error)}`);
    }
  }
  throw new Error(
    `The tests need a RabbitMQ (3.10 or newer) that they may stop and start:\n${tried.map((line) => `  - ${line}`).join('\n')}\n` +
      'Install rabbitmq-server or start Docker. With RABBITMQ_URL set, only test/broker-recovery.test.ts and test/pipeline-outages.test.ts need this.',
  );
}

async function fromPackage(): Promise<RabbitMqNode> {
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) {
    throw new Error('rabbitmq-server can be installed by root on Debian and Ubuntu only');
  }
  if (!findRabbitMq()) await installPackage();
  return startMachineNode();
}

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

/** The last line that a failed command wrote, else the error's words. */
function reasonOf(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message: string };
  return stderr?.trim().split('\n').at(-1) || message;
}
