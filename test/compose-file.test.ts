import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { devchainVariables } from '#apps/devchain/settings.js';
import { fetcherConfig, processVariables } from '#libs/config/config.js';
import { eventSyntax } from '#libs/events/event-syntax.js';

interface ComposeService {
  readonly image: string;
  readonly build?: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly healthcheck?: object;
  readonly restart?: string;
  readonly mem_limit?: string;
  readonly logging?: { readonly options: Readonly<Record<string, string>> };
  readonly read_only?: boolean;
  readonly ports?: readonly string[];
}

const read = (name: string) => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8');
const text = read('docker-compose.yml');
const services: Readonly<Record<string, ComposeService>> = parse(text, { merge: true }).services;
const all = Object.entries(services);
const own = all.filter(([, { image }]) => image === 'event-monitor');
const fetchers = own.filter(([, service]) => appOf(service) === 'fetcher');

/** Which process a service runs: its command is `node [flags] dist/apps/<app>/main.js`. */
function appOf({ command }: ComposeService): string | undefined {
  return /^dist\/apps\/(\w+)\/main\.js$/.exec(command?.at(-1) ?? '')?.[1];
}

/** The variables that a process reads. */
function readBy(app: string): string[] {
  const found = processVariables(eventSyntax).find(({ process }) => process === app);
  const variables = app === 'devchain' ? devchainVariables() : found!.variables;
  return variables.map(({ variable }) => variable.name);
}

/** What an environment becomes when .env sets nothing, or what `set` says. */
function interpolated(service: ComposeService, set: Readonly<Record<string, string>> = {}) {
  return Object.fromEntries(
    Object.entries(service.environment ?? {}).map(([name, value]) => [
      name,
      String(value).replaceAll(/\$\{(\w+):-(.*?)\}/g, (_, variable, fallback) => set[variable] || fallback),
    ]),
  );
}

describe('docker-compose.yml', () => {
  it('runs the five chains with the defaults of the chain list', () => {
    const chains = fetchers
      .filter(([name]) => name !== 'fetcher-demo')
      .flatMap(([, service]) => fetcherConfig(interpolated(service), eventSyntax).chains);
    expect(chains.map(({ chainId, chainName }) => [chainId, chainName])).toEqual([
      [1, 'Ethereum'],
      [10, 'OP Mainnet'],
      [137, 'Polygon'],
      [42161, 'Arbitrum One'],
      [8453, 'Base'],
    ]);
    for (const chain of chains) expect(chain.rpcUrls.length).toBeGreaterThan(1);
  });

  it.each(fetchers.filter(([name]) => name !== 'fetcher-demo'))(
    'gives %s every variable of a chain, from a name that ends with its id',
    (_, service) => {
      const id = service.environment!.CHAIN_ID;
      const ofEveryProcess = new Set(readBy('worker'));
      // the name is the chain list's
      const ofChain = readBy('fetcher').filter(
        (name) => !ofEveryProcess.has(name) && !['CHAIN_ID', 'CHAINS', 'CHAIN_NAME'].includes(name),
      );
      for (const name of ofChain) {
        expect(service.environment).toHaveProperty(name, `\${${name}_${id}:-}`);
      }
    },
  );

  it('knows the simulated chain without a setting', () => {
    const demo = fetcherConfig(interpolated(services['fetcher-demo']!), eventSyntax);
    expect(demo.chains).toMatchObject([{ chainId: 1337, startBlock: 1, rpcUrls: ['http://devchain:8545'] }]);
  });

  it.each(own)('sets only variables that %s reads', (_, service) => {
    const known = readBy(appOf(service)!);
    expect(Object.keys(service.environment!).filter((name) => !known.includes(name))).toEqual([]);
  });

  it('has every variable in .env.example, and that no other', () => {
    const used = new Set([...text.matchAll(/(?<!\$)\$\{(\w+)/g)].map(([, name]) => name!));
    const explained = [...read('.env.example').matchAll(/^([A-Z]\w*)=/gm)].map(([, name]) => name!);
    expect(explained.toSorted()).toEqual([...used].toSorted());
  });

  it('shows in .env.example the defaults that it has itself', () => {
    for (const [, name, value] of read('.env.example').matchAll(/^([A-Z]\w*)=(.+)$/gm)) {
      const defaults = [...text.matchAll(new RegExp(`\\$\\{${name}:-(.*?)\\}`, 'g'))].map(([, d]) => d);
      expect(new Set(defaults), name).toEqual(new Set([value]));
    }
  });

  it('takes public images by their tags, builds its own once, and publishes to this machine only', () => {
    const images = all.map(([, { image }]) => image).filter((image) => image !== 'event-monitor');
    expect(images.toSorted()).toEqual(['postgres:17', 'rabbitmq:4-management']);
    expect(all.filter(([, { build }]) => build).map(([name]) => name)).toEqual(['migrate']);
    const ports = all.flatMap(([, service]) => service.ports ?? []);
    expect(ports).toEqual([`127.0.0.1:\${API_PORT:-4000}:4000`]);
  });

  it.each(all)('bounds the memory and the log of %s, and starts it again', (name, service) => {
    expect(service.mem_limit).toMatch(/^\d+[mg]$/);
    expect(service.logging?.options).toEqual({ 'max-size': '10m', 'max-file': '3' });
    expect(service.restart).toBe(name === 'migrate' ? 'on-failure' : 'unless-stopped');
    if (name !== 'migrate') expect(service.healthcheck).toBeDefined();
  });

  it.each(own.filter(([name]) => name !== 'migrate'))('gives %s a heap below its memory', (_, service) => {
    const heap = /^--max-old-space-size=(\d+)$/.exec(service.command![1]!)?.[1];
    expect(Number(heap)).toBeLessThanOrEqual(0.75 * Number.parseInt(service.mem_limit!, 10));
    expect(service.read_only).toBe(true);
  });
});
