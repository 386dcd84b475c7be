import type { WebSocket } from 'ws';
import { limits } from './limits.js';

/** RFC 6455: "a message that violates its policy"; clients don't come back by themselves. */
const POLICY_VIOLATION = 1_008;

/**
 * Keeps one WebSocket within bounds: one that doesn't read what it is sent isn't read from, and is cut after some time; one that
 * floods is closed; what its connection does wrong isn't written to the log.
 */
export function limitSocket(socket: WebSocket): void {
  const flood = new Flood();
  const onIncoming = () => {
    if (flood.isOver()) {
      socket.close(
        POLICY_VIOLATION,
        `TOO_MANY_MESSAGES: ${limits.messagesPerSocket} in ${limits.rateWindowSeconds} s are allowed`,
      );
      socket.pause();
      setTimeout(() => socket.terminate(), 1_000).unref();
      return;
    }
    if (socket.bufferedAmount > limits.unreadBytes && !socket.isPaused) void untilRead(socket);
  };
  socket.on('message', onIncoming);
  socket.on('ping', onIncoming);
  forgiveWrites(socket);
}

/** A write that fails means a socket that closes, which is noticed as such; graphql-ws would write each to stderr. */
function forgiveWrites(socket: WebSocket): void {
  const send: (data: string, done: () => void) => void = socket.send.bind(socket);
  socket.send = (data: unknown, done?: unknown) => send(data as string, () => (done as () => void)());
}

/** Counts messages in a fixed window. */
class Flood {
  private count = 0;
  private since = performance.now();

  isOver(): boolean {
    const now = performance.now();
    if (now - this.since > limits.rateWindowSeconds * 1_000) {
      this.since = now;
      this.count = 0;
    }
    return ++this.count > limits.messagesPerSocket;
  }
}

async function untilRead(socket: WebSocket): Promise<void> {
  socket.pause();
  const end = performance.now() + limits.unreadMs;
  while (socket.bufferedAmount > limits.unreadBytes && socket.readyState === socket.OPEN) {
    // a closing handshake would wait behind what it doesn't read
    if (performance.now() > end) return socket.terminate();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  socket.resume();
}
