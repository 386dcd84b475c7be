import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { spawnOwned } from '#apps/local/owned-process.js';

/** A private broker, which a test may treat as it likes. */
export interface RabbitMqNode {
  readonly url: string;
  readonly port: number;
  /** As a power cut: nothing is flushed, the data stays. */
  kill(): Promise<void>;
  /** After `kill`: the same data on the same port. Resolves when the broker answers. */
  restart(): Promise<void>;
  /** What the broker said of late, to find out why a test failed. */
  lastWords(): Promise<string>;
  /** Runs rabbitmqctl on it. */
  control(...words: string[]): Promise<void>;
  /** Ends the broker and removes its data. */
  stop(): Promise<void>;
}

/** A cold start takes 5 to 11 s on two cores. */
const START_PATIENCE_MS = 90_000;

/** Two schedulers that don't spin: the tests need the cores too. */
export const SMALL_ERLANG = '+S 2:2 +sbwt none';

/** Where packages put the versioned scripts. Debian's /usr/sbin wrapper is no use: it insists on the user rabbitmq and /var/lib/rabbitmq. */
const SCRIPT_FOLDERS = [
  { parent: '/usr/lib/rabbitmq/lib', below: 'sbin' },
  { parent: '/opt', below: 'sbin' },
  { parent: '/opt/homebrew/Cellar/rabbitmq', below: 'sbin' },
  { parent: '/usr/local/Cellar/rabbitmq', below: 'sbin' },
];

/** Folder of `rabbitmq-server`, if the machine has one. */
export function findRabbitMq(): string | undefined {
  for (const { parent, below } of SCRIPT_FOLDERS) {
    for (const version of entries(parent).sort().reverse()) {
      const folder = join(parent, version, below);
      if (entries(folder).includes('rabbitmq-server')) return folder;
    }
  }
  return undefined;
}

/**
 * Starts the machine's RabbitMQ as a private node: own ports (127.0.0.1 only), data, cookie and epmd. It ends with this process,
 * whatever ends that.
 * @throws Error with the broker's last output when it doesn't come up.
 */
export async function startMachineNode(): Promise<RabbitMqNode> {
  const dir = mkdtempSync(join(tmpdir(), 'event-monitor-rabbitmq-'));
  const port = await freePort();
  let started = await startServer(dir, port);
  return {
    url: `amqp://guest:guest@127.0.0.1:${port}`,
    port,
    kill: () => started.end('SIGKILL'),
    async restart() {
      started = await startServer(dir, port);
    },
    lastWords: async () => started.output(),
    control: (...words) => started.control(words),
    async stop() {
      await started.end('SIGTERM');
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** What a started server is ended and controlled with. */
interface StartedServer {
  end(signal: NodeJS.Signals): Promise<void>;
  control(words: readonly string[]): Promise<void>;
  /** The last that it said. */
  output(): string;
}

/** Resolves when the broker answers. */
async function startServer(dir: string, port: number): Promise<StartedServer> {
  const scripts = findRabbitMq();
  if (!scripts) throw new Error('no rabbitmq-server is installed');
  const epmdPort = await freePort();
  const env = prepare(dir, { port, epmdPort, distPort: await freePort() });
  // an epmd of our own, in the foreground: RabbitMQ would start a detached one that outlives it
  const epmd = await spawnOwned('epmd', ['-port', String(epmdPort), '-address', '127.0.0.1'], { env });
  const server = await spawnOwned(join(scripts, 'rabbitmq-server'), [], { cwd: dir, env });
  const end = async (signal: NodeJS.Signals) => {
    await server.end(signal);
    await epmd.end('SIGKILL');
  };
  try {
    await untilReady(port, server.exited);
  } catch (error) {
    await end('SIGKILL');
    throw new Error(
      `RabbitMQ on 127.0.0.1:${port} ${(error as Error).message}. Its last words:\n${server.output()}`,
    );
  }
  const control = async (words: readonly string[]) => {
    await promisify(execFile)(join(scripts, 'rabbitmqctl'), words, { env });
  };
  return { end, control, output: server.output };
}

/** Resolves when an AMQP broker answers on 127.0.0.1:`port`; rejects when `gone` resolves first or after START_PATIENCE_MS. */
export async function untilReady(port: number, gone: Promise<void>): Promise<void> {
  let ended = false;
  void gone.then(() => {
    ended = true;
  });
  const deadline = Date.now() + START_PATIENCE_MS;
  while (!(await greets(port))) {
    if (ended) throw new Error('ended while it started');
    if (Date.now() > deadline) throw new Error(`didn't answer within ${START_PATIENCE_MS / 1000} s`);
    await delay(50);
  }
}

/** A broker that is ready answers the protocol header with a method frame (type 1: connection.start). */
function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const answer = (ready: boolean) => {
      socket.destroy();
      resolve(ready);
    };
    socket.setTimeout(1000, () => answer(false));
    socket.once('connect', () => socket.write(Buffer.from('AMQP\x00\x00\x09\x01', 'latin1')));
    socket.once('data', (bytes: Buffer) => answer(bytes[0] === 1));
    socket.once('error', () => answer(false));
    socket.once('close', () => answer(false));
  });
}

function prepare(
  dir: string,
  ports: { port: number; epmdPort: number; distPort: number },
): NodeJS.ProcessEnv {
  for (const folder of ['mnesia', 'log', 'home', 'schema', 'generated'])
    mkdirSync(join(dir, folder), { recursive: true });
  const conf = [
    `listeners.tcp.1 = 127.0.0.1:${ports.port}`,
    'log.console = true',
    'log.console.level = warning',
    'log.file = false',
    'vm_memory_high_watermark.absolute = 512MB',
    'disk_free_limit.absolute = 50MB',
  ];
  writeFileSync(join(dir, 'rabbitmq.conf'), `${conf.join('\n')}\n`);
  writeFileSync(join(dir, 'enabled_plugins'), '[].\n');
  const cookie = join(dir, 'home', '.erlang.cookie');
  rmSync(cookie, { force: true });
  writeFileSync(cookie, randomBytes(12).toString('hex').toUpperCase(), { mode: 0o400 });
  return {
    PATH: process.env.PATH,
    LANG: 'C.UTF-8',
    HOME: join(dir, 'home'),
    ERL_CRASH_DUMP: join(dir, 'erl_crash.dump'),
    ERL_EPMD_PORT: String(ports.epmdPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_FLAGS: '-kernel inet_dist_use_interface {127,0,0,1}',
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: SMALL_ERLANG,
    // the data belongs to the node's name, and a restart keeps the port
    RABBITMQ_NODENAME: `event-monitor-${ports.port}@localhost`,
    RABBITMQ_DIST_PORT: String(ports.distPort),
    RABBITMQ_MNESIA_BASE: join(dir, 'mnesia'),
    RABBITMQ_MNESIA_DIR: join(dir, 'mnesia', 'db'),
    RABBITMQ_LOG_BASE: join(dir, 'log'),
    RABBITMQ_LOGS: '-',
    RABBITMQ_CONFIG_FILE: join(dir, 'rabbitmq.conf'),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(dir, 'advanced.config'),
    RABBITMQ_CONF_ENV_FILE: '/dev/null',
    RABBITMQ_ENABLED_PLUGINS_FILE: join(dir, 'enabled_plugins'),
    RABBITMQ_SCHEMA_DIR: join(dir, 'schema'),
    RABBITMQ_GENERATED_CONFIG_DIR: join(dir, 'generated'),
    RABBITMQ_PID_FILE: join(dir, 'pid'),
  };
}

/** A port of 127.0.0.1 that nobody listens on now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
