import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { demoChain } from '#apps/local/demo-chain.js';
import { fetcherConfig, localConfig } from '#libs/config/config.js';
import { eventSyntax } from '#libs/events/event-syntax.js';

const services = { DATABASE_URL: 'postgresql://u:p@localhost/db', RABBITMQ_URL: 'amqp://localhost' };
const pages = ['several-chains.md', 'changing-what-is-followed.md', 'add-a-chain.md'];

/** A command of a page that sets variables for a fetcher or for everything in one process. */
interface ShownCommand {
  readonly page: string;
  readonly command: string;
}

const commands = pages.flatMap((page): ShownCommand[] => {
  const text = readFileSync(new URL(`../docs/${page}`, import.meta.url), 'utf8');
  const lines = text.replaceAll('\\\n', ' ').matchAll(/^ {4}(\w+=.* npm (?:start|run fetcher))$/gm);
  return [...lines].map(([, command]) => ({ page, command: command!.replaceAll(/\s+/g, ' ') }));
});

/** The variables as a shell takes the command. */
function environmentOf(command: string): Record<string, string> {
  const shown = execFileSync('/bin/sh', ['-c', command.replace(/npm (start|run fetcher)$/, '/usr/bin/env')], {
    env: {},
  });
  const lines = shown.toString().trim().split('\n');
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}

test('the pages about chains and what is followed show commands', () => {
  expect(new Set(commands.map(({ page }) => page))).toEqual(new Set(pages));
});

test.each(commands)('$page: $command is accepted, and follows the chains that it names', ({ command }) => {
  const env = environmentOf(command);
  const { chains } = command.endsWith('npm start')
    ? localConfig(env, eventSyntax, demoChain)
    : fetcherConfig({ ...services, ...env }, eventSyntax);
  expect(chains.map(({ chainId }) => chainId).join()).toBe(env.CHAINS ?? env.CHAIN_ID);
  for (const { sources } of chains) expect(sources.length).toBeGreaterThan(0);
});
