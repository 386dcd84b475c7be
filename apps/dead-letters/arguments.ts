import { readArguments, UsageError } from '#libs/service/command.js';

const usage = `npm run dead-letters -- list               what no worker could store, oldest first
npm run dead-letters -- show <n or id>     one of them, whole
npm run dead-letters -- replay <n or id>   one of them, to the queue that it came from
npm run dead-letters -- replay all`;

/** What to do, and with which: a number of the list, an id, or all. */
export type Request =
  | { readonly kind: 'list' }
  | { readonly kind: 'show'; readonly which: string }
  | { readonly kind: 'replay'; readonly which: string };

/** Reads the command line. @throws UsageError */
export function requestOf(args: readonly string[]): Request {
  const [kind, which, ...more] = readArguments(args, {}, usage, { positionals: true }).positionals;
  if (more.length) throw new UsageError(`${JSON.stringify(more[0])} is one argument too many`, usage);
  if (kind === 'list' && which === undefined) return { kind };
  if (kind === 'list') throw new UsageError('list takes no argument', usage);
  if (kind !== 'show' && kind !== 'replay')
    throw new UsageError(
      kind === undefined ? 'what is to be done?' : `there is no ${JSON.stringify(kind)}`,
      usage,
    );
  const choices =
    kind === 'replay' ? 'a number of the list, an id, or all' : 'a number of the list, or an id';
  if (which === undefined) throw new UsageError(`${kind} which? Give ${choices}`, usage);
  const isOne = /^([1-9]\d{0,5}|[0-9a-f]{12})$/.test(which);
  if (isOne || (kind === 'replay' && which === 'all')) return { kind, which };
  throw new UsageError(`${JSON.stringify(which.slice(0, 80))} is not ${choices}`, usage);
}
