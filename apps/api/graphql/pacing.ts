/** How long a client of a subscription may not take what it is sent before its connection is closed. */
export const SLOW_CLIENT_MS = 30_000;

/** What pacing needs to know of a WebSocket. */
export interface PacedSocket {
  /** Bytes that were given to it and that the network hasn't taken. */
  readonly bufferedAmount: number;
  /** `OPEN` until it closes. */
  readonly readyState: number;
  readonly OPEN: number;
  close(code: number, reason: string): void;
}

/** A WebSocket that doesn't take what is sent is asked to wait at this many bytes, and closed after some time. */
const SOCKET_BUFFER_BYTES = 256_000;
/** Close code for a client that doesn't read: it may come back with its last cursor. None of those that graphql-ws takes for fatal. */
const SLOW_CLIENT_CODE = 4_410;

/**
 * Pulls the next message only when the socket has taken the ones before; a client that doesn't read is closed. From now on the
 * messages are ended when the subscription is over, also if none was ever asked for: of a generator that has not begun, nothing
 * is done when it is ended.
 * @param ended aborted when the subscription is over; @param patienceMs how long a client may not read.
 */
export function paced<T>(
  messages: AsyncGenerator<T>,
  socket: PacedSocket,
  ended: AbortSignal,
  patienceMs = SLOW_CLIENT_MS,
): AsyncGenerator<T> {
  ended.addEventListener('abort', () => void messages.return(undefined), { once: true });
  return pulled(messages, socket, ended, patienceMs);
}

async function* pulled<T>(
  messages: AsyncGenerator<T>,
  socket: PacedSocket,
  ended: AbortSignal,
  patienceMs: number,
): AsyncGenerator<T> {
  try {
    for await (const message of messages) {
      // graphql-ws forgets a subscription whose id is used again, and doesn't end it with its socket
      if (socket.readyState !== socket.OPEN) return;
      yield message;
      const end = performance.now() + patienceMs;
      while (socket.bufferedAmount > SOCKET_BUFFER_BYTES && !ended.aborted) {
        if (performance.now() > end) {
          socket.close(SLOW_CLIENT_CODE, 'too slow: go on with the last cursor');
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  } finally {
    await messages.return(undefined);
  }
}
