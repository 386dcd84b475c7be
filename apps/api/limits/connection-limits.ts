import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { type Clients, networkOf } from './clients.js';
import { Counted } from './counted.js';
import { httpAnswer, LAST_WORDS_MS } from './http-answer.js';
import { refusal } from './refusals.js';

/** Connections beyond the limit that are told so; only a flood beyond these, too, is cut without a word. */
const TOLD = 100;

/**
 * Refuses connections that are too many as soon as they come, so that those that never ask anything don't take the place of
 * others. A trusted proxy's count in total only: its clients' WebSockets are counted by their own addresses.
 */
export class ConnectionLimits {
  private readonly refused = new WeakSet<Socket>();

  constructor(
    server: Server,
    private readonly clients: Clients,
    private readonly perClient: number,
    private readonly inTotal: number,
  ) {
    server.maxConnections = inTotal + TOLD;
    const open = new Counted(perClient, inTotal);
    server.on('connection', (socket: Socket) => this.count(socket, open));
  }

  /** Whether a connection was refused: its requests have their answer. */
  isRefused(socket: Socket): boolean {
    return this.refused.has(socket);
  }

  private count(socket: Socket, open: Counted): void {
    const { remoteAddress, remotePort } = socket;
    const proxied = this.clients.isProxy(remoteAddress);
    // each connection of a proxy is a client of its own here
    const opened = open.open(proxied ? `${remoteAddress} ${remotePort}` : networkOf(remoteAddress));
    if (typeof opened === 'function') {
      socket.once('close', opened);
      return;
    }
    const limit = opened === 'client' ? `You have ${this.perClient}` : `The server has ${this.inTotal}`;
    this.refused.add(socket);
    socket.on('error', () => socket.destroy());
    socket.end(
      httpAnswer(refusal('TOO_MANY_CONNECTIONS', `${limit} connections open, more are not allowed.`, 5)),
    );
    setTimeout(() => socket.destroy(), LAST_WORDS_MS).unref();
  }
}
