import type { ServerResponse } from 'node:http';
import { SLOW_CLIENT_MS } from '../graphql/pacing.js';

/** How a stream is written. */
export interface PourOptions<T> {
  /** An item as text, in pieces of some 64 kB at most: a slow client is given as long for each. */
  readonly textOf: (item: T) => Iterable<string>;
  /** Written when nothing else was for a time, so that nobody between takes the connection for dead. */
  readonly idle?: { readonly text: string; readonly ms: number };
  readonly patienceMs?: number;
}

/**
 * Writes a stream as fast as its client takes it: the next item is asked for only when the ones before have left this process, so
 * that a slow client costs the memory of one item. One that stops reading is cut, and one that has gone ends the source.
 * @param source is ended in any case; its `return` must take effect soon, also while it waits.
 * @throws what the source throws.
 */
export async function pour<T>(
  response: ServerResponse,
  source: AsyncGenerator<T>,
  { textOf, idle, patienceMs = SLOW_CLIENT_MS }: PourOptions<T>,
): Promise<void> {
  const end = () => void source.return(undefined).catch(() => {});
  if (response.closed) return end();
  response.once('close', end);
  const beat = idle && setInterval(() => response.writableNeedDrain || response.write(idle.text), idle.ms);
  try {
    for (let next = await source.next(); !next.done && !response.closed; next = await source.next()) {
      beat?.refresh();
      for (const text of textOf(next.value)) {
        if (response.write(text) || (await isTaken(response, patienceMs))) continue;
        response.destroy();
        return;
      }
    }
  } finally {
    clearInterval(beat);
    response.off('close', end);
    end();
  }
}

/** Waits until the network has taken what was written. @returns false when it doesn't in time, or the client has gone. */
function isTaken(response: ServerResponse, patienceMs: number): Promise<boolean> {
  if (response.closed) return Promise.resolve(false);
  return new Promise((resolve) => {
    const done = (taken: boolean) => {
      clearTimeout(timer);
      response.off('drain', onDrain).off('close', onClose);
      resolve(taken);
    };
    const onDrain = () => done(true);
    const onClose = () => done(false);
    const timer = setTimeout(onClose, patienceMs);
    response.once('drain', onDrain).once('close', onClose);
  });
}
