import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

interface Node {
  readonly id: string;
  readonly blockHash: string;
}

interface Message {
  readonly feed: {
    readonly cursor: string;
    readonly changes: readonly { readonly type: 'ADDED' | 'REMOVED' | 'FINALIZED'; readonly node: Node }[];
  };
}

/** Which changes are told. */
export interface StreamFilter {
  /** SocketBridge by default. */
  readonly event?: string;
  readonly where?: object;
  /** UNFINALIZED by default: all. */
  readonly finality?: 'UNFINALIZED' | 'FINALIZED';
}

const queryOf = (
  event: string,
) => `subscription ($where: ${event}EventWhere, $since: FeedCursor, $finality: Finality!) {
  feed: ${event[0]!.toLowerCase()}${event.slice(1)}Events(where: $where, since: $since, finality: $finality)
    { cursor changes { type node { id blockHash } } }
}`;

/** To cut a connection that isn't established yet is an error to `ws`, which nobody hears any more by then. */
class ForgivingWebSocket extends WebSocket {
  constructor(...parameters: ConstructorParameters<typeof WebSocket>) {
    super(...parameters);
    this.on('error', () => {});
  }
}

/** A client of the live feed that folds what it hears, and comes back with its last cursor wherever it is told to. */
export class Subscriber {
  /** Block hash of every event that is in the chain, by id, as told. */
  readonly events: Map<string, string>;
  /** Changes that were told twice. */
  readonly repeats: string[] = [];
  /** Where to go on; `0` is the beginning of the feed. */
  cursor: string;
  /** Errors that the server told, in the order in which they came. */
  readonly errors: string[] = [];
  private running: Promise<void> = Promise.resolve();
  private stopClient: () => void = () => {};

  /** @param start a page that was read, and its `asOf`; by default the beginning of the feed. */
  constructor(
    private readonly start: StreamFilter & {
      readonly cursor?: string;
      readonly events?: readonly Node[];
    } = {},
  ) {
    this.cursor = start.cursor ?? '0';
    this.events = new Map(start.events?.map(({ id, blockHash }) => [id, blockHash]));
  }

  /** Leaves the server it was on, if any, and goes on at this one from its last cursor. */
  async connect(apiUrl: string): Promise<void> {
    await this.disconnect();
    const client = createClient({
      url: `${apiUrl.replace(/^http/, 'ws')}/graphql`,
      webSocketImpl: ForgivingWebSocket,
      retryAttempts: 0,
    });
    this.stopClient = () => void client.terminate();
    this.running = this.listen(client).catch(() => {});
  }

  /** Cuts the connection without a word. */
  async disconnect(): Promise<void> {
    this.stopClient();
    await this.running;
  }

  private async listen(client: ReturnType<typeof createClient>): Promise<void> {
    const { event = 'SocketBridge', where, finality = 'UNFINALIZED' } = this.start;
    const variables = { where, since: this.cursor, finality };
    for await (const { data, errors } of client.iterate<Message>({ query: queryOf(event), variables })) {
      if (!data) {
        this.errors.push(...(errors ?? []).map(({ message }) => message));
        continue;
      }
      for (const { type, node } of data.feed.changes) this.fold(type, node);
      this.cursor = data.feed.cursor;
    }
  }

  private fold(type: string, { id, blockHash }: Node): void {
    if (type === 'REMOVED') {
      this.events.delete(id);
      return;
    }
    if (this.events.get(id) === blockHash) this.repeats.push(id);
    this.events.set(id, blockHash);
  }
}
