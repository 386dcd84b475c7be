import { createHash } from 'node:crypto';
import type { DeadLetter } from './broker.js';

/** Makes a dead letter of what is known of it; its id is of all that. */
export function deadLetter(known: Omit<DeadLetter, 'id'>): DeadLetter {
  const { queue, reason, time, body } = known;
  const hash = createHash('sha256')
    .update(JSON.stringify([queue, reason, time]))
    .update(body);
  return { id: hash.digest('hex').slice(0, 12), ...known };
}
