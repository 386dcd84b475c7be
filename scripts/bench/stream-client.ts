import WebSocket from 'ws';

/** What a message says, read once for all clients that get the same text. */
interface ReadMessage {
  readonly cursor: string;
  /** Position of the commit log that it reaches. */
  readonly position: number;
  readonly events: number;
  readonly checksum: number;
}

interface StreamMessage {
  readonly type: string;
  readonly payload?: {
    readonly data?: {
      readonly socketBridgeEvents: {
        readonly cursor: string;
        readonly changes: readonly { readonly type: string; readonly node: { readonly id: string } }[];
      };
    };
  };
}

const query = `subscription ($since: FeedCursor) {
  socketBridgeEvents(since: $since) { cursor changes { type node { id blockHash blockNumber amount } } }
}`;

/** Sums stay exact below 2^53. */
const MODULUS = 2 ** 52;
const REMEMBERED_TEXTS = 200;
const remembered = new Map<string, ReadMessage | null>();

/** A number of an event's id; equal multisets of events have equal sums, and others, for all that counts, don't. */
export function eventChecksum(id: string): number {
  const [, hash, index] = id.split(':');
  return (Number.parseInt(hash!.slice(2, 14), 16) + Number(index)) % MODULUS;
}

export function addChecksums(a: number, b: number): number {
  return (a + b) % MODULUS;
}

/** Reads a `next` message; null: another one. */
function read(text: string): ReadMessage | null {
  const known = remembered.get(text);
  if (known !== undefined) return known;
  const { type, payload } = JSON.parse(text) as StreamMessage;
  const stream = type === 'next' ? payload?.data?.socketBridgeEvents : undefined;
  const message = stream ? summary(stream.cursor, stream.changes) : null;
  remembered.set(text, message);
  if (remembered.size > REMEMBERED_TEXTS) remembered.delete(remembered.keys().next().value!);
  return message;
}

type Changes = NonNullable<NonNullable<StreamMessage['payload']>['data']>['socketBridgeEvents']['changes'];

function summary(cursor: string, changes: Changes): ReadMessage {
  if (changes.some((change) => change.type !== 'ADDED')) throw new Error('the bench has no reorgs');
  const { at } = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as { at: number };
  const checksum = changes.reduce((sum, { node }) => addChecksums(sum, eventChecksum(node.id)), 0);
  return { cursor, position: at, events: changes.length, checksum };
}

/** One subscription over a WebSocket of its own that folds what it hears. */
export class StreamClient {
  cursor: string | null = null;
  position = 0;
  events = 0;
  checksum = 0;
  messages = 0;
  closeCode: number | null = null;
  private socket: WebSocket | null = null;

  /** @param heard is called with the positions that a message tells of: above `from`, up to `to`. */
  constructor(
    private readonly url: string,
    private readonly heard: (from: number, to: number) => void = () => {},
  ) {}

  /** Connects, or comes back with the last cursor; resolves with the first message. */
  connect(): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(`${this.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
      this.socket = socket;
      socket.on('error', reject);
      socket.on('close', (code) => {
        this.closeCode = code;
      });
      socket.on('open', () => socket.send('{"type":"connection_init"}'));
      socket.on('message', (data: Buffer) => {
        const text = data.toString();
        if (text.startsWith('{"type":"connection_ack"')) {
          const payload = { query, variables: { since: this.cursor } };
          socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload }));
        } else if (text.startsWith('{"type":"ping"')) socket.send('{"type":"pong"}');
        else {
          this.take(read(text));
          resolve();
        }
      });
    });
  }

  /** Takes nothing from the network any more. */
  stopReading(): void {
    this.socket?.pause();
  }

  readAgain(): void {
    this.socket?.resume();
  }

  close(): void {
    this.socket?.terminate();
  }

  private take(message: ReadMessage | null): void {
    if (!message) return;
    if (message.events) {
      this.messages++;
      if (this.position) this.heard(this.position, message.position);
    }
    this.cursor = message.cursor;
    this.position = message.position;
    this.events += message.events;
    this.checksum = addChecksums(this.checksum, message.checksum);
  }
}
