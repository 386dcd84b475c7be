import type { Logger } from '#libs/telemetry/logger.js';
import { Endpoint } from './endpoint.js';
import { EndpointHealth, type EndpointStatus } from './endpoint-health.js';
import { RpcError, wrongChainWords } from './rpc-error.js';
import type { RequestLimits, RequestObserver } from './rpc-transport.js';

/** No endpoint of the chain could do what was asked; `message` says for each host why. */
export class RpcUnavailable extends Error {
  override readonly name = 'RpcUnavailable';
  constructor(readonly failures: readonly RpcError[]) {
    super(failures.map((failure) => failure.message).join('; '));
  }

  /** Unix seconds: logs of blocks up to this time would have been believed of one of them; undefined: that wasn't what is wrong. */
  get believedTo(): number | undefined {
    const times = this.failures.flatMap(({ believedTo }) => believedTo ?? []);
    return times.length ? Math.max(...times) : undefined;
  }
}

/** An endpoint belongs to another chain than the configured one. */
export class WrongChain extends Error {
  override readonly name = 'WrongChain';
  constructor(host: string, configured: number, answered: number) {
    super(`${host} ${wrongChainWords(configured, answered)}`);
  }
}

/** What one endpoint said, or why it couldn't. */
export type EndpointAnswer<T> =
  | { readonly host: string; readonly answer: T; readonly error?: undefined }
  | { readonly host: string; readonly answer?: undefined; readonly error: RpcError };

/** What a client is made of. */
export interface ChainClientOptions {
  readonly chainId: number;
  /** http, https, ws or wss; the preferred one first. */
  readonly urls: readonly string[];
  /** Blocks per request for logs at most. */
  readonly batchSize: number;
  readonly logger: Logger;
  /** Bounds of the requests to each endpoint. */
  readonly limits?: Partial<RequestLimits>;
  readonly onRequest?: RequestObserver;
  /** Clock for rests and retries in milliseconds; default: the monotonic clock. */
  readonly now?: () => number;
}

/** The endpoints of one chain, the preferred one first; work goes to the first that is healthy. */
export class ChainClient {
  private readonly pool: EndpointHealth[];
  private firstLook: Promise<void> | null = null;
  private closed = false;

  /** @throws TypeError when a URL isn't one. */
  constructor(private readonly options: ChainClientOptions) {
    const { chainId, urls, batchSize, logger, limits, onRequest, now = () => performance.now() } = options;
    this.pool = urls.map(
      (url) => new EndpointHealth(new Endpoint(url, batchSize, limits, onRequest, chainId), logger, now),
    );
  }

  /**
   * Does work on the best endpoint; when that fails with an RpcError, on the next. All of one call's requests go to one
   * endpoint, so that they see one consistent view of the chain. The first call looks at all endpoints' chain ids.
   * @param from oldest block of history that the work reads: endpoints that lately refused blocks as old are left out.
   * @throws RpcUnavailable when every endpoint failed or is left alone; WrongChain when the first look finds an endpoint of
   *   another chain: a configuration to be mended. One that turns out wrong later is left out (`wrong_chain`), since it may
   *   be its operator's error and the others can go on.
   */
  async use<T>(work: (endpoint: Endpoint) => Promise<T>, { from }: { from?: number } = {}): Promise<T> {
    this.firstLook ??= this.verifyChainId();
    await this.firstLook;
    const failures: RpcError[] = [];
    for (const health of this.inOrder()) {
      const hindrance = health.hindrance(from);
      if (hindrance) {
        failures.push(hindrance);
        continue;
      }
      // before the chain is looked at: a rest may begin meanwhile
      const since = health.failuresSoFar;
      try {
        await this.verify(health);
        const result = await work(health.endpoint);
        health.succeeded(since, from);
        return result;
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        // after the end it isn't the endpoint's fault
        if (!this.closed) health.failed(error, from);
        failures.push(error);
      }
    }
    throw new RpcUnavailable(failures);
  }

  /** Does work on every endpoint, whether it is well or not, one after the other. @throws WrongChain as `use`. */
  async askAll<T>(work: (endpoint: Endpoint) => Promise<T>): Promise<EndpointAnswer<T>[]> {
    this.firstLook ??= this.verifyChainId();
    await this.firstLook;
    const answers: EndpointAnswer<T>[] = [];
    for (const health of this.pool) {
      const { host } = health.endpoint;
      try {
        await this.verify(health);
        answers.push({ host, answer: await work(health.endpoint) });
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        answers.push({ host, error });
      }
    }
    return answers;
  }

  /**
   * Asks every endpoint for its chain; one that can't be reached now is asked before it is used.
   * @throws WrongChain
   */
  async verifyChainId(): Promise<void> {
    const looks = this.pool.map(async (health) => {
      const since = health.failuresSoFar;
      try {
        const answered = await health.endpoint.chainId();
        const { chainId } = this.options;
        if (answered !== chainId) return new WrongChain(health.endpoint.host, chainId, answered);
        health.verified(since);
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        if (!this.closed) health.failed(error);
      }
      return null;
    });
    const wrong = (await Promise.all(looks)).find((error) => error !== null);
    if (wrong) throw wrong;
  }

  /** Calls back on every new head, if one of the endpoints can tell (ws, wss); else null: poll. */
  onNewHead(listener: () => void): (() => void) | null {
    const stops = this.pool
      .map(({ endpoint }) => endpoint.onNewHead(listener))
      .filter((stop) => stop !== null);
    if (!stops.length) return null;
    return () => {
      for (const stop of stops) stop();
    };
  }

  /** Each endpoint's state, in the order of configuration. */
  status(): EndpointStatus[] {
    return this.pool.map((health) => health.status());
  }

  /** Work under way fails now. */
  close(): void {
    this.closed = true;
    for (const { endpoint } of this.pool) endpoint.close();
  }

  /** As configured, but who was behind just now comes last. */
  private inOrder(): EndpointHealth[] {
    return this.pool.toSorted((a, b) => Number(a.isBehind) - Number(b.isBehind));
  }

  /** After a failure, a new connection or a long time another node may answer: it must show its chain again. */
  private async verify(health: EndpointHealth): Promise<void> {
    if (!health.isVerified) await health.verifyOnce(() => this.askChainId(health));
  }

  private async askChainId(health: EndpointHealth): Promise<void> {
    const since = health.failuresSoFar;
    const answered = await health.endpoint.chainId();
    const { chainId } = this.options;
    if (answered === chainId) return health.verified(since);
    throw new RpcError({
      kind: 'wrong_chain',
      host: health.endpoint.host,
      method: 'eth_chainId',
      message: wrongChainWords(chainId, answered),
    });
  }
}
