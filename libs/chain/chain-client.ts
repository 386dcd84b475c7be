import type { Logger } from '#libs/telemetry/logger.js';
import { Endpoint } from './endpoint.js';
import { RpcError } from './rpc-error.js';

/** Waits after failures of an endpoint, doubling from the first to the last, ± 25 % so that processes don't march in step. */
const BACKOFF_FIRST_MS = 500;
const BACKOFF_LAST_MS = 30_000;

/** No endpoint of the chain could do what was asked; `message` says for each host why. */
export class RpcUnavailable extends Error {
  override readonly name = 'RpcUnavailable';
  constructor(readonly failures: readonly RpcError[]) {
    super(failures.map((failure) => failure.message).join('; '));
  }
}

/** An endpoint belongs to another chain than the configured one. */
class WrongChain extends Error {
  override readonly name = 'WrongChain';
  constructor(host: string, configured: number, answered: number) {
    super(
      `${host} is an endpoint of chain ${answered}, but CHAIN_ID says ${configured}: mend RPC_URLS or CHAIN_ID`,
    );
  }
}

interface EndpointHealth {
  readonly endpoint: Endpoint;
  /** Whether it has shown that it is of the configured chain. */
  verified: boolean;
  failures: number;
  /** Not used before this moment (ms of the monotonic clock). */
  notBefore: number;
  lastError: RpcError | null;
}

/** The endpoints of one chain, the preferred one first; work goes to the first that is healthy. */
export class ChainClient {
  private readonly pool: EndpointHealth[];

  constructor(
    private readonly options: { chainId: number; urls: readonly string[]; batchSize: number; logger: Logger },
  ) {
    this.pool = options.urls.map((url) => {
      const endpoint = new Endpoint(url, options.batchSize);
      return { endpoint, verified: false, failures: 0, notBefore: 0, lastError: null };
    });
  }

  /**
   * Does work on the best endpoint; when that fails, on the next. All of one call's requests go to one endpoint, so that
   * they see one consistent view of the chain.
   * @throws RpcUnavailable when every endpoint failed or is backing off; WrongChain when one is of another chain.
   */
  async use<T>(work: (endpoint: Endpoint) => Promise<T>): Promise<T> {
    const failures: RpcError[] = [];
    for (const health of this.pool) {
      if (health.lastError && performance.now() < health.notBefore) {
        failures.push(health.lastError);
        continue;
      }
      try {
        await this.verify(health);
        const result = await work(health.endpoint);
        if (health.failures) this.options.logger.info(`${health.endpoint.host} answers again`);
        Object.assign(health, { failures: 0, notBefore: 0, lastError: null });
        return result;
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        failures.push(error);
        this.noteFailure(health, error);
      }
    }
    throw new RpcUnavailable(failures);
  }

  /** Calls back on every new head, if one of the endpoints can tell (ws, wss); else null: poll. */
  onNewHead(listener: () => void): (() => void) | null {
    const stops = this.pool
      .map(({ endpoint }) => endpoint.onNewHead(listener))
      .filter((stop) => stop !== null);
    return stops.length ? () => stops.forEach((stop) => void stop()) : null;
  }

  close(): void {
    for (const { endpoint } of this.pool) endpoint.close();
  }

  private async verify(health: EndpointHealth): Promise<void> {
    if (health.verified) return;
    const answered = await health.endpoint.chainId();
    if (answered !== this.options.chainId)
      throw new WrongChain(health.endpoint.host, this.options.chainId, answered);
    health.verified = true;
  }

  private noteFailure(health: EndpointHealth, error: RpcError): void {
    health.lastError = error;
    // a node that is behind, or was asked for too much, is not ill: others go first this time, it may be asked again at once
    if (['head_behind', 'range_limit', 'suggested_range', 'result_cap'].includes(error.kind)) {
      health.notBefore = 0;
      return;
    }
    if (!health.failures) this.options.logger.warn(error.message);
    health.failures++;
    const backoff = Math.min(BACKOFF_FIRST_MS * 2 ** (health.failures - 1), BACKOFF_LAST_MS);
    health.notBefore =
      performance.now() + Math.max(error.retryAfterMs ?? 0, backoff * (0.75 + Math.random() / 2));
    // after a break it may be another node: it must show its chain again
    health.verified = false;
  }
}
