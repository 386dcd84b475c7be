import { urlHost } from '#libs/telemetry/redact.js';

/** Path segments, query values and passwords this long or longer may be keys; shorter ones are words such as `v3`. */
const KEY_LENGTH = 8;

/** An endpoint's URL, taken apart so that its secrets go to the endpoint and nowhere else. */
export class RpcUrl {
  /** Host and port, for logs and errors. */
  readonly host: string;
  /** The URL without user and password, which fetch refuses. */
  readonly href: string;
  /** User and password as the header's value. */
  readonly authorization: string | undefined;
  private readonly secrets: readonly string[];

  /** @throws TypeError when it isn't a URL. */
  constructor(url: string) {
    const parsed = new URL(url);
    const user = decodeURIComponent(parsed.username);
    const password = decodeURIComponent(parsed.password);
    const parts = [...parsed.pathname.split('/'), ...parsed.searchParams.values(), user, password];
    const secrets = new Set([...parts, ...parts.map(decoded)]);
    this.secrets = [...secrets].filter((part) => part.length >= KEY_LENGTH);
    this.host = urlHost(url);
    this.authorization =
      user || password ? `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` : undefined;
    parsed.username = '';
    parsed.password = '';
    this.href = parsed.href;
  }

  /** What an endpoint or a library says, without this URL's keys: some repeat the URL in their errors. */
  conceal(text: string): string {
    return this.secrets.reduce((safe, secret) => safe.replaceAll(secret, '…'), text);
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
