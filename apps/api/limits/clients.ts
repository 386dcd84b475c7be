import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import ipaddr from 'ipaddr.js';
import proxyAddr from 'proxy-addr';

/** Names that a key may have in the payload of a WebSocket's `connection_init`, whatever their letter case. */
const KEY_NAMES = ['authorization', 'x-api-key'] as const;

/** Knows clients by their API key, else by their address. */
export class Clients {
  private readonly digests: readonly Buffer[];
  private readonly trust: (address: string, hop: number) => boolean;

  /** @param proxies addresses and networks whose `X-Forwarded-For` is believed. */
  constructor(keys: readonly string[], proxies: readonly string[]) {
    this.digests = keys.map(digest);
    this.trust = proxyAddr.compile([...proxies]);
  }

  get needKeys(): boolean {
    return this.digests.length > 0;
  }

  /** Whether a connection comes from a proxy that speaks for many clients. */
  isProxy(address: string | undefined): boolean {
    return address !== undefined && this.trust(address, 0);
  }

  /** The client's address, an IPv6 one by its network of 64 bits: that much is one client's own. */
  addressOf(request: IncomingMessage): string {
    return networkOf(proxyAddr(request, this.trust));
  }

  /** The client of the key that these headers (or this payload) hold: null when there is none, false when it is wrong. */
  keyHolder(fields: Readonly<Record<string, unknown>>): string | null | false {
    const key = keyIn(fields);
    if (key === null) return null;
    const given = digest(key);
    // all are compared, and in constant time: how long it takes says nothing about a key
    const matches = this.digests.map((known) => timingSafeEqual(known, given));
    return matches.includes(true) && `key ${matches.indexOf(true) + 1}`;
  }
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

/** `Authorization: Bearer <key>` or `X-API-Key: <key>`. */
function keyIn(fields: Readonly<Record<string, unknown>>): string | null {
  for (const [name, value] of Object.entries(fields)) {
    const known = KEY_NAMES.find((one) => one === name.toLowerCase());
    if (!known || typeof value !== 'string') continue;
    if (known === 'x-api-key') return value.trim();
    const bearer = /^bearer +(\S+) *$/i.exec(value);
    if (bearer) return bearer[1]!;
  }
  return null;
}

/** An address as one client is counted by. */
export function networkOf(address: string | undefined): string {
  if (!address || !ipaddr.isValid(address)) return 'unknown';
  const parsed = ipaddr.process(address);
  if (parsed.kind() === 'ipv4') return parsed.toString();
  const parts = (parsed as ipaddr.IPv6).parts.slice(0, 4).map((part) => part.toString(16));
  return `${parts.join(':')}::/64`;
}
