import { type Logger, pino } from 'pino';

export type { Logger };

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';

/**
 * The process's logger. JSON lines on stdout, or readable lines when stdout is a terminal.
 * @param component which part speaks, e.g. `fetcher`; further fields by `logger.child({ chainId })`.
 */
export function createLogger(component: string, level: LogLevel): Logger {
  const readable = process.stdout.isTTY === true;
  return pino({
    level,
    base: { component },
    formatters: { level: (label) => ({ level: label }) },
    timestamp: pino.stdTimeFunctions.isoTime,
    ...(readable && {
      transport: {
        target: 'pino-pretty',
        options: { ignore: 'pid,hostname,component', messageFormat: '{component}: {msg}' },
      },
      formatters: {},
    }),
  });
}
