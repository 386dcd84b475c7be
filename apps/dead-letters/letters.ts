import type { Broker, DeadLetter } from '#libs/broker/broker.js';

/** Characters of a reason in the list. */
const REASON_SHOWN = 160;

/** What the list says of a dead letter. */
interface Summary {
  readonly id: string;
  readonly time: string;
  readonly queue: string;
  readonly chain: string;
  readonly kind: string;
  readonly bytes: string;
  readonly reason: string;
}

const columns = ['id', 'time', 'queue', 'chain', 'kind', 'bytes', 'reason'] as const;

/** A table of all dead letters, numbered from 1. Bodies are not kept, however many there are. */
export async function listLetters(broker: Broker): Promise<string> {
  const summaries: Summary[] = [];
  await broker.sortDeadLetters((letter) => {
    summaries.push(summaryOf(letter));
    return 'leave';
  });
  if (!summaries.length) return 'no dead letters';
  const lines = [
    ['n', ...columns],
    ...summaries.map((s, i) => [String(i + 1), ...columns.map((name) => s[name])]),
  ];
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  const last = widths.length - 1;
  return lines
    .map((line) => line.map((text, i) => (i === last ? text : text.padEnd(widths[i]!))).join('  '))
    .join('\n');
}

/** One dead letter, whole, or null when there is none of this number or id. */
export async function showLetter(broker: Broker, which: string): Promise<string | null> {
  const isMeant = finder(which);
  let found: DeadLetter | null = null;
  await broker.sortDeadLetters((letter) => {
    if (isMeant(letter)) found = letter;
    return 'leave';
  });
  return found && describe(found);
}

/** Sends one or all to the queues that they came from. @returns what happened in words, or null when there is none of this number or id. */
export async function replayLetters(broker: Broker, which: string): Promise<string | null> {
  const isMeant = which === 'all' ? () => true : finder(which);
  let seen = 0;
  const { replayed, unplaced } = await broker.sortDeadLetters((letter) => {
    if (!isMeant(letter)) return 'leave';
    seen++;
    return 'replay';
  });
  if (!seen && which !== 'all') return null;
  const words = `replayed ${replayed}; what fails again comes back to the dead letters with its reason`;
  return unplaced ? `${words}. ${unplaced} left: the queue that they came from is not known` : words;
}

/** Finds the first of this id, or the n-th. */
function finder(which: string): (letter: DeadLetter) => boolean {
  const number = which.length < 12 ? Number(which) : null;
  let [position, found] = [0, false];
  return (letter) => {
    position++;
    if (found) return false;
    found = number === null ? letter.id === which : position === number;
    return found;
  };
}

function summaryOf({ id, time, queue, reason, body }: DeadLetter): Summary {
  const { chainId, kind } = fieldsOf(body);
  const cut = reason.replace(/\s+/g, ' ');
  return {
    id,
    time: time ?? '–',
    queue,
    chain: chainId,
    kind,
    bytes: String(body.length),
    reason: cut.length > REASON_SHOWN ? `${cut.slice(0, REASON_SHOWN)}…` : cut,
  };
}

/** The two fields that every message has, if it is one. */
function fieldsOf(body: Buffer): { chainId: string; kind: string } {
  const message = jsonOf(body) as { chainId?: unknown; kind?: unknown } | null | undefined;
  const shown = (value: unknown) =>
    typeof value === 'number' || typeof value === 'string' ? String(value).slice(0, 20) : '–';
  return { chainId: shown(message?.chainId), kind: shown(message?.kind) };
}

/** Undefined when it isn't JSON. */
function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

function describe({ id, time, queue, reason, body }: DeadLetter): string {
  const head = [`id      ${id}`, `time    ${time ?? 'unknown'}`, `queue   ${queue}`, `reason  ${reason}`];
  return [...head, `bytes   ${body.length}`, '', bodyText(body)].join('\n');
}

function bodyText(body: Buffer): string {
  const json = jsonOf(body);
  if (json !== undefined) return JSON.stringify(json, null, 2);
  const text = body.toString('utf8');
  // what a terminal could take for a command, or what was no text, is shown as bytes
  const isText = Buffer.from(text).equals(body) && !/[^\P{Cc}\n\t]/u.test(text);
  return isText ? text : `not text, in hex:\n${body.toString('hex')}`;
}
