import { urlHost } from '#libs/telemetry/redact.js';

/** Path segments this long or longer may be keys; shorter ones are words such as `v3`. */
const KEY_LENGTH = 8;
/** Query values, users and passwords this long or longer are taken for secrets; shorter ones would blot out half of any text. */
const SECRET_LENGTH = 4;

/** An endpoint's URL, taken apart so that its secrets go to the endpoint and nowhere else. */
export class RpcUrl {
  /** Host and port, for logs and errors. */
  readonly host: string;
  /** The URL without user and password, which fetch refuses. */
  readonly href: string;
  /** User and password as the header's value. */
  readonly authorization: string | undefined;
  private readonly secrets: readonly RegExp[];

  /** @throws TypeError when it isn't a URL. */
  constructor(url: string) {
    const parsed = new URL(url);
    const user = decoded(parsed.username);
    const password = decoded(parsed.password);
    this.authorization =
      user || password ? `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` : undefined;
    const parts = [
      ...parsed.pathname.split('/').filter((part) => part.length >= KEY_LENGTH),
      // a key may also stand alone: `?0123abcd`
      ...[...parsed.searchParams]
        .map(([name, value]) => value || name)
        .filter((part) => part.length >= SECRET_LENGTH),
      // as it was given, too: the URL class writes some characters otherwise
      ...[user, password, ...(/:\/\/([^/?#]*)@/.exec(url)?.[1]?.split(':') ?? [])].filter(
        (part) => part.length >= SECRET_LENGTH,
      ),
      ...(this.authorization ? [this.authorization.slice('Basic '.length)] : []),
    ];
    const forms = new Set(parts.flatMap(formsOf));
    // the longest first: one may begin with another
    const longestFirst = [...forms].sort((one, other) => other.length - one.length);
    // RegExp.escape needs Node 24
    this.secrets = longestFirst.map(
      (secret) => new RegExp(secret.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'), 'gi'),
    );
    this.host = urlHost(url);
    parsed.username = '';
    parsed.password = '';
    this.href = parsed.href;
  }

  /** What an endpoint or a library says, without this URL's keys: some repeat the URL in their errors. */
  conceal(text: string): string {
    return this.secrets.reduce((safe, secret) => safe.replaceAll(secret, '…'), text);
  }
}

/** A secret as it may stand in a text: as it is, percent-encoded, or within JSON. */
function formsOf(part: string): string[] {
  const plain = decoded(part);
  return [part, plain, encodeURIComponent(plain)].flatMap((form) => [
    form,
    JSON.stringify(form).slice(1, -1),
  ]);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
