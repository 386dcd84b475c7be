import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A way to a server (AMQP, Postgres, HTTP) that can be cut (connections are refused), dropped (they end at once) or held up (nothing is answered), as servers and networks fail. */
export class Wire {
  private readonly sockets = new Set<Socket>();
  /** Connections so far, also those that came to nothing. */
  attempts = 0;
  private held = false;
  private dropping = false;
  private server: Server | null = null;

  private port = 0;

  private constructor(private target: { host: string; port: number }) {}

  /** Opens a way to the server of a URL. */
  static async to(url: string): Promise<Wire> {
    const wire = new Wire(serverOf(url));
    await wire.mend();
    return wire;
  }

  /** Leads new connections to another server; those to the old one end. */
  async redirect(url: string): Promise<void> {
    await this.cut();
    this.target = serverOf(url);
    await this.mend();
  }

  /** The URL with this way instead of the server's own place. */
  through(url: string): string {
    const changed = new URL(url);
    changed.hostname = '127.0.0.1';
    changed.port = String(this.port);
    return changed.href;
  }

  /** Ends all connections and refuses new ones. */
  async cut(): Promise<void> {
    const closed = this.server && once(this.server, 'close');
    this.server?.close();
    this.server = null;
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  /** Ends all connections, and every new one at once. */
  drop(): void {
    this.dropping = true;
    for (const socket of this.sockets) socket.destroy();
  }

  /** Takes connections and bytes, and passes nothing on. */
  hold(): void {
    this.held = true;
    for (const socket of this.sockets) socket.pause();
  }

  /** Passes on again, on the same port. */
  async mend(): Promise<void> {
    this.held = false;
    this.dropping = false;
    for (const socket of this.sockets) socket.resume();
    if (this.server) return;
    const server = createServer((near) => this.join(near));
    this.server = server;
    server.listen(this.port, '127.0.0.1');
    await once(server, 'listening');
    this.port = (server.address() as AddressInfo).port;
  }

  private join(near: Socket): void {
    this.attempts++;
    if (this.dropping) {
      near.destroy();
      return;
    }
    const far = connect(this.target.port, this.target.host);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.sockets.add(from);
      from.on('error', () => {});
      from.on('data', (chunk) => to.write(chunk));
      from.on('close', () => {
        this.sockets.delete(from);
        to.destroy();
      });
      if (this.held) from.pause();
    }
  }
}

function serverOf(url: string): { host: string; port: number } {
  const { hostname, port, protocol } = new URL(url);
  return { host: hostname, port: Number(port) || (protocol.startsWith('amqp') ? 5672 : 5432) };
}
