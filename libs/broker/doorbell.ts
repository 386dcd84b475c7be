import type { Logger } from '#libs/telemetry/logger.js';

/** Calls a listener of rings; its error is logged and concerns nobody else. */
export function callListener(listener: (position: number) => void, position: number, logger: Logger): void {
  try {
    listener(position);
  } catch (error) {
    logger.error({ err: error, position }, 'a listener of the doorbell threw');
  }
}
