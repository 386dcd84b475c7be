import amqp, {
  type Channel,
  type ChannelModel,
  type ConfirmChannel,
  type RecoveringChannelModel,
} from 'amqplib';
import type { Logger } from '#libs/telemetry/logger.js';
import { OutageLog } from '#libs/telemetry/outage-log.js';
import { urlHost } from '#libs/telemetry/redact.js';
import { BrokerUnavailable } from './broker.js';

/** A dead peer is noticed after two to three of these; RabbitMQ's own default is 60. */
const HEARTBEAT_SECONDS = 10;
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** A process has two connections: in a minute of absence both together try 25 times. */
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 10_000;

/** What waiting can't cure, by amqplib's words for it; it doesn't tell what the broker said of the virtual host. */
const REFUSALS = [
  { words: /ACCESS[_-]REFUSED/, reason: 'ACCESS_REFUSED: user or password is wrong' },
  {
    words: /Expected ConnectionOpenOk/,
    reason: 'it refuses the virtual host: there is none of that name, or the user has no rights in it',
  },
];

/** One connection to RabbitMQ that comes back by itself. */
export class RabbitConnection {
  readonly #recovering: RecoveringChannelModel;
  #model: ChannelModel | undefined;
  #blocked: string | null = null;

  private constructor(recovering: RecoveringChannelModel) {
    this.#recovering = recovering;
  }

  /**
   * Connects, however long the broker takes to come up.
   * @param name what the broker shows for the connection.
   * @throws BrokerUnavailable when the URL is unreadable, the broker refuses the login or the virtual host, or `signal` gives up.
   */
  static async open(
    url: string,
    name: string,
    logger: Logger,
    signal?: AbortSignal,
  ): Promise<RabbitConnection> {
    const host = urlHost(url);
    const recovering = await amqp.connect(withHeartbeat(url), {
      noDelay: true,
      keepAlive: true,
      timeout: HANDSHAKE_TIMEOUT_MS,
      clientProperties: { connection_name: name },
      recovery: {
        initialDelay: FIRST_DELAY_MS,
        maxDelay: LONGEST_DELAY_MS,
        waitForConnect: false,
        // until it is set up, nobody listens to the connection, and an error that nobody hears ends the process
        setup: async (model: ChannelModel) => {
          model.on('error', () => {});
        },
      },
    });
    const connection = new RabbitConnection(recovering);
    connection.#watch(host, logger);
    await connection.#firstConnect(host, signal);
    return connection;
  }

  get connected(): boolean {
    return this.#model !== undefined;
  }

  /** Why the broker takes no messages on it, in the broker's words, or null. */
  get blocked(): string | null {
    return this.#blocked;
  }

  /** The connection as it is now. @throws BrokerUnavailable when it is down. */
  get model(): ChannelModel {
    if (!this.#model)
      throw new BrokerUnavailable('no connection to RabbitMQ now; it is tried again by itself');
    return this.#model;
  }

  /** Opens a channel, on the next connection when there is none now. @throws Error when closed meanwhile. */
  createChannel(): Promise<Channel> {
    return this.#recovering.createChannel();
  }

  /** As `createChannel`, with publisher confirms; its write buffer reports full at `highWaterMark` frames. */
  createConfirmChannel(highWaterMark: number): Promise<ConfirmChannel> {
    return this.#recovering.createConfirmChannel({ highWaterMark });
  }

  async close(): Promise<void> {
    this.#model = undefined;
    await this.#recovering.close();
  }

  #watch(host: string, logger: Logger): void {
    const outage = new OutageLog(logger, `connected to RabbitMQ at ${host}`);
    const alarm = new OutageLog(logger, 'RabbitMQ takes messages again');
    let everConnected = false;
    this.#recovering.on('connect', (model: ChannelModel) => {
      this.#model = model;
      if (everConnected) outage.ended();
      else logger.info(`connected to RabbitMQ at ${host}`);
      everConnected = true;
    });
    this.#recovering.on('disconnect', (error: Error) => {
      this.#model = undefined;
      this.#blocked = null;
      alarm.ended();
      outage.failed(`the connection to RabbitMQ at ${host} is lost, it is tried again: ${error.message}`);
    });
    this.#recovering.on('reconnect-scheduled', ({ error }) => {
      outage.failed(`RabbitMQ at ${host} is tried again: ${error.message}`);
    });
    this.#recovering.on('blocked', (reason: string) => {
      this.#blocked = reason;
      alarm.failed(`RabbitMQ takes no messages now, its memory or disk alarm: ${reason}`);
    });
    this.#recovering.on('unblocked', () => {
      this.#blocked = null;
      alarm.ended();
    });
    // 'disconnect' follows and says the same
    this.#recovering.on('error', () => {});
  }

  async #firstConnect(host: string, signal?: AbortSignal): Promise<void> {
    const refused = (error: Error) => {
      const refusal = REFUSALS.find(({ words }) => words.test(error.message));
      if (refusal) void giveUp(refusal.reason);
    };
    let reason = 'given up before the first connection';
    const giveUp = async (why: string) => {
      reason = why;
      await this.#recovering.close();
    };
    const abort = () => void giveUp(reason);
    this.#recovering.on('connect-failed', refused);
    signal?.addEventListener('abort', abort, { once: true });
    if (signal?.aborted) abort();
    try {
      await this.#recovering.waitForConnect();
    } catch (cause) {
      throw new BrokerUnavailable(`RabbitMQ at ${host}: ${reason}`, { cause });
    } finally {
      this.#recovering.off('connect-failed', refused);
      signal?.removeEventListener('abort', abort);
    }
  }
}

/** amqplib takes the heartbeat from the URL only. */
function withHeartbeat(url: string): string {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new BrokerUnavailable(
      'the URL of RabbitMQ is unreadable; it looks like amqp://user:password@host:5672/vhost',
    );
  }
  if (!/^amqps?:$/.test(parsed.protocol)) {
    throw new BrokerUnavailable(
      `the URL of RabbitMQ begins with ${parsed.protocol}//, expected amqp:// or amqps://`,
    );
  }
  if (!parsed.searchParams.has('heartbeat')) parsed.searchParams.set('heartbeat', String(HEARTBEAT_SECONDS));
  return parsed.href;
}
