import type { Logger } from '#libs/telemetry/logger.js';
import { Endpoint } from './endpoint.js';
import { EndpointHealth, type EndpointStatus } from './endpoint-health.js';
import { RpcError } from './rpc-error.js';
import type { RequestLimits } from './rpc-transport.js';

/** No endpoint of the chain could do what was asked; `message` says for each host why. */
export class RpcUnavailable extends Error {
  override readonly name = 'RpcUnavailable';
  constructor(readonly failures: readonly RpcError[]) {
    super(failures.map((failure) => failure.message).join('; '));
  }
}

/** An endpoint belongs to another chain than the configured one. */
export class WrongChain extends Error {
  override readonly name = 'WrongChain';
  constructor(host: string, configured: number, answered: number) {
    super(`${host} is of chain ${answered}, but CHAIN_ID says ${configured}: mend RPC_URLS or CHAIN_ID`);
  }
}

/** The endpoints of one chain, the preferred one first; work goes to the first that is healthy. */
export class ChainClient {
  private readonly pool: EndpointHealth[];
  private firstLook: Promise<void> | null = null;

  /** @throws TypeError when a URL isn't one. */
  constructor(
    private readonly options: {
      readonly chainId: number;
      /** http, https, ws or wss; the preferred one first. */
      readonly urls: readonly string[];
      /** Blocks per request for logs at most. */
      readonly batchSize: number;
      readonly logger: Logger;
      readonly limits?: Partial<RequestLimits>;
    },
  ) {
    const { urls, batchSize, logger, limits } = options;
    this.pool = urls.map((url) => new EndpointHealth(new Endpoint(url, batchSize, limits), logger));
  }

  /**
   * Does work on the best endpoint; when that fails with an RpcError, on the next. All of one call's requests go to one
   * endpoint, so that they see one consistent view of the chain. The first call looks at all endpoints' chain ids.
   * @throws RpcUnavailable when every endpoint failed or is backing off; WrongChain when one is of another chain and none
   *   has yet proved right (one that turns out wrong later is left out).
   */
  async use<T>(work: (endpoint: Endpoint) => Promise<T>): Promise<T> {
    this.firstLook ??= this.verifyChainId();
    await this.firstLook;
    const failures: RpcError[] = [];
    for (const health of this.inOrder()) {
      if (health.isResting) {
        failures.push(health.reason!);
        continue;
      }
      try {
        await this.verify(health);
        const result = await work(health.endpoint);
        health.succeeded();
        return result;
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        health.failed(error);
        failures.push(error);
      }
    }
    throw new RpcUnavailable(failures);
  }

  /**
   * Asks every endpoint for its chain; one that can't be reached now is asked before it is used.
   * @throws WrongChain
   */
  async verifyChainId(): Promise<void> {
    const looks = this.pool.map(async (health) => {
      try {
        const answered = await health.endpoint.chainId();
        if (answered !== this.options.chainId) return this.wrongChain(health, answered);
        health.verified();
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        health.failed(error);
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

  close(): void {
    for (const { endpoint } of this.pool) endpoint.close();
  }

  /** As configured, but who was behind just now comes last. */
  private inOrder(): EndpointHealth[] {
    return this.pool.toSorted((a, b) => Number(a.isBehind) - Number(b.isBehind));
  }

  /** After a failure or a new connection another node may answer: it must show its chain again. */
  private async verify(health: EndpointHealth): Promise<void> {
    if (health.isVerified) return;
    const answered = await health.endpoint.chainId();
    if (answered === this.options.chainId) return health.verified();
    const wrong = this.wrongChain(health, answered);
    if (!this.pool.some((other) => other.wasEverVerified)) throw wrong;
    const { host } = health.endpoint;
    throw new RpcError({ kind: 'bad_endpoint', host, method: 'eth_chainId', message: wrong.message });
  }

  private wrongChain(health: EndpointHealth, answered: number): WrongChain {
    return new WrongChain(health.endpoint.host, this.options.chainId, answered);
  }
}
