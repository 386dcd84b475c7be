import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

interface Node {
  readonly id: string;
  readonly blockHash: string;
}

interface Message {
  readonly socketBridgeEvents: {
    readonly cursor: string;
    readonly changes: readonly { readonly type: 'ADDED' | 'REMOVED' | 'FINALIZED'; readonly node: Node }[];
  };
}

const query = `subscription ($since: FeedCursor, $finality: Finality!) {
  socketBridgeEvents(since: $since, finality: $finality) { cursor changes { type node { id blockHash } } }
}`;

/** A client of the live feed that folds what it hears, and comes back with its last cursor wherever it is told to. */
export class Subscriber {
  /** Block hash of every event that is in the chain, by id, as told. */
  readonly events = new Map<string, string>();
  /** Changes that were told twice. */
  readonly repeats: string[] = [];
  private cursor = '0';
  private running: Promise<void> = Promise.resolve();
  private stopClient: () => void = () => {};

  constructor(private readonly finality: 'UNFINALIZED' | 'FINALIZED' = 'UNFINALIZED') {}

  /** Leaves the server it was on, if any, and goes on at this one from its last cursor. */
  async connect(apiUrl: string): Promise<void> {
    await this.disconnect();
    const client = createClient({
      url: `${apiUrl.replace(/^http/, 'ws')}/graphql`,
      webSocketImpl: WebSocket,
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
    const variables = { since: this.cursor, finality: this.finality };
    for await (const { data } of client.iterate<Message>({ query, variables })) {
      for (const { type, node } of data!.socketBridgeEvents.changes) this.fold(type, node);
      this.cursor = data!.socketBridgeEvents.cursor;
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
