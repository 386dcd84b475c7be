import { randomBytes } from 'node:crypto';
import type { WebSocket } from 'ws';
import type { ChainChange, ServedChain } from './chain-view.js';
import type { Subscriber } from './rpc-methods.js';
import { headerObject } from './rpc-objects.js';

/** When the head jumps, only so many of the newest heads are sent, as a node that catches up does. */
const HEADS_PER_CHANGE = 64;

/** A connection that doesn't read is cut once so much waits for it. */
const UNSENT_LIMIT_BYTES = 16_000_000;

/** The `newHeads` subscriptions of one WebSocket. After a reorg they get the heads of the new branch. */
export class HeadSubscriptions implements Subscriber {
  readonly #socket: WebSocket;
  readonly #chain: ServedChain;
  readonly #ids = new Set<string>();

  constructor(chain: ServedChain, socket: WebSocket) {
    this.#chain = chain;
    this.#socket = socket;
    const stop = chain.onChange((change) => this.#send(change));
    socket.on('close', stop);
  }

  subscribeToHeads(): string {
    const id = `0x${randomBytes(16).toString('hex')}`;
    this.#ids.add(id);
    return id;
  }

  unsubscribe(id: string): boolean {
    return this.#ids.delete(id);
  }

  #send({ fork, head }: ChainChange): void {
    if (this.#ids.size === 0) return;
    for (let height = Math.max(fork + 1, head - HEADS_PER_CHANGE + 1); height <= head; height++) {
      const result = headerObject(this.#chain.block(height)!);
      for (const subscription of this.#ids) {
        const params = { subscription, result };
        this.#socket.send(JSON.stringify({ jsonrpc: '2.0', method: 'eth_subscription', params }));
      }
    }
    if (this.#socket.bufferedAmount > UNSENT_LIMIT_BYTES) this.#socket.terminate();
  }
}
