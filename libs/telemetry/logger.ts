import { type Logger, type LoggerOptions, pino } from 'pino';

export type { Logger };

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';

/**
 * The process's logger. JSON lines, or readable lines when they go to a terminal.
 * @param component which part speaks, e.g. `fetcher`; further fields by `logger.child({ chainId })`.
 * @param to where: a command's stdout is for what it found, so its log goes to stderr.
 */
export function createLogger(component: string, level: LogLevel, to: 'stdout' | 'stderr' = 'stdout'): Logger {
  const readable = process[to].isTTY === true;
  const options: LoggerOptions = {
    level,
    base: { component },
    formatters: { level: (label) => ({ level: label }) },
    timestamp: pino.stdTimeFunctions.isoTime,
    ...(readable && {
      transport: {
        target: 'pino-pretty',
        options: {
          ignore: 'pid,hostname,component',
          messageFormat: '{component}: {msg}',
          destination: process[to].fd,
        },
      },
      formatters: {},
    }),
  };
  return readable ? pino(options) : pino(options, pino.destination(process[to].fd));
}
