import { setTimeout as delay } from 'node:timers/promises';

/**
 * Waits for a condition.
 * @param what is waited for, in words.
 * @param condition returns a value when it holds, else undefined, null or false; what it throws counts as "not yet".
 * @throws Error with the last value or error when it doesn't hold within `patienceMs`: a guard against hanging, no measure.
 */
export async function until<T>(
  what: string,
  condition: () => Promise<T | undefined | null | false> | T | undefined | null | false,
  patienceMs = 90_000,
): Promise<T> {
  let last: unknown;
  for (const end = performance.now() + patienceMs; performance.now() < end; await delay(50)) {
    try {
      const value = await condition();
      if (value) return value;
      last = value;
    } catch (error) {
      last = error;
    }
  }
  throw new Error(
    `waited in vain for ${what}; last: ${last instanceof Error ? last.message : JSON.stringify(last)}`,
  );
}
